//! The JSON of a plain segment, written by hand: what serde writes of the same one, at a fifth of the price.

use http::StatusCode;

use super::{Text, Time, Url, annotated, constant::AFTER_RULE, draft::Draft, http::known_method};
use crate::{
    exchange::{AddressText, Head, Plain, PlainHost},
    scrub::bytes,
};

/// Writes a segment at the end of `into`. Nothing, after some of it perhaps, where it is to be written as others are: with
/// links, with secrets among its annotations, or cut.
pub(super) fn write(draft: &Draft, into: &mut Vec<u8>) -> Option<()> {
    if draft.other().is_some() {
        return None;
    }
    let (head, constant) = (draft.known.head()?, draft.options.constant()?);
    put_entity(draft, into);
    put_request(draft, head, into)?;
    put_response(draft, into);
    into.extend_from_slice(constant.aws.as_bytes());
    if let Some(rule) = &draft.rule {
        put_string(br#","sampling_rule_name":"#, short(rule)?, into);
    }
    into.extend_from_slice(AFTER_RULE.as_bytes());
    if !draft.annotations.is_empty() {
        annotated::write(&draft.annotations, &draft.options.scrubber, into)?;
    }
    into.extend_from_slice(constant.rest.as_bytes());
    Some(())
}

fn put_entity(draft: &Draft, into: &mut Vec<u8>) {
    let place = draft.place();
    into.extend_from_slice(br#"{"trace_id":""#);
    into.extend_from_slice(&place.trace_id.amzn().digits());
    if let Some(parent_id) = draft.parent_id {
        into.extend_from_slice(br#"","parent_id":""#);
        into.extend_from_slice(&parent_id.digits());
    }
    into.extend_from_slice(br#"","id":""#);
    into.extend_from_slice(&place.id.digits());
    put_string(br#"","name":"#, draft.name(), into);
    let start = Time::from(draft.known.started());
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
    let plain = head.plain(scrubber);
    // Other methods are what a client made up.
    put_string(br#","http":{"request":{"method":"#, known_method(head.method())?, into);
    if !put_plain_url(draft, head, plain, into) {
        let url = draft.url(head);
        put_string(br#","url":"#, short(&scrubber.url(&Url::shown(short(&url)?)))?, into);
    }
    if let Some(agent) = plain.user_agent.filter(|agent| agent.len() <= Text::MOST) {
        put_plain(br#","user_agent":""#, &[agent], into);
    } else if let Some(agent) = head.user_agent() {
        put_string(br#","user_agent":"#, short(&scrubber.text(short(agent)?))?, into);
    }
    if let Some(address) = draft.address(head) {
        into.extend_from_slice(br#","client_ip":""#);
        into.extend_from_slice(AddressText::of(address).as_bytes());
        into.push(b'"');
        if draft.is_forwarded() {
            into.extend_from_slice(br#","x_forwarded_for":true"#);
        }
    }
    into.push(b'}');
    Some(())
}

/// Writes a URL of which nothing has to be hidden or escaped; `false`: it may not be one.
fn put_plain_url(draft: &Draft, head: &Head, plain: Plain<'_>, into: &mut Vec<u8>) -> bool {
    let forwarded = draft.forwarded.as_deref();
    let is_told = forwarded.is_some_and(|forwarded| forwarded.host.is_some());
    let Plain { path: Some(path), host: Some(PlainHost { name, port }), .. } = plain else { return false };
    if is_told || name.len() + path.len() > Text::MOST - MARKS {
        return false;
    }
    let scheme = head.scheme(forwarded).as_bytes();
    let mut digits = itoa::Buffer::new();
    let port = port.map(|port| digits.format(port).as_bytes());
    let (colon, port) = port.map_or((&b""[..], &b""[..]), |port| (b":", port));
    put_plain(br#","url":""#, &[scheme, b"://", name, colon, port, path], into);
    true
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

pub(super) fn put_string(name: &[u8], text: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(name);
    if bytes::any(text, |byte| (byte < b' ') | (byte == b'"') | (byte == b'\\')) {
        return serde_json::to_writer(into, text).expect("a vector takes all bytes");
    }
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
}

/// A string of texts of which nothing is escaped, behind what stands before it, its quote included.
fn put_plain(before: &[u8], texts: &[&[u8]], into: &mut Vec<u8>) {
    into.extend_from_slice(before);
    texts.iter().for_each(|text| into.extend_from_slice(text));
    into.push(b'"');
}

pub(super) fn put_number(number: u64, into: &mut Vec<u8>) {
    into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A text, unless it may have to be cut.
pub(super) fn short(text: &str) -> Option<&str> {
    (text.len() <= Text::MOST).then_some(text)
}

/// As long as a scheme, what stands between the parts of a URL, and a port.
const MARKS: usize = 14;

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, SocketAddr},
        sync::Arc,
        time::Duration,
    };

    use http::{Extensions, HeaderMap, HeaderValue, Request};
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{
        exchange::{AddressPolicy, Forwarded, Hops, Peer, Value},
        trace::{Place, Scope, SpanId, TraceId},
        xray::{Response, SegmentLane, Status, XRayLayer, document::Parts as _, outgoing},
    };

    /// What a client says.
    #[derive(Clone, Debug)]
    struct Asked {
        method: String,
        path: String,
        headers: Vec<(&'static str, Vec<u8>)>,
        peer: Option<SocketAddr>,
    }

    /// What is decided about it, and answered.
    #[derive(Clone, Debug)]
    struct Answered {
        ids: (u128, u64, Option<u64>),
        name: Option<String>,
        rule: Option<String>,
        response: Option<(u16, u64)>,
        status: (bool, bool, bool),
        nanoseconds: u64,
        annotations: Vec<(String, Value)>,
    }

    fn asked() -> impl Strategy<Value = Asked> {
        let method = prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), "[A-Z]{1,9}"];
        let secrets = "/(token=[a-z]{9}|%22;|me@shop|[a-z]{40}|\\$\\{x\\}|é){0,9}";
        let path = prop_oneof!["/[a-z0-9/.%]{0,40}", secrets, "/[a-z]{240,260}"];
        let name = prop_oneof![
            Just("host"),
            Just("user-agent"),
            Just("x-forwarded-for"),
            Just("x-forwarded-host"),
            Just("x-forwarded-proto"),
        ];
        let value = prop_oneof![
            "[ -~]{0,40}",
            "[a-z.]{1,20}(:[0-9]{1,5})?",
            "(192\\.0\\.2\\.7|2001:db8::1)(, 10\\.0\\.0\\.1)?",
            "https?",
            "Bearer [A-Za-z0-9._-]{20,40}",
            "[a-z\"\\\\]{240,260}",
        ];
        let value = prop_oneof![8 => value.prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..40)];
        let peer = option::of(any::<(IpAddr, u16)>().prop_map(SocketAddr::from));
        (method, path, vec((name, value), 0..6), peer).prop_map(|(method, path, headers, peer)| Asked {
            method,
            path,
            headers,
            peer,
        })
    }

    fn answered() -> impl Strategy<Value = Answered> {
        let ids = (1_u128.., 1_u64.., option::of(1_u64..));
        let name = option::of("[a-z.:]{1,20}");
        let rule = option::of(prop_oneof!["[ -~]{1,30}", ".{1,9}", ".{240,260}"]);
        let response = option::of((any::<u16>(), any::<u64>()));
        let nanoseconds = prop_oneof![any::<u64>(), 0..100_000_000_000_u64];
        (ids, name, rule, response, any::<(bool, bool, bool)>(), nanoseconds, annotations()).prop_map(
            |(ids, name, rule, response, status, nanoseconds, annotations)| Answered {
                ids,
                name,
                rule,
                response,
                status,
                nanoseconds,
                annotations,
            },
        )
    }

    fn annotations() -> impl Strategy<Value = Vec<(String, Value)>> {
        let key = prop_oneof![
            20 => "[a-z]{1,3}[._-][a-z0-9_]{1,9}",
            20 => "[a-zA-Z0-9_]{1,9}",
            1 => "(user_id|pin|pass/word|é|\"|[ -~]{0,9})",
        ];
        let value = prop_oneof![
            20 => any::<i64>().prop_map(Value::from),
            20 => any::<f64>().prop_filter("a number", |float| float.is_finite()).prop_map(Value::from),
            20 => any::<bool>().prop_map(Value::from),
            20 => "[a-z0-9 .:/-]{0,30}".prop_map(Value::from),
            1 => "(token=x|\"|é|x{1001}|x{251}|NaN)".prop_map(Value::from),
            1 => Just(Value::from(f64::NAN)),
        ];
        prop_oneof![3 => Just(Vec::new()), 2 => vec((key.clone(), value.clone()), 1..5), 1 => vec((key, value), 48..64)]
    }

    fn request(asked: &Asked) -> Option<http::request::Parts> {
        let method = asked.method.as_str();
        let mut request = Request::builder().method(method).uri(&asked.path).body(()).ok()?.into_parts().0;
        let value = |value: &[u8]| HeaderValue::from_bytes(value).ok();
        let headers = asked.headers.iter();
        let headers = headers.filter_map(|(name, text)| Some((name.parse().unwrap(), value(text)?)));
        request.headers = headers.collect::<HeaderMap>();
        if let Some(peer) = asked.peer {
            request.extensions.insert(Peer(peer));
        }
        Some(request)
    }

    fn draft(layer: &XRayLayer, asked: &Asked, answered: &Answered) -> Option<Draft> {
        let request = request(asked)?;
        let mut scope = Scope::enter(&Extensions::new());
        scope.head(&request);
        let Answered { ids: (trace_id, id, parent_id), name, rule, response, status, nanoseconds, .. } =
            answered;
        let (error, throttle, fault) = *status;
        scope.take_place(Place::new(TraceId::new(*trace_id)?, SpanId::new(*id)?, true));
        Some(Draft {
            options: layer.options().clone(),
            known: scope.keep(),
            parent_id: parent_id.and_then(SpanId::new),
            name: name.clone().map(|name| Box::new(crate::xray::Name::from(name))),
            rule: rule.clone().map(Arc::from),
            forwarded: Forwarded::read(layer.options().hops, &request.headers),
            peer: None,
            response: response.map(|(status, length)| {
                let mut response = Response::default();
                (response.status, response.content_length) = (Some(status), Some(length));
                response
            }),
            status: Status { error, throttle, fault },
            duration: Duration::from_nanos(*nanoseconds),
            annotations: answered
                .annotations
                .iter()
                .map(|(key, value)| (key.clone().into(), value.clone()))
                .collect(),
        })
    }

    fn layers() -> impl Strategy<Value = XRayLayer> {
        let version = option::of(prop_oneof!["[0-9.]{1,9}", ".{245,255}"]);
        let policy = prop_oneof![
            Just(AddressPolicy::Full),
            Just(AddressPolicy::Anonymized),
            Just(AddressPolicy::None)
        ];
        (version, vec("/[a-z]{1,9}", 0..3), 0..3_usize, policy).prop_map(|(version, groups, hops, policy)| {
            let layer = XRayLayer::on("the shop", SegmentLane::none());
            let layer = layer.trusted_hops(Hops::from(hops)).addresses(policy);
            let layer = groups.into_iter().fold(layer, XRayLayer::log_group);
            version.into_iter().fold(layer, XRayLayer::version)
        })
    }

    fn by_hand(draft: &Draft, most: usize) -> Option<String> {
        let mut written = b"before".to_vec();
        let is_written = draft.write(most, &mut written);
        assert_eq!(is_written, written.len() > 6, "it writes all of it, or nothing");
        is_written.then(|| String::from_utf8(written.split_off(6)).unwrap())
    }

    fn by_serde(draft: &Draft, most: usize) -> Vec<String> {
        let parts = outgoing::drafted(draft).parts(most);
        parts.into_iter().map(|part| String::from_utf8(part).unwrap()).collect()
    }

    /// A request that is like most of them.
    fn usual() -> (Asked, Answered) {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        let asked = Asked {
            method: "GET".to_owned(),
            path: "/carts/17?token=secret".to_owned(),
            headers: vec![("host", b"shop.example:8443".to_vec()), ("user-agent", agent.into())],
            peer: Some(([192, 0, 2, 7], 4711).into()),
        };
        let answered = Answered {
            ids: (7 << 96 | 1, 1, Some(2)),
            name: None,
            rule: Some("a \"rule\"".to_owned()),
            response: Some((404, 5)),
            status: (true, false, false),
            nanoseconds: 12_000_500,
            annotations: Vec::new(),
        };
        (asked, answered)
    }

    #[test]
    fn a_usual_segment_is_written_by_hand_as_long_as_it_fits() {
        let layer = XRayLayer::on("shop", SegmentLane::none()).version("1.2.3").log_group("/shop");
        let (asked, answered) = usual();
        let draft = draft(&layer, &asked, &answered).unwrap();
        let written = by_hand(&draft, 64_000).unwrap();
        assert_eq!(by_serde(&draft, 64_000), std::slice::from_ref(&written));
        assert!(
            written.contains(r#""url":"http://shop.example:8443/carts/17","user_agent":"Mozilla"#),
            "{written}"
        );
        assert_eq!(by_hand(&draft, written.len()), Some(written.clone()));
        assert_eq!(by_hand(&draft, written.len() - 1), None);
    }

    #[test]
    fn a_layer_that_is_changed_forgets_what_it_has_written_of_itself() {
        let (asked, answered) = usual();
        let written = |layer: &XRayLayer| by_hand(&draft(layer, &asked, &answered).unwrap(), 64_000).unwrap();
        let layer = XRayLayer::on("shop", SegmentLane::none());
        assert!(!written(&layer).contains("1.2.3"));
        assert!(written(&layer.version("1.2.3")).contains("1.2.3"));
    }

    #[test]
    fn annotations_are_written_by_hand_unless_one_is_hidden() {
        let layer = XRayLayer::on("shop", SegmentLane::none());
        let (asked, mut answered) = usual();
        answered.annotations = vec![("cart.id".into(), 17.into()), ("user_id".into(), "worf".into())];
        let written = |answered: &Answered| by_hand(&draft(&layer, &asked, answered).unwrap(), 64_000);
        let shown = written(&answered).unwrap();
        assert!(
            shown.contains(r#","annotations":{"cart_id":17,"user_id":"worf"},"user":"worf","service""#),
            "{shown}"
        );
        answered.annotations.extend((0..60).map(|fact| (format!("fact-{fact}"), fact.into())));
        let draft = draft(&layer, &asked, &answered).unwrap();
        let shown = by_hand(&draft, 64_000).unwrap();
        assert!(shown.contains(r#","belvedere":{"moved":12}},"user""#), "{shown}");
        assert_eq!(by_serde(&draft, 64_000), [shown]);
        for key in ["cart_id", "fact_7", "pin", "a/b"] {
            let mut answered = answered.clone();
            answered.annotations.push((key.to_owned(), 17.into()));
            assert_eq!(written(&answered), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_by_hand_is_what_serde_writes(
            layer in layers(),
            asked in asked(),
            answered in answered(),
            most in prop_oneof![Just(64_000_usize), 300..900_usize],
        ) {
            let Some(draft) = draft(&layer, &asked, &answered) else { return Ok(()) };
            if let Some(written) = by_hand(&draft, most) {
                prop_assert_eq!(by_serde(&draft, most), [written]);
            }
        }
    }
}
