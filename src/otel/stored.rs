//! Messages of OTLP as they lie on the disk: a byte that says how, and the message.

use prost::Message;

/// Adds the bytes of a message to what is there.
pub(super) fn write(message: &impl Message, to: &mut Vec<u8>) {
    to.push(PROTOBUF);
    message.encode(to).expect("a vector takes all bytes");
}

/// Adds the bytes of a message that `write` adds, if it does.
pub(super) fn write_straight(write: impl FnOnce(&mut Vec<u8>) -> bool, to: &mut Vec<u8>) -> bool {
    let start = to.len();
    to.push(PROTOBUF);
    let is_written = write(to);
    if !is_written {
        to.truncate(start);
    }
    is_written
}

/// The message; nothing of what was written in another way.
pub(super) fn read<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    let (&PROTOBUF, message) = bytes.split_first()? else { return None };
    M::decode(message).ok()
}

const PROTOBUF: u8 = 1;
