use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

/// How long a service asks to wait: `x-amz-retry-after` in milliseconds, as AWS's SDKs read it, or `Retry-After` in seconds
/// or as a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(milliseconds) = text(RETRY_AFTER).and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(milliseconds));
    }
    let text = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

const RETRY_AFTER: HeaderName = HeaderName::from_static("x-amz-retry-after");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_wait_is_read_in_each_of_its_spellings() {
        let wait = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            retry_after(&HeaderMap::from_iter(pairs))
        };
        let (amz, plain) = (RETRY_AFTER, header::RETRY_AFTER);
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[(amz.clone(), "1500")]), Some(Duration::from_millis(1500)));
        assert_eq!(wait(&[(plain.clone(), " 7 ")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[(plain.clone(), "7"), (amz.clone(), "20")]), Some(Duration::from_millis(20)));
        assert_eq!(wait(&[(amz, "soon"), (plain.clone(), "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[(plain.clone(), "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[(plain, "-1")]), None);
    }
}
