//! What the X-Ray daemon hears: datagrams of a line that says what they are, and a document.
//!
//! ```text
//!  socket ──► hear ──► at most so many bytes ──► keep, on a thread of its own ──► store
//!             never waits for a reader                 a batch at a time
//! ```
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::console::receive::document;
use crate::console::state::State;

/// A datagram, and its share of the memory for those that wait.
type Heard = (Bytes, OwnedSemaphorePermit);

/// Listens until it is dropped.
pub(in crate::console) async fn listen(socket: UdpSocket, state: Arc<State>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    drop(tokio::spawn(keep(receiver, state.clone())));
    hear(socket, &state, sender).await;
}

/// Empties the socket, whose own memory is small; what finds no room is lost, as it is with the daemon.
async fn hear(socket: UdpSocket, state: &State, heard: mpsc::Sender<Heard>) {
    let room = Arc::new(Semaphore::new(ROOM));
    let mut buffer = vec![0; LARGEST];
    loop {
        let Ok((length, _)) = socket.recv_from(&mut buffer).await else {
            // Out of memory, mostly: it comes back.
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let share = u32::try_from(length + OVERHEAD).unwrap_or(u32::MAX);
        let waits = room
            .clone()
            .try_acquire_many_owned(share)
            .is_ok_and(|permit| heard.try_send((Bytes::copy_from_slice(&buffer[..length]), permit)).is_ok());
        if !waits {
            state.store().door.garbage += 1;
        }
    }
}

async fn keep(mut heard: mpsc::Receiver<Heard>, state: Arc<State>) {
    let mut batch = Vec::new();
    while heard.recv_many(&mut batch, BATCH).await > 0 {
        let (datagrams, reader) = (std::mem::take(&mut batch), state.clone());
        // Reading is work: the thread that serves stays free for pages.
        let read = tokio::task::spawn_blocking(move || take(&reader, &datagrams));
        let _ = read.await;
        state.announce();
    }
}

fn take(state: &State, datagrams: &[Heard]) {
    let documents = datagrams.iter().filter_map(|(datagram, _)| document::read(body(datagram)?).ok());
    let documents: Vec<_> = documents.collect();
    let garbage = datagrams.len() - documents.len();
    let mut store = state.store();
    let refused = store.receive_documents(documents);
    store.door.garbage += (garbage + refused.len()) as u64;
}

/// What follows a header that the daemon takes: `{"format":"json","version":1}` and a line feed.
fn body(datagram: &[u8]) -> Option<&[u8]> {
    let end = datagram.iter().position(|byte| *byte == b'\n')?;
    let (header, body) = (&datagram[..end], &datagram[end + 1..]);
    let header: Map<String, Value> = serde_json::from_slice(header).ok()?;
    // Go reads the names of members in any case.
    let member = |name: &str| header.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    let (_, format) = member("format")?;
    let (_, version) = member("version")?;
    let is_json = format.as_str().is_some_and(|format| format.eq_ignore_ascii_case("json"));
    (is_json && version.as_u64() == Some(1)).then_some(body)
}

/// No datagram is larger.
const LARGEST: usize = 64 << 10;
const BATCH: usize = 256;
const WAITING: usize = 8 << 10;
/// How many bytes may wait.
const ROOM: usize = 16 << 20;
const OVERHEAD: usize = 128;
const BREATH: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_taken_as_the_daemon_takes_it() {
        for header in [
            r#"{"format": "json", "version": 1}"#,
            r#"{"format":"json","version":1}"#,
            r#"{"format":"JSON","version":1}"#,
            r#"{"format":"json","version":1,"more":[]}"#,
            "{\"format\":\"json\",\"version\":1}\r",
        ] {
            assert_eq!(body(format!("{header}\n{{\n}}").as_bytes()), Some(&b"{\n}"[..]), "{header}");
        }
        for header in [
            r#"{"format":"json","version":2}"#,
            r#"{"format":"json","version":"1"}"#,
            r#"{"format":"json","version":1.5}"#,
            r#"{"format":"xml","version":1}"#,
            r#"{"format":"json"}"#,
            r#"{"version":1}"#,
            "hello",
            "",
        ] {
            assert_eq!(body(format!("{header}\n{{}}").as_bytes()), None, "{header}");
        }
        assert_eq!(body(br#"{"format":"json","version":1}{}"#), None, "no line feed");
        assert_eq!(body(&[0xff; 100]), None);
    }
}
