//! What a report says about a panic in a service that is built for production.
//!
//! It builds a service of its own twice, which takes some minutes the first time.
#![cfg(feature = "rollbar")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use belvedere::rollbar::Frame;

/// Builds the service with this much debug information, runs it, and gives the frames that it told, the oldest first.
fn frames(debug: &str) -> Vec<Frame> {
    let output = Command::new(built(debug))
        // The hook says nothing, and must not mind if nobody can.
        .stderr(fs::File::options().write(true).open("/dev/full").map_or_else(|_| Stdio::null(), Stdio::from))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn built(debug: &str) -> PathBuf {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/panics");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("panics-{debug}"));
    // What the package is built with is there already.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), fixture.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--target-dir"]).arg(&target).current_dir(&fixture);
    for (name, _) in env::vars_os() {
        let is_profile = name.to_str().is_some_and(|name| name.starts_with("CARGO_PROFILE_"));
        if is_profile || name == "RUSTFLAGS" || name == "CARGO_ENCODED_RUSTFLAGS" {
            cargo.env_remove(name);
        }
    }
    if debug != "default" {
        cargo.env("CARGO_PROFILE_RELEASE_DEBUG", debug);
    }
    assert!(cargo.status().unwrap().success(), "cargo build, debug = {debug}");
    target.join("release").join(format!("panics{}", env::consts::EXE_SUFFIX))
}

/// The line that panics.
fn line() -> u32 {
    let source = include_str!("fixtures/panics/src/main.rs");
    source.lines().position(|line| line.ends_with("// here")).unwrap() as u32 + 1
}

fn is_place(frame: &Frame) -> bool {
    frame.filename == "/app/src/main.rs" && frame.lineno == Some(line())
}

fn is_route(frame: &Frame) -> bool {
    frame.filename == "/items/{id}" && frame.method.as_deref() == Some("GET /items/{id}")
}

#[test]
fn a_default_build_tells_the_place_and_the_route() {
    let frames = frames("default");
    assert!(is_place(frames.last().unwrap()), "{frames:#?}");
    assert!(is_route(&frames[0]), "{frames:#?}");
}

#[test]
fn a_build_with_limited_debug_information_tells_its_own_functions_first() {
    let frames = frames("limited");
    assert!(is_route(&frames[0]), "{frames:#?}");
    let [.., boom, inner] = &*frames else { panic!("{frames:#?}") };
    assert!(is_place(inner), "{frames:#?}");
    assert_eq!(inner.method.as_deref(), Some("panics::inner::{{closure}}"));
    assert_eq!(boom.method.as_deref(), Some("panics::boom::{{closure}}"));
    assert_eq!(boom.filename, "/app/src/main.rs");
}
