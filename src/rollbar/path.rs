//! Where source files are from.

use std::borrow::Cow;

/// A file of a crate that is not the project's.
#[derive(Debug, PartialEq)]
pub(super) struct Foreign {
    /// The crate, as code names it. `std` stands for all that comes with the compiler.
    pub(super) package: String,
    /// The file, without what changes from machine to machine and from version to version.
    pub(super) file: String,
}

/// With forward slashes, whatever the system that it was built on.
pub(super) fn slashed(path: &str) -> Cow<'_, str> {
    if path.contains('\\') { Cow::Owned(path.replace('\\', "/")) } else { Cow::Borrowed(path) }
}

pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.as_bytes().get(1) == Some(&b':')
}

/// The crate that a file is of, if it came with the compiler, from a registry, from git, from Nix's store, or is vendored.
pub(super) fn foreign(path: &str) -> Option<Foreign> {
    std(path)
        .or_else(|| registry(path))
        .or_else(|| git(path))
        .or_else(|| nix(path))
        .or_else(|| vendored(path))
}

fn std(path: &str) -> Option<Foreign> {
    if let Some(rest) = path.strip_prefix("/rust/deps/") {
        return Foreign::below(rest);
    }
    let shipped = || path.split_once("/lib/rustlib/").map(|(_, rest)| rest.trim_start_matches("src/rust/"));
    let built =
        || path.split_once("/rustc/").and_then(|(_, rest)| rest.split_once('/')).map(|(_, rest)| rest);
    let rest = shipped().or_else(built)?;
    Some(Foreign { package: STD.to_owned(), file: format!("rust/{rest}") })
}

fn registry(path: &str) -> Option<Foreign> {
    let (_, rest) = path.split_once("/registry/src/")?;
    Foreign::below(rest.split_once('/')?.1)
}

/// `git/checkouts/<repository>-<hash>/<commit>/<file>`
fn git(path: &str) -> Option<Foreign> {
    let (_, rest) = path.split_once("/git/checkouts/")?;
    let (folder, rest) = rest.split_once('/')?;
    let (_, rest) = rest.split_once('/')?;
    Some(Foreign::new(folder.rsplit_once('-').map_or(folder, |(name, _)| name), rest))
}

/// `/nix/store/<hash>-<name>/<file>`, where a folder for vendored crates has them one level further down.
fn nix(path: &str) -> Option<Foreign> {
    let rest = path.strip_prefix("/nix/store/")?;
    let (folder, rest) = rest.split_once('/')?;
    let is_versioned = rest.split('/').next().is_some_and(|folder| name_of(folder).is_some());
    if is_versioned {
        return Foreign::below(rest);
    }
    Some(Foreign::new(folder.split_once('-').map_or(folder, |(_, name)| name), rest))
}

/// What `cargo vendor` makes: `vendor/<crate>/src/<file>`.
fn vendored(path: &str) -> Option<Foreign> {
    let rest = path.strip_prefix("vendor/").or_else(|| path.split_once("/vendor/").map(|(_, rest)| rest))?;
    rest.split('/').nth(1).filter(|folder| *folder == "src")?;
    Foreign::below(rest)
}

// ===== impl Foreign =====

impl Foreign {
    fn new(name: &str, rest: &str) -> Self {
        Self { package: name.replace('-', "_"), file: format!("{name}/{rest}") }
    }

    /// The first folder is the crate's, with its version or without.
    fn below(path: &str) -> Option<Self> {
        let (folder, rest) = path.split_once('/')?;
        Some(Self::new(name_of(folder).unwrap_or(folder), rest))
    }
}

/// The name in `<name>-<version>`.
fn name_of(folder: &str) -> Option<&str> {
    let is_version = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && text[digits..].starts_with('.')
    };
    folder.match_indices('-').find(|(at, _)| is_version(&folder[at + 1..])).map(|(at, _)| &folder[..at])
}

/// A crate of everything that comes with the compiler.
pub(super) const STD: &str = "std";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_lose_homes_hashes_and_versions() {
        let index = "index.crates.io-1949cf8c6b5b557f";
        for (path, package, file) in [
            (
                format!("/root/.cargo/registry/src/{index}/axum-0.8.9/src/serve.rs"),
                "axum",
                "axum/src/serve.rs",
            ),
            (format!("/h/.cargo/registry/src/{index}/sha-1-0.10.1/src/lib.rs"), "sha_1", "sha-1/src/lib.rs"),
            (
                format!("C:/u/.cargo/registry/src/{index}/tower-http-1.0.0-rc.1/src/a.rs"),
                "tower_http",
                "tower-http/src/a.rs",
            ),
            (
                "/rustc/59807616e1aa/library/core/src/option.rs".into(),
                "std",
                "rust/library/core/src/option.rs",
            ),
            ("/rust/deps/hashbrown-0.15.2/src/map.rs".into(), "hashbrown", "hashbrown/src/map.rs"),
            (
                "/r/.rustup/toolchains/stable-x/lib/rustlib/src/rust/library/std/src/rt.rs".into(),
                "std",
                "rust/library/std/src/rt.rs",
            ),
            (
                "/r/.cargo/git/checkouts/sqlx-0f2d4c1b6a7e8f90/1a2b3c4/src/pool.rs".into(),
                "sqlx",
                "sqlx/src/pool.rs",
            ),
            ("/nix/store/abc123-cargo-vendor-dir/axum-0.8.9/src/a.rs".into(), "axum", "axum/src/a.rs"),
            ("/nix/store/abc123-openssl/src/a.rs".into(), "openssl", "openssl/src/a.rs"),
            ("vendor/serde/src/de.rs".into(), "serde", "serde/src/de.rs"),
        ] {
            let foreign = foreign(&path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((foreign.package.as_str(), foreign.file.as_str()), (package, file), "{path}");
        }
    }

    #[test]
    fn files_of_the_project_are_nobody_elses() {
        for path in
            ["src/main.rs", "/build/shop/src/main.rs", "src/vendor/mod.rs", "/app/crates/git/src/lib.rs", ""]
        {
            assert_eq!(foreign(path), None, "{path}");
        }
    }
}
