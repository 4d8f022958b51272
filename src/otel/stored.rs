//! Messages of OTLP as they lie on the disk: a byte that says how, and the message.

use prost::Message;

/// Adds the bytes of a message to what is there.
pub(super) fn write(message: &impl Message, to: &mut Vec<u8>) {
    to.push(PROTOBUF);
    message.encode(to).expect("a vector takes all bytes");
}

/// The message; nothing of what was written in another way.
pub(super) fn read<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    let (&PROTOBUF, message) = bytes.split_first()? else { return None };
    M::decode(message).ok()
}

const PROTOBUF: u8 = 1;
