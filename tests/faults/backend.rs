//! What stands in for all four backends at once on a real socket, and fails in every way that it is asked to.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "dialect.rs"]
pub(crate) mod dialect;
#[path = "fault.rs"]
pub(crate) mod fault;
#[path = "oracle.rs"]
pub(crate) mod oracle;
#[path = "../support/cloudwatch/rules.rs"]
mod rules;
#[path = "../support/cloudwatch/socket.rs"]
mod socket;

use std::{
    collections::BTreeMap,
    future::pending,
    io::{self, Read as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, Response, header, request};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    runtime::{self, Handle},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};

use self::{
    dialect::{Answer, Asked, Kind},
    fault::{Call, Door, Fault},
    oracle::Books,
    socket::Socket,
};

/// The double. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    runtime: Handle,
    state: Arc<Mutex<State>>,
    /// It keeps the port while nobody listens.
    _port: Arc<socket2::Socket>,
}

/// A call, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) kind: Kind,
    pub(crate) at: Instant,
    pub(crate) records: usize,
    pub(crate) stored: usize,
    /// The bytes of the largest of them.
    pub(crate) largest: usize,
    /// The status of the answer; none where the connection broke or nothing was said.
    pub(crate) status: Option<u16>,
}

struct State {
    faults: Faults,
    books: BTreeMap<Kind, Books>,
    /// The first million.
    calls: Vec<Called>,
    /// How many there were.
    counts: BTreeMap<Kind, usize>,
    /// How many records are stored whose sender was not told.
    in_doubt: u64,
    /// What its clock is ahead by, in seconds.
    ahead: i64,
    serving: Option<JoinHandle<()>>,
}

type Faults = Arc<dyn Fn(&Call) -> Option<Fault> + Send + Sync>;

/// What is done with a connection after a call.
enum Reply {
    Answer(Answer),
    Late(Duration, Answer),
    Reset,
    Silence,
}

/// A call that was done, whose sender does not know it yet.
struct Done {
    call: usize,
    kind: Kind,
    numbers: Vec<u64>,
}

// ===== impl Backend =====

impl Backend {
    /// On a thread of its own.
    pub(crate) async fn start() -> Self {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            send.send(runtime.handle().clone()).unwrap();
            runtime.block_on(pending::<()>());
        });
        Self::on(receive.recv().unwrap()).await
    }

    /// On the runtime of the test, so that it may pause time.
    pub(crate) async fn here() -> Self {
        Self::on(Handle::current()).await
    }

    async fn on(runtime: Handle) -> Self {
        let port = socket("127.0.0.1:0".parse().unwrap());
        let state = State {
            faults: Arc::new(|_| None),
            books: BTreeMap::new(),
            calls: Vec::new(),
            counts: BTreeMap::new(),
            in_doubt: 0,
            ahead: 0,
            serving: None,
        };
        let address = port.local_addr().unwrap().as_socket().unwrap();
        let backend = Self { address, runtime, state: Arc::new(Mutex::new(state)), _port: Arc::new(port) };
        backend.door(Door::Open).await;
        backend
    }

    // ----- what it does -----

    /// Asked about each call, before it is done.
    pub(crate) fn faults(&self, faults: impl Fn(&Call) -> Option<Fault> + Send + Sync + 'static) {
        self.state().faults = Arc::new(faults);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn mend(&self) {
        self.faults(|_| None);
    }

    /// Sets its clock ahead, or back, in seconds.
    pub(crate) fn ahead(&self, seconds: i64) {
        self.state().ahead = seconds;
    }

    /// Ends every connection, and treats the next ones so.
    pub(crate) async fn door(&self, door: Door) {
        let serving = self.state().serving.take();
        if let Some(serving) = serving {
            serving.abort();
            let _ = serving.await;
        }
        let serving = match door {
            Door::Closed => return,
            Door::Open => self.runtime.spawn(self.clone().serve(self.listen(1024))),
            Door::Walled => {
                let wall = wall(self.listen(0), self.address);
                self.runtime.spawn(async move {
                    let _wall = wall;
                    pending::<()>().await;
                })
            }
            Door::Deaf => self.runtime.spawn(ignore(self.listen(1024))),
        };
        self.state().serving = Some(serving);
    }

    // ----- its books -----

    pub(crate) fn books(&self, kind: Kind) -> Books {
        self.state().books.get(&kind).cloned().unwrap_or_default()
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.state().calls.clone()
    }

    /// How many records are stored whose sender was not told.
    pub(crate) fn unanswered(&self) -> u64 {
        self.state().in_doubt
    }

    /// Waits until so many calls have come.
    pub(crate) async fn called(&self, count: usize) -> Vec<Called> {
        for _ in 0..20_000 {
            if self.state().calls.len() >= count {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        assert!(self.state().calls.len() >= count, "{count} calls should have come");
        self.calls()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn listen(&self, backlog: i32) -> std::net::TcpListener {
        let socket = socket(self.address);
        socket.listen(backlog).unwrap();
        socket.into()
    }

    async fn serve(self, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).unwrap();
        // They end with it.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            while connections.try_join_next().is_some() {}
            let is_reset = Arc::<AtomicBool>::default();
            let (backend, reset) = (self.clone(), is_reset.clone());
            let service = service_fn(move |request| backend.clone().take(request, reset.clone()));
            let socket = TokioIo::new(Socket { stream, is_reset });
            connections.spawn(async move {
                let _ = http1::Builder::new().serve_connection(socket, service).await;
            });
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
        let (reply, done) = self.state().reply(&head, &unpacked(&head, &sent));
        let answer = match reply {
            Reply::Answer(answer) => answer,
            Reply::Late(time, answer) => {
                sleep(time).await;
                answer
            }
            Reply::Reset => {
                is_reset.store(true, Ordering::Relaxed);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Reply::Silence => pending().await,
        };
        Ok(self.state().confirm(done, answer))
    }
}

// ===== impl State =====

impl State {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.ahead.unsigned_abs());
        if self.ahead < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }

    fn reply(&mut self, head: &request::Parts, body: &[u8]) -> (Reply, Option<Done>) {
        let Some(kind) = Kind::of(head) else {
            panic!("nobody is asked for this: {} {}", head.method, head.uri);
        };
        let asked = kind.read(head, body, self.now());
        let (records, largest) = asked.as_ref().map_or((0, 0), Asked::extent);
        let count = self.counts.entry(kind).or_default();
        let number = *count;
        *count += 1;
        let fault = (self.faults)(&Call { kind, number, records });
        let call = self.calls.len();
        let mut called = Called { kind, at: Instant::now(), records, stored: 0, largest, status: None };
        let paths = match (&fault, &asked) {
            (Some(fault), _) if !fault.stores() => &[],
            (Some(Fault::Part(refused)), Ok(Asked::Store { paths, .. })) => &paths[(*refused).min(records)..],
            (_, Ok(Asked::Store { paths, .. })) => &paths[..],
            (_, _) => &[],
        };
        let numbers = self.books.entry(kind).or_default().store(paths);
        called.stored = numbers.len();
        self.in_doubt += numbers.len() as u64;
        if call < MOST_CALLS {
            self.calls.push(called);
        }
        let answer = asked.map(|_| kind.accepted()).unwrap_or_else(|refusal| *refusal);
        (reply(kind, fault, answer, records), Some(Done { call, kind, numbers }))
    }

    /// The sender hears of it.
    fn confirm(&mut self, done: Option<Done>, mut answer: Answer) -> Answer {
        let date = httpdate::fmt_http_date(self.now()).parse().unwrap();
        answer.headers_mut().insert(header::DATE, date);
        if let Some(Done { call, kind, numbers }) = done {
            self.in_doubt -= numbers.len() as u64;
            if let Some(call) = self.calls.get_mut(call) {
                call.status = Some(answer.status().as_u16());
            }
            self.books.entry(kind).or_default().confirm(&numbers);
        }
        answer
    }
}

// ===== impl Asked =====

impl Asked {
    /// How many records there are, and the bytes of the largest.
    fn extent(&self) -> (usize, usize) {
        match self {
            Self::Store { paths, largest } => (paths.len(), *largest),
            Self::Other => (0, 0),
        }
    }
}

fn reply(kind: Kind, fault: Option<Fault>, answer: Answer, records: usize) -> Reply {
    match fault {
        None => Reply::Answer(answer),
        Some(Fault::Status(status)) => Reply::Answer(kind.refused(status)),
        Some(Fault::Throttled) => Reply::Answer(kind.throttled()),
        Some(Fault::Expired) => Reply::Answer(kind.expired()),
        Some(Fault::Denied) => Reply::Answer(kind.denied()),
        Some(Fault::Reset | Fault::StoreAndReset) => Reply::Reset,
        Some(Fault::Hang) => Reply::Silence,
        Some(Fault::Slow(time)) => Reply::Late(time, answer),
        Some(Fault::Lie(lie)) => Reply::Answer(kind.lie(lie)),
        Some(Fault::Part(refused)) => Reply::Answer(kind.in_part(refused.min(records))),
    }
}

fn unpacked(head: &request::Parts, sent: &[u8]) -> Vec<u8> {
    match head.headers.get("content-encoding").map(|value| value.to_str().unwrap()) {
        Some("gzip") => {
            let mut plain = Vec::new();
            GzDecoder::new(sent).read_to_end(&mut plain).unwrap();
            plain
        }
        Some(other) => panic!("content-encoding {other}"),
        None => sent.to_vec(),
    }
}

/// Fills the queue of those who wait for a connection, so that whoever comes after them is not even refused.
fn wall(listener: std::net::TcpListener, address: SocketAddr) -> (std::net::TcpListener, Vec<TcpStream>) {
    let patience = Duration::from_millis(50);
    let waiting =
        std::iter::from_fn(|| TcpStream::connect_timeout(&address, patience).ok()).take(8).collect();
    (listener, waiting)
}

async fn ignore(listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut streams = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        streams.push(stream);
    }
}

/// It shares its port with others that do not listen.
fn socket(address: SocketAddr) -> socket2::Socket {
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

const MOST_CALLS: usize = 1_000_000;
