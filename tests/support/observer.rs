use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere::{
    exchange::{End, Tally},
    observe::{Observation, Observer},
    trace::{Identity, Scope},
};
use http::{StatusCode, request, response};

/// An observer that writes down what it is told.
#[derive(Clone, Default)]
pub struct Recorder {
    seen: Arc<Mutex<Vec<Ended>>>,
    name: &'static str,
}

/// One exchange, as a [`Recorder`] saw it end.
#[derive(Clone, Debug)]
pub struct Ended {
    pub observer: &'static str,
    pub path: String,
    pub status: Option<StatusCode>,
    /// `complete`, `complete with trailers`, `failed: <message>`, `canceled`, `panicked: <message>`.
    pub end: String,
    pub trailers: Option<http::HeaderMap>,
    pub bytes: u64,
    pub head: Option<Duration>,
    pub duration: Duration,
    pub trace_id: String,
    pub span_id: String,
    pub annotations: Vec<(String, String)>,
}

pub struct Recording {
    recorder: Recorder,
    path: String,
    status: Option<StatusCode>,
    trace_id: String,
    span_id: String,
    annotations: belvedere::exchange::Annotations,
}

impl Recorder {
    pub fn new() -> Self {
        Self::named("recorder")
    }

    /// Writes into a list of its own under a name.
    pub fn named(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Writes into the same list under another name.
    pub fn also(&self, name: &'static str) -> Self {
        Self { name, ..self.clone() }
    }

    /// All that ended so far.
    pub fn seen(&self) -> Vec<Ended> {
        self.seen.lock().unwrap().clone()
    }

    /// The one exchange that ended. Panics if there were none or several.
    #[track_caller]
    pub fn only(&self) -> Ended {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one exchange ends once: {seen:#?}");
        seen.into_iter().next().unwrap()
    }

    /// Waits until `count` exchanges have ended, for tests over sockets.
    pub async fn ended(&self, count: usize) -> Vec<Ended> {
        for _ in 0..500 {
            if self.seen().len() >= count {
                return self.seen();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} exchanges should have ended: {:#?}", self.seen());
    }
}

impl Observer for Recorder {
    type Observation = Recording;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<Recording> {
        let identity = scope.identify(Identity::root);
        let (trace_id, span_id) = (identity.trace_id().to_string(), identity.span_id().to_string());
        let annotations = scope.annotations().clone();
        let path = request.uri.path().to_owned();
        Some(Recording { recorder: self.clone(), path, status: None, trace_id, span_id, annotations })
    }
}

impl Observation for Recording {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        let (end, trailers) = match end {
            End::Complete { trailers: None } => ("complete".to_owned(), None),
            End::Complete { trailers } => ("complete with trailers".to_owned(), trailers.cloned()),
            End::Failed { error } => (format!("failed: {error}"), None),
            End::Canceled => ("canceled".to_owned(), None),
            End::Panicked { message } => (format!("panicked: {message}"), None),
            other => (format!("{other:?}"), None),
        };
        let mut annotations = Vec::new();
        self.annotations.visit(|key, value| annotations.push((key.to_string(), value.to_string())));
        let Self { recorder, path, status, trace_id, span_id, .. } = self;
        let observer = recorder.name;
        let Tally { bytes, head, duration, .. } = *tally;
        recorder.seen.lock().unwrap().push(Ended {
            observer,
            path,
            status,
            end,
            trailers,
            bytes,
            head,
            duration,
            trace_id,
            span_id,
            annotations,
        });
    }
}

/// An observer that watches and wants nothing.
#[derive(Clone)]
pub struct Bystander;

impl Observer for Bystander {
    type Observation = Self;

    fn observe(&self, _: &mut request::Parts, _: &mut Scope) -> Option<Self> {
        Some(Self)
    }
}

impl Observation for Bystander {
    fn on_end(self, _: End<'_>, _: &Tally) {}
}
