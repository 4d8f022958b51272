use std::time::UNIX_EPOCH;

use super::{Segment, entity::Node as _, options::Options};
use crate::trace::{SpanId, TraceId};

/// What is the same in all segments of a layer, as JSON.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// The field `aws` up to where the name of the sampling rule may stand.
    pub(super) aws: Box<str>,
    /// All that follows what a handler has said, to the end of the document.
    pub(super) rest: Box<str>,
}

// ===== impl Constant =====

impl Constant {
    /// Nothing, where some of it has to be cut, which a document has to say.
    pub(super) fn of(options: &Options) -> Option<Self> {
        let (trace_id, id) = (TraceId::generate(), SpanId::generate());
        let mut segment = Segment::new(trace_id, id, options.naming.fixed().clone(), UNIX_EPOCH);
        options.describe(&mut segment, None);
        if !segment.losses().is_none() {
            return None;
        }
        let aws = format!(r#""aws":{}"#, serde_json::to_string(&segment.entity.aws).ok()?);
        let service = serde_json::to_string(&segment.service).ok()?;
        let origin = serde_json::to_string(&segment.origin).ok()?;
        let origin = if segment.origin.is_some() { format!(r#","origin":{origin}"#) } else { String::new() };
        Some(Self {
            aws: aws.strip_suffix(AFTER_RULE)?.into(),
            rest: format!(r#","service":{service}{origin}}}"#).into(),
        })
    }
}

/// The block of the crate itself is the last one of a segment's `aws`, and the rule the last of that.
pub(super) const AFTER_RULE: &str = "}}";
