//! What goes to X-Ray.

/// What a destination needs of a document: about how large it is, and its bytes.
pub(super) trait Parts: Send + Sync + 'static {
    /// About how many bytes it takes, in memory and as JSON. Cheap, and rather too large.
    fn size(&self) -> usize;

    /// The document as compact JSON, none of its parts longer than `most` bytes: what does not fit goes into documents of
    /// its own.
    fn parts(&self, most: usize) -> Vec<Vec<u8>>;
}
