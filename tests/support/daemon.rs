//! An X-Ray daemon with little memory, on a real socket.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until},
};

/// Takes datagrams as the daemon does: two receivers that each hold a buffer before they read, one buffer for each
/// document until its batch is sent, batches of 50 or of as many as there are buffers, or of what there is after a
/// second. A receiver that found no buffer drops what it reads next. Who puts batches together is slower than the
/// receivers, so of 120 datagrams at once the smallest daemon takes 48. It lives as long as the runtime of the test.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    batch_size: usize,
    /// Whether each receiver has a buffer.
    receivers: [bool; 2],
    reads: usize,
    batch: usize,
    batches: Vec<usize>,
    datagrams: Vec<Vec<u8>>,
    dropped: usize,
    due: Instant,
}

// ===== impl Daemon =====

impl Daemon {
    /// With the least memory that it starts with: 3 MB.
    pub(crate) async fn small() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), 48).await
    }

    /// With all the memory that it can use.
    pub(crate) async fn large() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), 100_000).await
    }

    pub(crate) async fn at(address: SocketAddr, buffers: usize) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let state = State {
            free: buffers - 2,
            batch_size: buffers.min(50),
            receivers: [true; 2],
            reads: 0,
            batch: 0,
            batches: Vec::new(),
            datagrams: Vec::new(),
            dropped: 0,
            due: Instant::now() + IDLE,
        };
        let daemon = Self { address: socket.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        tokio::spawn(daemon.clone().run(socket));
        daemon
    }

    /// All that it did not drop.
    pub(crate) fn datagrams(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().datagrams.clone()
    }

    /// The documents of all that it did not drop.
    pub(crate) fn documents(&self) -> Vec<String> {
        let document = |datagram: &Vec<u8>| {
            let text = String::from_utf8(datagram.clone()).unwrap();
            text.split_once('\n').unwrap().1.to_owned()
        };
        self.datagrams().iter().map(document).collect()
    }

    /// The documents, when there are so many, or after a while.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<String> {
        for _ in 0..500 {
            if self.documents().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.documents()
    }

    pub(crate) fn dropped(&self) -> usize {
        self.state.lock().unwrap().dropped
    }

    /// How large the batches were that it sent on.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.state.lock().unwrap().batches.clone()
    }

    async fn run(self, socket: UdpSocket) {
        let mut read = vec![0; 64 * 1024];
        loop {
            let due = self.state.lock().unwrap().due;
            tokio::select! {
                biased;
                length = socket.recv(&mut read) => {
                    let mut state = self.state.lock().unwrap();
                    state.take(&read[..length.unwrap()]);
                    while let Ok(length) = socket.try_recv(&mut read) {
                        state.take(&read[..length]);
                    }
                    state.process();
                }
                () = sleep_until(due) => self.state.lock().unwrap().flush(),
            }
        }
    }
}

// ===== impl State =====

impl State {
    fn take(&mut self, datagram: &[u8]) {
        let receiver = self.reads % 2;
        self.reads += 1;
        if self.receivers[receiver] {
            self.datagrams.push(datagram.to_vec());
            self.batch += 1;
        } else {
            self.dropped += 1;
        }
        self.receivers[receiver] = self.free > 0;
        self.free = self.free.saturating_sub(1);
    }

    fn process(&mut self) {
        if self.batch >= self.batch_size {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.batch > 0 {
            self.batches.push(self.batch);
        }
        self.free += std::mem::take(&mut self.batch);
        self.due = Instant::now() + IDLE;
    }
}

const IDLE: Duration = Duration::from_secs(1);
