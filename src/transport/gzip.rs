use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Compresses bodies, fast rather than small. The working memory of one of them, about 300 KiB, is kept for the next: to
/// make it anew for each costs more than to compress a small one.
#[derive(Debug, Default)]
pub(crate) struct Gzip {
    idle: Mutex<Option<Compress>>,
}

// ===== impl Gzip =====

impl Gzip {
    /// The same bytes as a gzip file.
    pub(crate) fn compress(&self, plain: &[u8]) -> Bytes {
        let mut compress =
            self.take().unwrap_or_else(|| Compress::new_gzip(Compression::fast(), WINDOW_BITS));
        let compressed = run(&mut compress, plain);
        compress.reset();
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(compress);
        compressed.into()
    }

    fn take(&self) -> Option<Compress> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn run(compress: &mut Compress, plain: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(plain.len() / 4 + LEAST);
    loop {
        let rest = &plain[usize::try_from(compress.total_in()).expect("it is within the plain bytes")..];
        let status = compress.compress_vec(rest, &mut compressed, FlushCompress::Finish);
        if status.expect("a whole input can be compressed") == Status::StreamEnd {
            return compressed;
        }
        compressed.reserve(compressed.len().max(LEAST));
    }
}

/// The largest window, which is what readers of gzip files have room for.
const WINDOW_BITS: u8 = 15;

/// More than the header and the trailer take.
const LEAST: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::MultiGzDecoder;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn read(compressed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        MultiGzDecoder::new(compressed).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn what_was_compressed_before_leaves_no_trace() {
        let gzip = Gzip::default();
        let text = "GET /carts/17 ".repeat(9_000);
        let first = gzip.compress(text.as_bytes());
        gzip.compress(b"something else");
        assert_eq!(gzip.compress(text.as_bytes()), first);
        assert!(first.len() < text.len() / 50, "{}", first.len());
    }

    #[test]
    fn the_working_memory_is_allocated_once() {
        let gzip = Gzip::default();
        drop(gzip.compress(b"the first"));
        let info = allocation_counter::measure(|| drop(gzip.compress(b"the second")));
        assert!(info.bytes_max < 256, "{info:?}");
    }

    proptest! {
        #[test]
        fn it_reads_back(bodies in vec(prop_oneof![vec(any::<u8>(), 0..3_000), vec(0..3_u8, 0..100_000)], 1..4)) {
            let gzip = Gzip::default();
            for body in bodies {
                prop_assert_eq!(read(&gzip.compress(&body)), body);
            }
        }
    }
}
