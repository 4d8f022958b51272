use std::{borrow::Cow, sync::Arc};

/// What of a query string may leave the process. Keys always stay, so that one sees what was asked for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Query {
    /// Every value reads `REDACTED`: the default.
    #[default]
    Redacted,
    /// The values of these keys stay, all others read `REDACTED`.
    Only(Arc<[Cow<'static, str>]>),
    /// All values stay but those of the keys that the OpenTelemetry conventions name: signatures and credentials.
    ///
    /// This is the conventions' own default, see <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>.
    Conventional,
}

// ===== impl Query =====

impl Query {
    /// Keeps the values of `keys` (case-sensitive) and no others.
    pub fn only<K: Into<Cow<'static, str>>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::Only(keys.into_iter().map(Into::into).collect())
    }

    /// The query as it may be shown. A part without `=` is a key if its name is allowed, and otherwise a value.
    pub fn redact(&self, query: &str) -> String {
        let mut shown = String::with_capacity(query.len() + ROOM);
        let (mut rest, mut alone) = (query, true);
        while let Some(end) = place(rest, b'&') {
            alone = false;
            self.push(&mut shown, &rest[..end], alone);
            shown.push('&');
            rest = &rest[end + 1..];
        }
        self.push(&mut shown, rest, alone);
        shown
    }

    fn push(&self, shown: &mut String, part: &str, alone: bool) {
        // A token of its own may end in the padding of base64.
        let padded = |value: &str| value.bytes().all(|byte| byte == b'=') && (alone || !value.is_empty());
        let pair = place(part, b'=').map(|at| (&part[..at], &part[at + 1..]));
        let pair = pair.filter(|(key, value)| !padded(value) || self.allows(key));
        let Some((key, value)) = pair else {
            shown.push_str(if part.is_empty() || self.allows(part) { part } else { REDACTED });
            return;
        };
        shown.push_str(key);
        shown.push('=');
        shown.push_str(if value.is_empty() || self.allows(key) { value } else { REDACTED });
    }

    fn allows(&self, key: &str) -> bool {
        match self {
            Self::Redacted => false,
            Self::Only(keys) => keys.iter().any(|allowed| allowed == key),
            Self::Conventional => !SENSITIVE.contains(&key),
        }
    }
}

/// Where the first such byte is, of ASCII. Parts are short, so that is found before a search could begin.
fn place(text: &str, byte: u8) -> Option<usize> {
    text.bytes().position(|other| other == byte)
}

const REDACTED: &str = "REDACTED";

/// By which most queries grow at most.
const ROOM: usize = 4 * REDACTED.len();

/// The union of what the conventions have listed from 1.40 on.
const SENSITIVE: [&str; 7] = [
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Signature",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_no_value_stays() {
        assert_eq!(
            Query::default().redact("term=secret&page=2&empty="),
            "term=REDACTED&page=REDACTED&empty="
        );
    }

    #[test]
    fn a_bare_token_is_a_value() {
        assert_eq!(Query::default().redact("c2VjcmV0LXRva2Vu=="), "REDACTED");
        assert_eq!(Query::default().redact("c2VjcmV0LXRva2U="), "REDACTED");
        assert_eq!(Query::default().redact("page=1&c2VjcmV0LXRva2Vu=="), "page=REDACTED&REDACTED");
        assert_eq!(Query::default().redact("eyJhbGciOi"), "REDACTED");
        assert_eq!(Query::default().redact("a=b=c&&d"), "a=REDACTED&&REDACTED");
    }

    #[test]
    fn listed_keys_keep_their_values() {
        assert_eq!(Query::only(["page"]).redact("page=2&token=x"), "page=2&token=REDACTED");
    }

    #[test]
    fn the_conventional_list_hides_signatures_alone() {
        let shown = Query::Conventional.redact("q=1&sig=x&AWSAccessKeyId=y&X-Goog-Signature=z&SIG=kept");
        assert_eq!(shown, "q=1&sig=REDACTED&AWSAccessKeyId=REDACTED&X-Goog-Signature=REDACTED&SIG=kept");
    }
}
