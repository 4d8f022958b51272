//! A batch on its way.

use std::{sync::atomic::Ordering, time::Duration};

use super::{
    ApiDestination, action::Action, body::Body, failure::Failure, fate::Fate, off_thread, piece::Piece,
    post::Post, rejected::Rejected, window::Window,
};
use crate::outbox::Reason;

/// The requests of one batch, one after the other. The first that fails for now ends it: the rest is kept.
pub(super) struct Delivery<'a, P> {
    destination: &'a ApiDestination<P>,
    /// What is to be sent; the next is the last.
    pieces: Vec<Piece>,
    fate: Fate,
    /// How often something was refused for what is in it.
    refusals: usize,
    /// CloudWatch took a signature, so its clock is known.
    is_clock_known: bool,
}

// ===== impl Delivery =====

impl<'a, P: Post> Delivery<'a, P> {
    pub(super) fn new(destination: &'a ApiDestination<P>, fate: Fate) -> Self {
        Self { destination, pieces: Vec::new(), fate, refusals: 0, is_clock_known: false }
    }

    /// Sends what is in time, and then judges what is not. `None`: the runtime ends.
    pub(super) async fn run(mut self, pieces: Vec<Piece>) -> Option<Fate> {
        let ApiDestination { creation, post, advice, .. } = self.destination;
        creation.finish(post, advice).await;
        let doubtful = self.admit(pieces);
        self.send().await?;
        if self.is_clock_known {
            let outside = self.admit(doubtful);
            self.lose_outside(outside);
        } else {
            // Nothing was sent, or nothing arrived. The clock may be what is wrong: CloudWatch is to judge.
            self.queue(doubtful);
        }
        self.send().await?;
        Some(self.fate)
    }

    /// Takes what may be sent, and gives the others back.
    fn admit(&mut self, pieces: Vec<Piece>) -> Vec<Piece> {
        let window = self.window();
        let (inside, outside) =
            pieces.into_iter().map(|piece| piece.admit(window)).unzip::<_, _, Vec<_>, Vec<_>>();
        self.queue(inside);
        outside
    }

    fn queue(&mut self, pieces: Vec<Piece>) {
        let cut: Vec<_> = pieces.into_iter().flat_map(Piece::cut).collect();
        self.pieces.extend(cut.into_iter().rev());
    }

    async fn send(&mut self) -> Option<()> {
        while let Some(piece) = self.pieces.pop() {
            if self.fate.is_halted() {
                self.fate.keep(&piece);
                continue;
            }
            let ahead = self.destination.post.ahead();
            let (piece, put) = self.put(piece).await?;
            self.is_clock_known |= !matches!(put, Err(Failure::Retry(..) | Failure::Unanswered(_)));
            match put {
                Ok(rejected) => self.settle(piece, rejected, ahead),
                Err(Failure::Poison(reason) | Failure::Unreadable(reason)) => self.halve(piece, reason),
                Err(Failure::Reject(reason)) => self.fate.lose(piece.events.len(), reason),
                Err(Failure::Unanswered(reason) | Failure::Missing(reason)) => {
                    self.keep(&piece, None, reason)
                }
                Err(Failure::Denied(reason)) => self.keep(&piece, None, reason.told()),
                Err(Failure::Retry(after, reason)) => self.keep(&piece, after, reason),
                Err(Failure::Exists) => self.keep(&piece, None, Reason::new("OperationAbortedException")),
            }
        }
        Some(())
    }

    /// Compressed, and where that cannot be read, as it is.
    async fn put(&self, piece: Piece) -> Option<(Piece, Result<Rejected, Failure>)> {
        let destination = self.destination;
        let (piece, body) = self.body(piece, destination.compress.load(Ordering::Relaxed)).await?;
        let is_compressed = body.is_compressed;
        let put = destination.put(&piece.stream, body).await;
        if !is_compressed || !matches!(put, Err(Failure::Unreadable(_))) {
            return Some((piece, put));
        }
        let (piece, body) = self.body(piece, false).await?;
        let put = destination.put(&piece.stream, body).await;
        if put.is_ok() {
            destination.compress.store(false, Ordering::Relaxed);
        }
        Some((piece, put))
    }

    async fn body(&self, piece: Piece, compress: bool) -> Option<(Piece, Body)> {
        let (group, gzip) = (self.destination.group.clone(), self.destination.gzip.clone());
        off_thread(move || {
            let body = piece.body(group.as_str());
            let body = if compress { body.compressed(&gzip) } else { body };
            (piece, body)
        })
        .await
    }

    /// Counts what was not taken. If that was only now that the clock turned out to be wrong, it is another try's.
    fn settle(&mut self, mut piece: Piece, rejected: Rejected, ahead: i64) {
        if rejected == Rejected::default() {
            return;
        }
        let mut place = 0..;
        let mut causes = Vec::new();
        piece.events.retain(|_| {
            let cause = place.next().and_then(|place| rejected.cause(place));
            causes.extend(cause);
            cause.is_some()
        });
        if piece.events.is_empty() {
            return;
        }
        if self.destination.post.ahead() != ahead {
            let outside = self.admit(vec![piece]);
            return self.lose_outside(outside);
        }
        causes.into_iter().for_each(|cause| self.fate.lose(1, Reason::new(cause)));
    }

    fn lose_outside(&mut self, pieces: Vec<Piece>) {
        let window = self.window();
        for event in pieces.into_iter().flat_map(|piece| piece.events) {
            self.fate.lose(1, Reason::new(window.cause(event.timestamp)));
        }
    }

    /// Looks for what cannot be taken: in the earlier half, then in the later one.
    fn halve(&mut self, mut piece: Piece, reason: Reason) {
        self.refusals += 1;
        if piece.events.len() == 1 {
            return self.fate.lose(1, reason);
        }
        let earlier = piece.halve();
        self.pieces.extend([piece, earlier]);
        if self.refusals >= MOST_REFUSALS {
            // It goes on after a pause, with fewer events.
            self.fate.halt(None, reason);
        }
    }

    fn keep(&mut self, piece: &Piece, after: Option<Duration>, reason: Reason) {
        self.fate.keep(piece);
        self.fate.halt(after, reason);
    }

    fn window(&self) -> Window {
        let post = &self.destination.post;
        Window::new(post.now(), post.ahead())
    }
}

// ===== impl ApiDestination =====

impl<P: Post> ApiDestination<P> {
    /// Writes first. What is missing is made, and the same request sent again.
    async fn put(&self, stream: &str, body: Body) -> Result<Rejected, Failure> {
        let Self { post, creation, advice, create, .. } = self;
        match self.put_once(body.clone()).await {
            Err(Failure::Missing(_)) if *create => {
                creation.make(post, advice, stream).await?;
                self.put_once(body).await
            }
            Err(Failure::Missing(reason)) => {
                advice.missing(stream);
                Err(Failure::Missing(reason.told()))
            }
            put => put,
        }
    }

    async fn put_once(&self, body: Body) -> Result<Rejected, Failure> {
        let answer = self.post.post(Action::PutLogEvents, body).await.map_err(|error| {
            self.advice.no_answer(&error);
            Failure::no_answer(&error)
        })?;
        let failure = Failure::of(&answer);
        if let Some(Failure::Denied(reason)) = &failure {
            self.advice.denied(Action::PutLogEvents, reason);
        }
        failure.map_or_else(|| Ok(Rejected::read(&answer.body)), Err)
    }
}

/// In one go. A request of which nothing is taken must not become a storm.
const MOST_REFUSALS: usize = 256;
