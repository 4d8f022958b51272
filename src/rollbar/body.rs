use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, header};
use serde_json::Value;

use super::{Request, snapshot::lists};
use crate::scrub::Scrubber;

/// What is kept of a request's body while the handler reads it. Clones are the same one.
#[derive(Clone)]
pub(super) struct KeptBody {
    media: Media,
    limit: usize,
    read: Arc<Mutex<Read>>,
}

/// What can be shown without its secrets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Media {
    Json,
    Form,
}

/// How much of a body was read.
#[derive(Clone, Default)]
struct Read {
    bytes: Vec<u8>,
    is_over: bool,
    is_cut: bool,
}

// ===== impl KeptBody =====

impl KeptBody {
    /// For a request with these headers, if its body is one to keep.
    pub(super) fn of(headers: &HeaderMap, limit: usize) -> Option<Self> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return None;
        }
        Some(Self { media: Media::of(headers)?, limit, read: Arc::default() })
    }

    /// Notes what was read.
    pub(super) fn add(&self, bytes: &[u8]) {
        let mut read = self.lock();
        let room = self.limit - read.bytes.len();
        read.is_cut |= bytes.len() > room;
        read.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Notes that all was read.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
    }

    /// How many bytes are kept.
    pub(super) fn size(&self) -> usize {
        self.lock().bytes.len()
    }

    /// Writes it into a request, without secrets; or why that cannot be.
    pub(super) fn put(&self, request: &mut Request, scrubber: &Scrubber) {
        // A copy, so that nobody who reads on waits for the scrubber.
        let read = self.lock().clone();
        if read.bytes.is_empty() && !read.is_cut {
            return;
        }
        match self.media {
            Media::Json => match json(&read.bytes, scrubber) {
                Some(body) => request.body = Some(Value::from(body)),
                None => request.insert(NOTE, read.why()),
            },
            Media::Form => {
                request.post = lists(scrubber.form_pairs(&form(&read)));
                if let Some(note) = read.note() {
                    request.insert(NOTE, note);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeptBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptBody").field("media", &self.media).field("bytes", &self.size()).finish()
    }
}

// ===== impl Media =====

impl Media {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*essence {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            // `application/problem+json` and its like.
            _ => essence.strip_suffix("+json")?.contains('/').then_some(Self::Json),
        }
    }
}

// ===== impl Read =====

impl Read {
    /// What is missing of it, if something is.
    fn note(&self) -> Option<&'static str> {
        match (self.is_cut, self.is_over) {
            (true, _) => Some("the body is longer than what is kept of bodies"),
            (false, false) => Some("the body was not read to its end"),
            (false, true) => None,
        }
    }

    /// Why it is no JSON.
    fn why(&self) -> String {
        format!("left out: {}", self.note().unwrap_or("the body is no valid JSON"))
    }
}

/// JSON without its secrets, written anew; what cannot be read cannot be scrubbed either.
fn json(bytes: &[u8], scrubber: &Scrubber) -> Option<String> {
    let mut body: Value = serde_json::from_slice(bytes).ok()?;
    scrubber.json(&mut body);
    Some(body.to_string())
}

/// A form, without a last pair that is not there in full: half a name does not tell what it is the name of.
fn form(read: &Read) -> String {
    let text = String::from_utf8_lossy(&read.bytes);
    let is_whole = read.note().is_none();
    let end = if is_whole { text.len() } else { text.rfind('&').unwrap_or(0) };
    text[..end].trim_end_matches(['\r', '\n']).to_owned()
}

const NOTE: &str = "body_note";

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn kept(media: &'static str, limit: usize) -> Option<KeptBody> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media))]);
        KeptBody::of(&headers, limit)
    }

    fn shown(kept: &KeptBody) -> Request {
        let mut request = Request::default();
        kept.put(&mut request, &Scrubber::default());
        request
    }

    fn note(request: &Request) -> Option<&str> {
        request.extra().get(NOTE)?.as_str()
    }

    #[test]
    fn json_and_forms_are_kept_and_nothing_else() {
        for media in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
            assert_eq!(kept(media, 1).unwrap().media, Media::Json, "{media}");
        }
        assert_eq!(kept("application/x-www-form-urlencoded", 1).unwrap().media, Media::Form);
        for media in [
            "",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/jsonl",
            "+json",
            "application/grpc",
        ] {
            assert!(kept(media, 1).is_none(), "{media}");
        }
    }

    #[test]
    fn what_is_compressed_is_not_kept() {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        ]);
        assert!(KeptBody::of(&headers, 1).is_none());
    }

    #[test]
    fn json_is_shown_without_its_secrets() {
        let kept = kept("application/json", 1_000).unwrap();
        kept.add(br#"{"user": {"name": "worf", "pass"#);
        kept.add(br#"\u0077ord": "canary"}}"#);
        kept.end();
        let request = shown(&kept);
        assert_eq!(request.body, Some(json!(r#"{"user":{"name":"worf","password":"REDACTED"}}"#)));
        assert_eq!(note(&request), None);
    }

    #[test]
    fn a_part_of_json_is_left_out_with_the_reason() {
        let (long, short) = (kept("application/json", 9).unwrap(), kept("application/json", 99).unwrap());
        for kept in [&long, &short] {
            kept.add(br#"{"password": "canary"#);
        }
        assert_eq!(note(&shown(&long)), Some("left out: the body is longer than what is kept of bodies"));
        assert_eq!(note(&shown(&short)), Some("left out: the body was not read to its end"));
        short.end();
        assert_eq!(note(&shown(&short)), Some("left out: the body is no valid JSON"));
        assert_eq!(shown(&short).body, None);
    }

    #[test]
    fn a_form_is_shown_by_its_fields_and_never_with_half_a_name() {
        let whole = kept("application/x-www-form-urlencoded", 99).unwrap();
        whole.add(b"name=worf&tag=a&tag=b+c&pin=canary");
        whole.end();
        let request = shown(&whole);
        assert_eq!(json!(request.post), json!({"name": "worf", "tag": ["a", "b c"], "pin": "REDACTED"}));

        let cut = kept("application/x-www-form-urlencoded", 17).unwrap();
        cut.add(b"name=worf&note=pass%77ord%3Dcanary");
        let request = shown(&cut);
        assert_eq!(json!(request.post), json!({"name": "worf"}));
        assert_eq!(note(&request), Some("the body is longer than what is kept of bodies"));
    }

    #[test]
    fn what_nobody_read_is_not_there() {
        let request = shown(&kept("application/json", 9).unwrap());
        assert_eq!(request, Request::default());
    }
}
