//! What a report says about a panic in a service that is built for production.
//!
//! It builds a service of its own twice, as its users would, which takes some minutes the first time and little after
//! that. Both builds share a folder and, in it, what does not depend on the profile.
#![cfg(feature = "full")]

#[path = "support/rollbar.rs"]
mod rollbar;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use belvedere::rollbar::Frame;
use rollbar::Rollbar;
use serde_json::Value;

/// Builds the service by this profile, runs it, and gives the one item that it sent.
fn item(profile: &str) -> Value {
    let sink = Rollbar::content();
    let output = Command::new(built(profile))
        .env("ROLLBAR_ENDPOINT", sink.url())
        // The hook says nothing, and must not mind if nobody can.
        .stderr(fs::File::options().write(true).open("/dev/full").map_or_else(|_| Stdio::null(), Stdio::from))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let [item] = <[_; 1]>::try_from(sink.items()).unwrap();
    item
}

fn built(profile: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixture = package.join("tests/fixtures/panics");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panics");
    let lock = fixture.join("Cargo.lock");
    if !lock.exists() {
        // What the package is built with is there already.
        fs::copy(package.join("Cargo.lock"), lock).unwrap();
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--profile", profile, "--target-dir"]).arg(&target).current_dir(&fixture);
    for (name, _) in env::vars_os() {
        let is_profile = name.to_str().is_some_and(|name| name.starts_with("CARGO_PROFILE_"));
        if is_profile || name == "RUSTFLAGS" || name == "CARGO_ENCODED_RUSTFLAGS" {
            cargo.env_remove(name);
        }
    }
    assert!(cargo.status().unwrap().success(), "cargo build --profile {profile}");
    target.join(profile).join(format!("panics{}", env::consts::EXE_SUFFIX))
}

fn frames(item: &Value) -> Vec<Frame> {
    let frames = item.pointer("/body/trace/frames").unwrap_or_else(|| panic!("{item:#}"));
    serde_json::from_value(frames.clone()).unwrap()
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
    let item = item("release");
    let frames = frames(&item);
    assert!(is_place(frames.last().unwrap()), "{frames:#?}");
    assert!(is_route(&frames[0]), "{frames:#?}");
    assert_eq!(item["context"], "GET /items/{id}");
    assert_eq!(item["body"]["trace"]["exception"]["message"], "no cart 17");
    assert_eq!(item["request"]["params"]["id"], "17");
}

#[test]
fn a_build_with_limited_debug_information_tells_its_own_functions_first() {
    let frames = frames(&item("limited"));
    assert!(is_route(&frames[0]), "{frames:#?}");
    let [.., boom, inner] = &*frames else { panic!("{frames:#?}") };
    assert!(is_place(inner), "{frames:#?}");
    assert_eq!(inner.method.as_deref(), Some("panics::inner::{{closure}}"));
    assert_eq!(boom.method.as_deref(), Some("panics::boom::{{closure}}"));
    assert_eq!(boom.filename, "/app/src/main.rs");
}
