//! The folder's name for a lane's name.

use std::fmt::Write;

/// Any name as one that every file system takes: small letters, digits, `-` and `_` as they are, all other bytes as `%`
/// and two digits. A long one is cut and told apart by a checksum.
pub(super) fn escape(lane: &str) -> String {
    let mut escaped = String::from(if lane.is_empty() { "%" } else { "" });
    for byte in lane.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => escaped.push(char::from(byte)),
            _ => write!(escaped, "%{byte:02x}").unwrap_or_default(),
        }
    }
    if escaped.len() > LONGEST {
        escaped.truncate(LONGEST);
        write!(escaped, "~{:08x}", crc32fast::hash(lane.as_bytes())).unwrap_or_default();
    }
    escaped
}

/// The lane's name for its folder's, as far as it can be told.
#[cfg(test)]
pub(super) fn unescape(folder: &str) -> String {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match (byte, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(escaped)) => {
                bytes.push(escaped);
                rest = &after[2..];
            }
            (b'%', None) => {}
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// File systems take 255 bytes.
const LONGEST: usize = 180;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_its_folder() {
        for name in ["spans", "", "..", "a/b", "Über %41", "con.", "nul\0", "x-ray_2"] {
            let escaped = escape(name);
            assert!(
                escaped.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'%'))
            );
            assert_eq!(unescape(&escaped), name);
        }
        assert_eq!(escape("spans"), "spans");
    }

    #[test]
    fn long_names_stay_short_and_apart() {
        let (one, other) = (escape(&"/".repeat(300)), escape(&"/".repeat(301)));
        assert!(one.len() < 200);
        assert_ne!(one, other);
    }
}
