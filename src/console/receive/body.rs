//! Takes a body in within limits: as many bytes as sent, as many unpacked, and so much time.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{self, HeaderMap};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::console::receive::refusal::Refusal;

/// A body as it was sent.
#[derive(Debug)]
pub(super) struct Sent {
    bytes: Bytes,
    packed: bool,
}

pub(super) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Sent, Refusal> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()).unwrap_or_default();
    let packed = match encoding.to_ascii_lowercase().as_slice() {
        b"" | b"identity" => false,
        b"gzip" => true,
        other => return Err(Refusal::ContentEncoding(String::from_utf8_lossy(other).into_owned())),
    };
    let bytes = tokio::time::timeout(PATIENCE, collect(body)).await.unwrap_or(Err(Refusal::TooSlow))?;
    Ok(Sent { bytes, packed })
}

// ===== impl Sent =====

impl Sent {
    /// Takes its time where it was packed.
    pub(super) fn unpack(self) -> Result<Bytes, Refusal> {
        if self.packed { unpack(&self.bytes) } else { Ok(self.bytes) }
    }
}

/// Reads on past the limit, up to a second one, because a client that is still writing does not see the answer.
async fn collect(mut body: Incoming) -> Result<Bytes, Refusal> {
    let mut bytes = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Broken(error.to_string()))?;
        let data = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
        seen += data.len();
        if seen > ENDURED {
            break;
        }
        if seen <= SENT { bytes.extend_from_slice(data) } else { bytes = Vec::new() }
    }
    if seen > SENT { Err(Refusal::TooLarge) } else { Ok(bytes.into()) }
}

fn unpack(packed: &[u8]) -> Result<Bytes, Refusal> {
    let mut bytes = Vec::new();
    let mut bounded = MultiGzDecoder::new(packed).take(UNPACKED + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| Refusal::Garbage(format!("not gzip: {error}")))?;
    if bytes.len() as u64 > UNPACKED { Err(Refusal::TooLarge) } else { Ok(bytes.into()) }
}

const SENT: usize = 16 << 20;
const ENDURED: usize = 64 << 20;
const UNPACKED: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(20);
