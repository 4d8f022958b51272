//! The versions that were built.

/// A crate's version, by the lock file.
pub fn version(name: &str) -> Option<&'static str> {
    let mut lines = LOCK.lines();
    lines
        .find(|line| line.strip_prefix("name = \"").and_then(|line| line.strip_suffix('"')) == Some(name))?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
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
    fn every_crate_in_the_table_is_in_the_lock_file() {
        for variant in VARIANTS {
            for text in [variant.title, variant.notes] {
                assert!(!versioned(text).contains('{'), "{text}");
            }
        }
    }
}
