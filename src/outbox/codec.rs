use std::fmt;

/// How the records of a lane are written to a disk and read again. `R` is the record.
///
/// Whatever a record holds that nobody may see must be gone from its bytes: they are not encrypted, and lie on the disk
/// until the backend has them.
pub struct Codec<R> {
    encode: Box<Encode<R>>,
    decode: Box<Decode<R>>,
}

type Encode<R> = dyn Fn(R, &mut Vec<u8>) + Send + Sync;
type Decode<R> = dyn Fn(&[u8]) -> Option<R> + Send + Sync;

// ===== impl Codec =====

impl<R> Codec<R> {
    /// `encode` adds the bytes of a record to what is there; `decode` makes a record of them, or nothing of what it does not
    /// understand, such as the bytes of another version.
    ///
    /// Both run on threads that may block, and not on those of requests. If one panics, that record is lost as `panic`.
    pub fn new(
        encode: impl Fn(R, &mut Vec<u8>) + Send + Sync + 'static,
        decode: impl Fn(&[u8]) -> Option<R> + Send + Sync + 'static,
    ) -> Self {
        Self { encode: Box::new(encode), decode: Box::new(decode) }
    }

    /// The same for records of another type.
    #[cfg(feature = "otel")]
    pub(crate) fn of<T>(
        self,
        encoded: impl Fn(T) -> R + Send + Sync + 'static,
        decoded: impl Fn(R) -> T + Send + Sync + 'static,
    ) -> Codec<T>
    where
        R: 'static,
    {
        let Self { encode, decode } = self;
        Codec::new(move |record, to| encode(encoded(record), to), move |bytes| decode(bytes).map(&decoded))
    }

    pub(super) fn encode(&self, record: R, to: &mut Vec<u8>) {
        (self.encode)(record, to);
    }

    pub(super) fn decode(&self, bytes: &[u8]) -> Option<R> {
        (self.decode)(bytes)
    }
}

impl<R> fmt::Debug for Codec<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}
