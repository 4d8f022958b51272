//! A document of X-Ray as it came, and what it says in short.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>

use std::mem::size_of;

use serde_json::{Map, Value};

/// A segment or a subsegment with all that is in it, as the text that it is.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) head: Head,
    /// Whether anything in it has a fault.
    pub(super) has_fault_within: bool,
    text: Box<str>,
}

/// What a segment or a subsegment says in short.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Zero only within a document: what has no proper id is shown all the same.
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) is_segment: bool,
    pub(super) name: String,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    /// Nanoseconds since 1970; none while it is in progress.
    pub(super) end: Option<u64>,
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    pub(super) status: Option<u64>,
    pub(super) flags: Flags,
}

/// What X-Ray calls 5xx, 429 and 4xx; any of them may be set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Flags {
    pub(super) fault: bool,
    pub(super) throttle: bool,
    pub(super) error: bool,
}

// ===== impl Document =====

impl Document {
    /// `None` where it has no proper id, or is a subsegment of nobody.
    pub(super) fn new(fields: Map<String, Value>) -> Option<Self> {
        let head = Head::of(&fields);
        let is_lost = head.id == 0 || (!head.is_segment && head.parent.is_none());
        let has_fault_within = has_fault_within(&fields);
        let text = Value::Object(fields).to_string().into_boxed_str();
        (!is_lost).then_some(Self { head, has_fault_within, text })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn fields(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Whether it has the text in it; `text` is in lower case.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.text.to_lowercase().contains(text)
    }

    /// How many bytes it takes, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + INDEX + self.text.len() + self.head.weight()
    }
}

// ===== impl Head =====

impl Head {
    pub(super) fn of(fields: &Map<String, Value>) -> Self {
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let http = |part: &str, key: &str| fields.get("http")?.get(part)?.get(key);
        let word = |part, key, most| http(part, key).and_then(Value::as_str).map(|text| clip(text, most));
        let in_progress = is_true(fields, "in_progress");
        Self {
            id: fields.get("id").and_then(id).unwrap_or_default(),
            parent: fields.get("parent_id").and_then(id),
            is_segment: text("type") != Some("subsegment"),
            name: clip(text("name").unwrap_or_default(), LINE),
            start: fields.get("start_time").map_or(0, nanos),
            end: fields.get("end_time").filter(|_| !in_progress).map(nanos),
            method: word("request", "method", WORD),
            url: word("request", "url", LINE),
            status: http("response", "status").and_then(number),
            flags: Flags::of(fields),
        }
    }

    /// The path of its URL, without the query.
    pub(super) fn path(&self) -> Option<&str> {
        let url = self.url.as_deref()?;
        let (_, rest) = url.split_once("://")?;
        let path = &rest[rest.find(['/', '?', '#'])?..];
        path.split(['?', '#']).next().filter(|path| !path.is_empty())
    }

    pub(super) fn duration(&self) -> u64 {
        self.end.unwrap_or_default().saturating_sub(self.start)
    }

    fn weight(&self) -> usize {
        let Self { name, method, url, .. } = self;
        name.len() + method.as_ref().map_or(0, String::len) + url.as_ref().map_or(0, String::len)
    }
}

// ===== impl Flags =====

impl Flags {
    fn of(fields: &Map<String, Value>) -> Self {
        Self {
            fault: is_true(fields, "fault"),
            throttle: is_true(fields, "throttle"),
            error: is_true(fields, "error"),
        }
    }

    /// The words of those that are set, the worst first.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let Self { fault, throttle, error } = self;
        [(fault, "fault"), (throttle, "throttle"), (error, "error")]
            .into_iter()
            .filter_map(|(is_set, word)| is_set.then_some(word))
    }
}

/// Sixteen hex digits, not all zero.
pub(super) fn id(value: &Value) -> Option<u64> {
    let text = value.as_str().filter(|text| text.len() == 16)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|id| plain && *id != 0)
}

/// Seconds since 1970 as nanoseconds. A double of today has a few tenths of a microsecond right.
pub(super) fn nanos(value: &Value) -> u64 {
    let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default();
    let tenths = (seconds.fract() * 1e7).round() as u64;
    (seconds as u64).saturating_mul(1_000_000_000).saturating_add(tenths * 100)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn is_true(fields: &Map<String, Value>, key: &str) -> bool {
    fields.get(key) == Some(&Value::Bool(true))
}

/// The reader of JSON goes no deeper than 128 levels, and so does this.
fn has_fault_within(fields: &Map<String, Value>) -> bool {
    let subsegments = fields.get("subsegments").and_then(Value::as_array).into_iter().flatten();
    let mut within = subsegments.filter_map(Value::as_object);
    is_true(fields, "fault") || within.any(has_fault_within)
}

pub(super) fn clip(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

const LINE: usize = 256;
const WORD: usize = 32;
/// What an index needs for an entry, about.
const INDEX: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(value: Value) -> Option<Document> {
        Document::new(value.as_object().expect("an object").clone())
    }

    #[test]
    fn a_document_says_in_short_what_it_is() {
        let document = document(json!({
            "id": "45faa8b1421f30d5", "name": "shop", "start_time": 1795177910.3245118, "end_time": 1795177910.3253274,
            "http": { "request": { "method": "GET", "url": "http://shop/carts/7?token=1" }, "response": { "status": 503 } },
            "fault": true, "subsegments": [{ "name": "a", "subsegments": [{ "name": "b", "fault": true }] }],
        }));
        let Document { head, has_fault_within, .. } = document.expect("a document");
        assert_eq!(
            (head.id, head.start, head.duration()),
            (0x45fa_a8b1_421f_30d5, 1_795_177_910_324_511_800, 815_600)
        );
        assert_eq!((head.path(), head.status, head.is_segment), (Some("/carts/7"), Some(503), true));
        assert!(head.flags.words().eq(["fault"]) && has_fault_within);
    }

    #[test]
    fn what_belongs_nowhere_is_no_document() {
        assert!(document(json!({ "name": "no id" })).is_none());
        assert!(document(json!({ "id": "0000000000000000" })).is_none());
        assert!(document(json!({ "id": "+5faa8b1421f30d5" })).is_none());
        assert!(document(json!({ "id": "45faa8b1421f30d5", "type": "subsegment" })).is_none());
    }

    #[test]
    fn odd_values_are_read_as_nothing() {
        let odd = json!({ "id": "45faa8b1421f30d5", "name": 7, "start_time": "1.5", "end_time": -3, "http": [], "fault": "yes" });
        let head = document(odd).expect("a document").head;
        assert_eq!((head.start, head.end, head.duration()), (1_500_000_000, Some(0), 0));
        assert_eq!((head.name.as_str(), head.flags), ("", Flags::default()));
        let huge = json!({ "id": "45faa8b1421f30d5", "start_time": 1e300, "end_time": 1e308 });
        assert_eq!(document(huge).expect("a document").head.duration(), 0);
    }
}
