//! What a request holds.

use bytes::Bytes;
use serde::Serialize;

use crate::transport::Gzip;

#[derive(Clone, Debug)]
pub(in crate::cloudwatch) struct Body {
    pub(super) bytes: Bytes,
    pub(super) is_compressed: bool,
}

// ===== impl Body =====

impl Body {
    pub(super) fn json(document: &impl Serialize) -> Self {
        Self::plain(serde_json::to_vec(document).expect("strings and numbers can be written as JSON"))
    }

    pub(super) fn plain(json: Vec<u8>) -> Self {
        Self { bytes: json.into(), is_compressed: false }
    }

    /// The same in fewer bytes, if there are.
    pub(super) fn compressed(self, gzip: &Gzip) -> Self {
        let bytes = gzip.compress(&self.bytes);
        if bytes.len() < self.bytes.len() { Self { bytes, is_compressed: true } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_grow_is_not_compressed() {
        let gzip = Gzip::default();
        assert!(!Body::json(&"x").compressed(&gzip).is_compressed);
        assert!(Body::json(&"x".repeat(1000)).compressed(&gzip).is_compressed);
    }
}
