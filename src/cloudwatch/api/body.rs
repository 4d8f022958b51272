//! What a request holds.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;

#[derive(Clone, Debug)]
pub(in crate::cloudwatch) struct Body {
    pub(super) bytes: Bytes,
    pub(super) is_compressed: bool,
}

// ===== impl Body =====

impl Body {
    pub(super) fn json(document: &impl Serialize) -> Self {
        Self::plain(serde_json::to_string(document).expect("strings and numbers can be written as JSON"))
    }

    pub(super) fn plain(json: String) -> Self {
        Self { bytes: json.into(), is_compressed: false }
    }

    /// The same in fewer bytes, if there are.
    pub(super) fn compressed(self) -> Self {
        let mut encoder = GzEncoder::new(Vec::with_capacity(self.bytes.len() / 4), Compression::fast());
        encoder.write_all(&self.bytes).expect("a vector takes all bytes");
        let bytes: Bytes = encoder.finish().expect("a vector takes all bytes").into();
        if bytes.len() < self.bytes.len() { Self { bytes, is_compressed: true } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_grow_is_not_compressed() {
        assert!(!Body::json(&"x").compressed().is_compressed);
        assert!(Body::json(&"x".repeat(1000)).compressed().is_compressed);
    }
}
