//! The JSON of a plain segment, written by hand: what serde writes of the same one, at a fifth of the price.

use std::io::Write as _;

use http::StatusCode;

use super::{Text, Time, Url, draft::Draft, http::known_method};
use crate::exchange::Head;

/// Writes a segment at the end of `into`. Nothing, after some of it perhaps, where it is to be written as others are: with
/// annotations and links, or cut.
pub(super) fn write(draft: &Draft, into: &mut Vec<u8>) -> Option<()> {
    if !draft.annotations.is_empty() || draft.other().is_some() {
        return None;
    }
    let (head, constant) = (draft.scope.known_head()?, draft.options.constant()?);
    put_entity(draft, into);
    put_request(draft, head, into)?;
    put_response(draft, into);
    into.extend_from_slice(constant.aws.as_bytes());
    if let Some(rule) = &draft.rule {
        put_string(br#","sampling_rule_name":"#, short(rule)?, into);
    }
    into.extend_from_slice(constant.rest.as_bytes());
    Some(())
}

fn put_entity(draft: &Draft, into: &mut Vec<u8>) {
    into.extend_from_slice(br#"{"trace_id":""#);
    into.extend_from_slice(&draft.trace_id.amzn().digits());
    if let Some(parent_id) = draft.parent_id {
        into.extend_from_slice(br#"","parent_id":""#);
        into.extend_from_slice(&parent_id.digits());
    }
    into.extend_from_slice(br#"","id":""#);
    into.extend_from_slice(&draft.id.digits());
    put_string(br#"","name":"#, draft.name(), into);
    let start = Time::from(draft.scope.started());
    into.extend_from_slice(br#","start_time":"#);
    start.write(into);
    into.extend_from_slice(br#","end_time":"#);
    start.after(draft.duration).write(into);
    for (is_up, flag) in [
        (draft.status.error, &br#","error":true"#[..]),
        (draft.status.throttle, br#","throttle":true"#),
        (draft.status.fault, br#","fault":true"#),
    ] {
        if is_up {
            into.extend_from_slice(flag);
        }
    }
}

fn put_request(draft: &Draft, head: &Head, into: &mut Vec<u8>) -> Option<()> {
    let scrubber = &draft.options.scrubber;
    // Other methods are what a client made up.
    put_string(br#","http":{"request":{"method":"#, known_method(head.method())?, into);
    let url = draft.url(head);
    put_string(br#","url":"#, short(&scrubber.url(&Url::shown(short(&url)?)))?, into);
    if let Some(agent) = head.user_agent() {
        put_string(br#","user_agent":"#, short(&scrubber.text(short(agent)?))?, into);
    }
    if let Some(address) = draft.address(head) {
        write!(into, r#","client_ip":"{address}""#).ok()?;
        if draft.is_forwarded() {
            into.extend_from_slice(br#","x_forwarded_for":true"#);
        }
    }
    into.push(b'}');
    Some(())
}

fn put_response(draft: &Draft, into: &mut Vec<u8>) {
    if let Some(response) = &draft.response {
        into.extend_from_slice(br#","response":{"#);
        let mut comma: &[u8] = b"";
        if let Some(status) = response.status {
            into.extend_from_slice(br#""status":"#);
            put_status(status, into);
            comma = b",";
        }
        if let Some(length) = response.content_length {
            into.extend_from_slice(comma);
            into.extend_from_slice(br#""content_length":"#);
            put_number(length, into);
        }
        into.push(b'}');
    }
    into.extend_from_slice(b"},");
}

fn put_status(status: u16, into: &mut Vec<u8>) {
    match StatusCode::from_u16(status) {
        Ok(status) => into.extend_from_slice(status.as_str().as_bytes()),
        Err(_) => put_number(status.into(), into),
    }
}

fn put_string(name: &[u8], text: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(name);
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // All bytes are looked at, which is faster than to stop at the first: so the compiler takes many at once.
    if text.bytes().fold(false, |any, byte| any | is_escaped(byte)) {
        return serde_json::to_writer(into, text).expect("a vector takes all bytes");
    }
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
}

/// Writes a number in its decimal digits.
pub(super) fn put_number(number: u64, into: &mut Vec<u8>) {
    let (mut digits, mut start, mut rest) = ([0; 20], 20, number);
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return into.extend_from_slice(&digits[start..]);
        }
    }
}

/// A text, unless it may have to be cut.
fn short(text: &str) -> Option<&str> {
    (text.len() <= Text::MOST).then_some(text)
}
