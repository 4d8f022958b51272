use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Http, Link, Losses, Name, Request, Response, Segment, Status, Text, Url, document, options::Options,
    plain,
};
use crate::{
    exchange::{Forwarded, Head, SharedPairs, Value},
    outbox::Price,
    trace::{Known, Other, Place, SpanId},
};

/// An exchange that is over, on its way to becoming a segment. What of that is costly is done on the outbox's thread.
///
/// It is moved a few times, and many of them wait: it is small.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) options: Arc<Options>,
    pub(super) known: Known,
    pub(super) parent_id: Option<SpanId>,
    /// The host that was asked for, where that gives the name.
    pub(super) name: Option<Box<Name>>,
    pub(super) rule: Option<Arc<str>>,
    pub(super) forwarded: Option<Box<Forwarded>>,
    /// The socket's other end, where the user says it.
    pub(super) peer: Option<Box<IpAddr>>,
    pub(super) response: Option<Response>,
    pub(super) status: Status,
    pub(super) duration: Duration,
    pub(super) annotations: SharedPairs,
}

// ===== impl Draft =====

impl Draft {
    pub(super) fn name(&self) -> &Name {
        self.name.as_deref().unwrap_or_else(|| self.options.naming.fixed())
    }

    /// Its ids.
    pub(super) fn place(&self) -> &Place {
        self.known.place().expect("it was taken when the request arrived")
    }

    /// About how many bytes it takes. What its exchange shares lives as long as it does.
    pub(super) fn size(&self) -> usize {
        let Self { known, name, annotations, .. } = self;
        let texts = annotations.iter().map(|(key, value)| match value {
            Value::Text(text) => PAIR + key.len() + text.len(),
            _ => PAIR + key.len(),
        });
        size_of::<Self>()
            + SHARED
            + known.head().map_or(0, Head::size)
            + name.as_ref().map_or(0, |name| name.len())
            + texts.sum::<usize>()
    }

    pub(super) fn price(&self) -> Price {
        document::price(self.place().trace_id, self.name(), self.status, None, self.duration)
    }

    /// Writes it as JSON of at most `most` bytes at the end of `into`, if nothing about it is unusual; else writes nothing.
    pub(super) fn write(&self, most: usize, into: &mut Vec<u8>) -> bool {
        let start = into.len();
        let is_written = plain::write(self, into).is_some() && into.len() - start <= most;
        if !is_written {
            into.truncate(start);
        }
        is_written
    }

    /// The segment, not scrubbed.
    pub(super) fn segment(&self) -> Segment {
        let started = self.known.started();
        let &Place { trace_id, id, .. } = self.place();
        let mut segment = Segment::new(trace_id, id, self.name().clone(), started);
        segment.entity.status = self.status;
        segment.entity.end(self.duration);
        self.complete(&mut segment);
        segment
    }

    /// Adds what the exchange itself says to what code inside of it has said.
    pub(super) fn complete(&self, segment: &mut Segment) {
        segment.parent_id = self.parent_id;
        if let Some(other) = self.other() {
            relate(segment, other);
        }
        let request = self.known.head().map(|head| self.asked(head));
        segment.entity.http = Some(Http { request, response: self.response.clone() });
        self.options.describe(segment, self.rule.as_deref());
        for (key, value) in &self.annotations {
            if key == USER && segment.user.is_none() {
                segment.user = Some(Text::whole(value.to_string(), |user| self.options.scrubber.text(user)));
            }
            let (key, value) = (key.clone(), value.clone());
            segment.entity.annotations.insert_whole(key, value, &self.options.scrubber);
        }
    }

    /// The other trace that the request belongs to.
    pub(super) fn other(&self) -> Option<Other> {
        self.known.identity()?.other()
    }

    fn asked(&self, head: &Head) -> Request {
        let scrubber = &self.options.scrubber;
        let mut asked = Request::new(head.method(), Url::whole(self.url(head), scrubber));
        if let Some(address) = self.address(head) {
            asked.client_ip = Some(address.to_string().into());
            asked.x_forwarded_for = self.is_forwarded();
        }
        let agent = head.user_agent();
        asked.user_agent = agent.map(|agent| Text::whole(agent.to_owned(), |agent| scrubber.text(agent)));
        asked
    }

    /// Protocol, host and path, without what the route calls a secret.
    pub(super) fn url(&self, head: &Head) -> String {
        let is_secret = |name: &str| self.options.scrubber.is_secret(name);
        let hidden = head.route().and_then(|route| route.redact(head.path(), is_secret));
        let path = hidden.as_deref().unwrap_or_else(|| head.path());
        let forwarded = self.forwarded.as_deref();
        let scheme = head.scheme(forwarded);
        let Some(host) = head.host(forwarded) else { return path.to_owned() };
        let mut url = String::with_capacity(scheme.len() + host.name.len() + path.len() + MARKS);
        url.push_str(scheme);
        url.push_str("://");
        host.push_to(&mut url);
        url.push_str(path);
        url
    }

    /// The client's address as it may be shown.
    pub(super) fn address(&self, head: &Head) -> Option<IpAddr> {
        let forwarded = self.forwarded.as_ref().and_then(|forwarded| forwarded.client);
        let address =
            forwarded.or_else(|| self.peer.as_deref().copied()).or_else(|| head.peer().map(|peer| peer.ip()));
        self.options.addresses.apply(address?)
    }

    /// Whether a proxy has told the client's address.
    pub(super) fn is_forwarded(&self) -> bool {
        self.forwarded.as_ref().is_some_and(|forwarded| forwarded.client.is_some())
    }
}

/// Notes the other trace that the request belongs to: as a link, if it names a place in it.
fn relate(segment: &mut Segment, other: Other) {
    match other.span_id {
        Some(id) => segment.links.push(Link::new(other.trace_id, id)),
        None => {
            let trace_id = other.trace_id.amzn().to_string();
            segment.entity.metadata.insert(Losses::NAMESPACE, "other_trace", trace_id);
        }
    }
}

/// What stands between the parts of a URL, and a port.
const MARKS: usize = 11;

/// The annotation that names who asks.
pub(super) const USER: &str = "user_id";

/// About what the part of an exchange takes that all backends share.
const SHARED: usize = 1280;

const PAIR: usize = 64;
