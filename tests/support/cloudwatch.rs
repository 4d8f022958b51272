//! What stands in for CloudWatch Logs on a real socket: as strict as the service, in its words, with books of all that it
//! stored, and with every fault that is asked for.
//!
//! [`rules`] has what it takes, [`fault`] what may go wrong, [`oracle`] who knows what should have arrived.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "cloudwatch/fault.rs"]
pub(crate) mod fault;
#[path = "cloudwatch/ledger.rs"]
mod ledger;
#[path = "cloudwatch/oracle.rs"]
pub(crate) mod oracle;
#[path = "cloudwatch/rules.rs"]
pub(crate) mod rules;
#[path = "cloudwatch/signature.rs"]
mod signature;
#[path = "cloudwatch/socket.rs"]
mod socket;

use std::{
    future::pending,
    io::{self, Read as _},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use belvedere::aws::{Client, ClientBuilder, Service};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, Response, request};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

#[allow(unused_imports, reason = "each test uses a part of it")]
pub(crate) use self::{
    fault::{Call, Fault, by_chance},
    ledger::{Called, Group, Stored},
    oracle::{Oracle, Verdict},
    rules::{Event, Refusal},
};
use self::{
    ledger::Ledger,
    rules::{Ruling, refused},
    socket::Socket,
};

/// The double. Clones are the same one.
#[derive(Clone)]
pub(crate) struct CloudWatch {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    ledger: Ledger,
    faults: Faults,
    /// What its clock is ahead by, in milliseconds.
    ahead: i64,
    keys: Credentials,
}

type Faults = Arc<dyn Fn(&Call<'_>) -> Option<Fault> + Send + Sync>;

/// What is done with a connection after a call.
enum Reply {
    Answer(u16, String),
    Late(Duration, u16, String),
    Reset,
    Silence,
}

// ===== impl CloudWatch =====

impl CloudWatch {
    /// On a thread of its own, so that a test may block. It has no group yet.
    pub(crate) fn start() -> Self {
        let (cloudwatch, listener) = Self::bind();
        let serving = cloudwatch.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serving.serve(listener));
        });
        cloudwatch
    }

    /// On the runtime of the test, so that it may pause time.
    pub(crate) fn here() -> Self {
        let (cloudwatch, listener) = Self::bind();
        tokio::spawn(cloudwatch.clone().serve(listener));
        cloudwatch
    }

    fn bind() -> (Self, std::net::TcpListener) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let keys = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", None, None, "test");
        let state = State { ledger: Ledger::default(), faults: Arc::new(|_| None), ahead: 0, keys };
        let address = listener.local_addr().unwrap();
        (Self { address, state: Arc::new(Mutex::new(state)) }, listener)
    }

    /// With a group, and streams in it.
    pub(crate) fn with(self, group: &str, streams: &[&str]) -> Self {
        let streams = streams.iter().map(|&stream| stream.to_owned()).collect();
        self.state().ledger.groups.insert(group.to_owned(), Group { streams, ..Group::default() });
        self
    }

    // ----- how to reach it -----

    /// Its URL, as `AWS_ENDPOINT_URL` takes it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it takes for the region.
    pub(crate) fn region() -> &'static str {
        REGION
    }

    /// The credentials that it knows.
    pub(crate) fn keys(&self) -> Credentials {
        self.state().keys.clone()
    }

    /// It knows others from now on.
    pub(crate) fn change_keys(&self, keys: Credentials) {
        self.state().keys = keys;
    }

    /// A client of it, with the credentials that it knows.
    pub(crate) fn client(&self) -> Client {
        self.client_with(self.keys()).build().unwrap()
    }

    pub(crate) fn client_with(
        &self,
        credentials: impl aws_credential_types::provider::ProvideCredentials + 'static,
    ) -> ClientBuilder {
        let region = REGION.parse().unwrap();
        Client::builder(Service::LOGS, region, credentials).endpoint(self.url().parse().unwrap())
    }

    // ----- what it does -----

    /// Asked about each call, before it is done.
    pub(crate) fn faults(&self, faults: impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static) {
        self.state().faults = Arc::new(faults);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn mend(&self) {
        self.faults(|_| None);
    }

    /// A call with an event that has this in it is refused as `InvalidParameterException`.
    pub(crate) fn poison(&self, marker: &str) {
        self.state().ledger.poisons.push(marker.to_owned());
    }

    /// Sets its clock ahead, or back, in milliseconds.
    pub(crate) fn ahead(&self, milliseconds: i64) {
        self.state().ahead = milliseconds;
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.state().now()
    }

    pub(crate) fn delete_stream(&self, group: &str, stream: &str) {
        self.state().ledger.vanish_stream(group, stream);
    }

    pub(crate) fn delete_group(&self, group: &str) {
        self.state().ledger.vanish_group(group);
    }

    // ----- its books -----

    pub(crate) fn stored(&self) -> Vec<Stored> {
        self.state().ledger.stored.clone()
    }

    pub(crate) fn stored_count(&self) -> usize {
        self.state().ledger.stored.len()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.state().ledger.stored.iter().map(|one| one.message.clone()).collect()
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.state().ledger.calls.clone()
    }

    pub(crate) fn calls_of(&self, target: &str) -> Vec<Called> {
        self.calls().into_iter().filter(|call| call.target == target).collect()
    }

    pub(crate) fn group(&self, name: &str) -> Option<Group> {
        self.state().ledger.groups.get(name).cloned()
    }

    /// What broke a rule: its code and words. Of what is not there yet it says nothing: that is how it is made.
    pub(crate) fn refusals(&self) -> Vec<(String, String)> {
        let broken = self.calls().into_iter().filter(|call| !call.is_fault);
        broken
            .filter_map(|call| call.refusal)
            .filter(|(code, _)| code != "ResourceNotFoundException")
            .collect()
    }

    /// How many events are stored whose sender was not told.
    pub(crate) fn unanswered(&self) -> usize {
        self.calls().iter().filter(|call| call.status.is_none()).map(|call| call.stored).sum()
    }

    /// Waits until so many events are stored.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<Stored> {
        for _ in 0..2_000 {
            if self.stored_count() >= count {
                return self.stored();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} events should have arrived, not {}", self.stored_count());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn serve(self, listener: std::net::TcpListener) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let is_reset = Arc::<AtomicBool>::default();
            let (cloudwatch, reset) = (self.clone(), is_reset.clone());
            let service = service_fn(move |request| cloudwatch.clone().take(request, reset.clone()));
            let socket = TokioIo::new(Socket { stream, is_reset });
            tokio::spawn(http1::Builder::new().serve_connection(socket, service));
        }
    }

    async fn take(
        self,
        request: Request<Incoming>,
        is_reset: Arc<AtomicBool>,
    ) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        // Whoever leaves in the middle of a call has not made it.
        let sent = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let (reply, date) = {
            let mut state = self.state();
            (state.reply(&head, &sent), httpdate::fmt_http_date(state.now()))
        };
        match reply {
            Reply::Answer(status, body) => Ok(answer(status, body, &date)),
            Reply::Late(time, status, body) => {
                tokio::time::sleep(time).await;
                Ok(answer(status, body, &date))
            }
            Reply::Reset => {
                is_reset.store(true, Ordering::Relaxed);
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Reply::Silence => pending().await,
        }
    }
}

// ===== impl State =====

impl State {
    fn now(&self) -> SystemTime {
        let by = Duration::from_millis(self.ahead.unsigned_abs());
        if self.ahead < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }

    fn reply(&mut self, head: &request::Parts, sent: &[u8]) -> Reply {
        let (number, at) = (self.ledger.calls.len(), self.now());
        let target = target(&head.headers).unwrap_or_default().to_owned();
        let body = unpacked(&head.headers, sent);
        let call = body.as_ref().ok().and_then(|body| serde_json::from_slice(body).ok());
        let call: Value = call.unwrap_or_default();
        let events: Vec<Event> = serde_json::from_value(call["logEvents"].clone()).unwrap_or_default();
        let name = |name: &str| call[name].as_str();
        let (group, stream) = (name("logGroupName"), name("logStreamName"));
        let is_compressed = head.headers.contains_key("content-encoding");
        let asked = Call { target: &target, number, at, group, stream, is_compressed, events: &events };
        let fault = (self.faults)(&asked);
        match (&fault, group, stream) {
            (Some(Fault::VanishedStream), Some(group), Some(stream)) => {
                self.ledger.vanish_stream(group, stream);
            }
            (Some(Fault::VanishedGroup), Some(group), _) => self.ledger.vanish_group(group),
            _ => {}
        }
        let before = self.ledger.stored.len();
        let ruling = match &fault {
            Some(Fault::Refuse(refusal)) => Err(refusal.clone()),
            Some(fault) if !fault.lets_through() => Ok(String::new()),
            _ => self.act(head, sent, &target, &body, number),
        };
        let is_refused = matches!(fault, Some(Fault::Refuse(_)));
        let reply = reply(fault, &ruling);
        self.ledger.calls.push(Called {
            target,
            at,
            wire_bytes: sent.len(),
            bytes: body.map_or(0, |body| body.len()),
            events: events.len(),
            stored: self.ledger.stored.len() - before,
            status: match &reply {
                Reply::Answer(status, _) | Reply::Late(_, status, _) => Some(*status),
                Reply::Reset | Reply::Silence => None,
            },
            refusal: ruling.err().map(|refusal| (refusal.code, refusal.message)),
            is_fault: is_refused,
        });
        reply
    }

    fn act(
        &mut self,
        head: &request::Parts,
        sent: &[u8],
        target: &str,
        body: &Ruling<Vec<u8>>,
        number: usize,
    ) -> Ruling<String> {
        if (head.method.as_str(), head.uri.path()) != ("POST", "/") {
            return Err(refused("UnknownOperationException", format!("{} {}", head.method, head.uri)));
        }
        if head.headers.get("content-type").is_none_or(|value| value != "application/x-amz-json-1.1") {
            return Err(refused("SerializationException", "the content type is not that of JSON 1.1"));
        }
        signature::check(head, sent, &self.keys, REGION, self.now())?;
        let now = self.now();
        self.ledger.act(target, body.as_ref().map_err(Clone::clone)?, number, now)
    }
}

fn reply(fault: Option<Fault>, ruling: &Ruling<String>) -> Reply {
    let (status, body) = match ruling {
        Ok(body) => (200, body.clone()),
        Err(refusal) => (refusal.status, refusal.body()),
    };
    match fault {
        Some(Fault::Reset | Fault::StoreAndReset) => Reply::Reset,
        Some(Fault::Hang | Fault::StoreAndHang) => Reply::Silence,
        Some(Fault::Slow(time)) => Reply::Late(time, status, body),
        Some(Fault::Lie(info)) if status == 200 => {
            Reply::Answer(200, json!({ "rejectedLogEventsInfo": info }).to_string())
        }
        _ => Reply::Answer(status, body),
    }
}

fn target(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix("Logs_20140328.")
}

fn unpacked(headers: &HeaderMap, sent: &[u8]) -> Ruling<Vec<u8>> {
    match headers.get("content-encoding").map(|value| value.to_str().unwrap_or_default()) {
        None => Ok(sent.to_vec()),
        Some("gzip") => {
            let mut plain = Vec::new();
            let unpacked = GzDecoder::new(sent).read_to_end(&mut plain);
            unpacked.map_err(|error| refused("SerializationException", error.to_string()))?;
            Ok(plain)
        }
        Some(other) => Err(Refusal::new(415, "UnsupportedMediaType", other)),
    }
}

fn answer(status: u16, body: String, date: &str) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    answer.header("date", date).body(Full::new(body.into())).unwrap()
}

const REGION: &str = "eu-west-1";
