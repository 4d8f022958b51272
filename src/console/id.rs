//! A trace id, and every way in which people write one.

use std::fmt;

/// 128 bits, not all zero.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) struct TraceId([u8; 16]);

// ===== impl TraceId =====

impl TraceId {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.try_into().ok()?;
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// One that nobody else has.
    pub(super) fn random() -> Self {
        Self(fastrand::u128(1..).to_be_bytes())
    }

    /// Reads 32 hex digits, `1-8-24`, a `traceparent`, an `X-Amzn-Trace-Id` or a UUID, with or without a header's name.
    pub(super) fn from_any_spelling(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.split_once(": ").map_or(text, |(_, value)| value.trim());
        let field = |field: &str| field.trim().strip_prefix("Root=").map(str::to_owned);
        let text = text.split(';').find_map(field).unwrap_or_else(|| text.to_owned());
        let parts: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        match (&*lengths, &*parts) {
            ([32], [id]) | ([2, 32, 16, 2, ..], [_, id, ..]) => Self::from_hex(id),
            ([1, 8, 24], ["1", epoch, rest]) => Self::from_hex(&format!("{epoch}{rest}")),
            ([8, 4, 4, 4, 12], parts) => Self::from_hex(&parts.concat()),
            _ => None,
        }
    }

    /// Reads exactly 32 hex digits.
    pub(super) fn from_hex(hex: &str) -> Option<Self> {
        let plain = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(hex, 16).ok().filter(|_| plain)?;
        Self::from_bytes(&number.to_be_bytes())
    }

    /// `8-4-4-4-12`, the way a UUID is written.
    pub(super) fn uuid(self) -> String {
        let hex = self.to_string();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// `1-8-24`, the way X-Ray writes it.
    pub(super) fn xray(self) -> String {
        let hex = self.to_string();
        format!("1-{}-{}", &hex[..8], &hex[8..])
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes as lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_id() {
        let id = TraceId::from_hex("6b003f3afb249ace0123456789abcdef").expect("an id");
        for spelling in [
            "6b003f3afb249ace0123456789abcdef",
            " 6B003F3AFB249ACE0123456789ABCDEF ",
            "1-6b003f3a-fb249ace0123456789abcdef",
            "00-6b003f3afb249ace0123456789abcdef-00f067aa0ba902b7-01",
            "traceparent: 00-6b003f3afb249ace0123456789abcdef-00f067aa0ba902b7-03",
            "Root=1-6b003f3a-fb249ace0123456789abcdef",
            "X-Amzn-Trace-Id: Self=1-6b0-0;Root=1-6b003f3a-fb249ace0123456789abcdef;Parent=53995c3f42cd8ad8;Sampled=1",
            "6b003f3a-fb24-9ace-0123-456789abcdef",
        ] {
            assert_eq!(TraceId::from_any_spelling(spelling), Some(id), "{spelling}");
        }
        assert_eq!(TraceId::from_any_spelling(&id.xray()), Some(id));
        assert_eq!(id.uuid(), "6b003f3a-fb24-9ace-0123-456789abcdef");
    }

    #[test]
    fn what_is_no_id_is_a_search() {
        for text in [
            "",
            "home",
            "6b003f3a",
            "+b003f3afb249ace0123456789abcdef",
            "00000000000000000000000000000000",
            "ä-ö",
        ] {
            assert_eq!(TraceId::from_any_spelling(text), None, "{text}");
        }
    }
}
