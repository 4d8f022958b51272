use std::{
    collections::VecDeque,
    fmt,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A body that does what a script says, frame by frame.
///
/// `Script::new().data("a").wait(100).data("b").last()` gives two frames 100 ms apart, and knows with the second one that
/// it is over; without `.last()` only the `None` after it tells.
#[derive(Default)]
pub struct Script {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    knows_its_end: bool,
    exact: Option<u64>,
}

enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Wait(Duration),
    Fail(Broken),
    Panic(&'static str),
    Hang,
}

/// What a broken body says.
#[derive(Debug)]
pub struct Broken(pub &'static str);

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn data(self, data: &'static str) -> Self {
        self.step(Step::Data(Bytes::from_static(data.as_bytes())))
    }

    pub fn trailers(self, pairs: &[(&'static str, &'static str)]) -> Self {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        self.step(Step::Trailers(pairs.collect()))
    }

    pub fn wait(self, millis: u64) -> Self {
        self.step(Step::Wait(Duration::from_millis(millis)))
    }

    pub fn fail(self, message: &'static str) -> Self {
        self.step(Step::Fail(Broken(message)))
    }

    pub fn panic(self, message: &'static str) -> Self {
        self.step(Step::Panic(message))
    }

    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// The body says `is_end_stream` as soon as nothing is left.
    pub fn last(self) -> Self {
        Self { knows_its_end: true, ..self }
    }

    /// The body's size hint is exact.
    pub fn exact(self, bytes: u64) -> Self {
        Self { exact: Some(bytes), ..self }
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(task));
                self.sleep = None;
            }
            return Poll::Ready(match self.steps.pop_front() {
                None => None,
                Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Some(Step::Fail(error)) => Some(Err(error)),
                Some(Step::Panic(message)) => panic!("{message}"),
                Some(Step::Wait(time)) => {
                    self.sleep = Some(Box::pin(sleep(time)));
                    continue;
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_end && self.steps.is_empty() && self.sleep.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}
