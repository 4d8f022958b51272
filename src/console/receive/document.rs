//! A document of X-Ray, read as leniently as it can be shown.

use serde_json::Value;

use crate::console::id::TraceId;
use crate::console::receive::trim;
use crate::console::segment::Document;

/// Why a document is not kept, in the words in which X-Ray says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    Unreadable,
    TooLarge,
    TraceId,
    Id,
    ParentId,
}

/// Reads a document. What it says in credentials is hidden before anything is kept.
pub(super) fn read(bytes: &[u8]) -> Result<(TraceId, Document), Wrong> {
    if bytes.len() > BYTES {
        return Err(Wrong::TooLarge);
    }
    let document: Value = serde_json::from_slice(bytes).map_err(|_| Wrong::Unreadable)?;
    let Value::Object(mut fields) = document else { return Err(Wrong::Unreadable) };
    let trace_id = fields.get("trace_id").and_then(Value::as_str);
    let trace_id = trace_id.and_then(TraceId::from_any_spelling).ok_or(Wrong::TraceId)?;
    let is_subsegment = fields.get("type").is_some_and(|kind| kind == "subsegment");
    let has_parent = fields.contains_key("parent_id");
    fields.values_mut().for_each(trim::json);
    let wrong = if is_subsegment && !has_parent { Wrong::ParentId } else { Wrong::Id };
    Ok((trace_id, Document::new(fields).ok_or(wrong)?))
}

// ===== impl Wrong =====

impl Wrong {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "ParseError",
            Self::TooLarge => "DocumentTooLarge",
            Self::TraceId => "InvalidTraceId",
            Self::Id => "InvalidId",
            Self::ParentId => "MissingParentId",
        }
    }
}

/// X-Ray takes 64 kB.
const BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(document: &str) -> Option<Wrong> {
        read(document.as_bytes()).err()
    }

    #[test]
    fn what_is_wrong_is_told_by_x_rays_codes() {
        let id = r#""trace_id":"1-6b003db2-000000000000000000000001""#;
        assert_eq!(wrong(&format!(r#"{{{id},"id":"0000000000000001"}}"#)), None);
        assert_eq!(wrong(r#"{"trace_id":"not-a-trace-id","id":"0000000000000001"}"#), Some(Wrong::TraceId));
        assert_eq!(wrong(&format!(r#"{{{id},"id":"1"}}"#)), Some(Wrong::Id));
        let orphan = format!(r#"{{{id},"id":"0000000000000001","type":"subsegment"}}"#);
        assert_eq!(wrong(&orphan), Some(Wrong::ParentId));
        for unreadable in ["{{{ nope", "[]", "7", "", "{} {}", &"[".repeat(60_000)] {
            assert_eq!(wrong(unreadable), Some(Wrong::Unreadable), "{unreadable:.20}");
        }
        assert_eq!(wrong(&" ".repeat(BYTES + 1)), Some(Wrong::TooLarge));
    }

    #[test]
    fn credentials_are_hidden_however_deep_they_are() {
        let document = r#"{"trace_id":"1-6b003db2-000000000000000000000001","id":"0000000000000001",
            "metadata":{"default":{"headers":{"Authorization":"hunter2","x_api_key":["hunter2"]}}},
            "subsegments":[{"annotations":{"cookie":"hunter2"}}]}"#;
        let (_, document) = read(document.as_bytes()).expect("a document");
        assert!(!document.text().contains("hunter2") && document.text().contains("x_api_key"));
    }
}
