use std::time::Duration;

use http::HeaderMap;

/// How long the caller of a gRPC method waits, by its `grpc-timeout`: at most eight digits and a unit, `H`, `M`, `S`, `m`, `u`
/// or `n`, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. `None` if it does not say, or says something
/// else.
pub fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(value: &[u8]) -> Option<Duration> {
        let value = HeaderValue::from_bytes(value).unwrap();
        grpc_timeout(&HeaderMap::from_iter([(http::HeaderName::from_static("grpc-timeout"), value)]))
    }

    #[test]
    fn every_unit_is_read() {
        for (text, nanos) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("250m", 250_000_000),
            ("7u", 7_000),
            ("99999999n", 99_999_999),
            ("0S", 0),
        ] {
            assert_eq!(read(text.as_bytes()), Some(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(read(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    }

    #[test]
    fn what_the_protocol_does_not_allow_is_no_timeout() {
        for text in ["", "S", "1", "1s", "123456789S", "+1S", "-1S", "1.5S", "1 S", "1é"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(32_u8..=255, 0..16)) {
            if HeaderValue::from_bytes(&bytes).is_ok() {
                read(&bytes);
            }
        }
    }
}
