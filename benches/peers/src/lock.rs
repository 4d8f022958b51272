//! The versions that were built.

/// A crate's version, by the lock file. Of several it is the one that this package depends on.
pub fn version(name: &str) -> Option<&'static str> {
    let own =
        LOCK.split("[[package]]").find(|package| field(package, "name") == Some(env!("CARGO_PKG_NAME")))?;
    let mut dependencies = own.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
    let direct = dependencies.find_map(|dependency| dependency.strip_prefix(name)?.strip_prefix(' '));
    direct.or_else(|| {
        let mut packages = LOCK.split("[[package]]");
        field(packages.find(|package| field(package, "name") == Some(name))?, "version")
    })
}

fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    let mut values = package.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
    values.next()?.strip_suffix('"')
}

/// `text` with a version after each name that stands in braces.
pub fn versioned(text: &str) -> String {
    let mut parts = text.split(['{', '}']);
    let mut whole = String::from(parts.next().unwrap_or_default());
    while let Some(name) = parts.next() {
        match version(name) {
            Some(version) => whole.extend([name, " ", version]),
            None => whole.extend(["{", name, "}"]),
        }
        whole.push_str(parts.next().unwrap_or_default());
    }
    whole
}

const LOCK: &str = include_str!("../Cargo.lock");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variants::VARIANTS;

    #[test]
    fn a_crate_in_braces_gets_its_version() {
        let version = version("tower-otel").unwrap();
        assert_eq!(versioned("{tower-otel}, as `{it}` is"), format!("tower-otel {version}, as `{{it}}` is"));
    }

    #[test]
    fn of_two_versions_it_is_the_one_that_is_measured() {
        assert!(LOCK.matches("name = \"tower-http\"").count() > 1);
        assert!(version("tower-http").unwrap().starts_with("0.7."));
    }

    #[test]
    fn every_crate_in_the_table_is_in_the_lock_file() {
        for variant in VARIANTS {
            for text in [variant.title, variant.notes] {
                assert!(!versioned(text).contains('{'), "{text}");
            }
        }
    }
}
