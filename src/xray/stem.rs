use std::{
    fmt, slice,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    Cause, Document, Exception, Independent, Name, Segment, SegmentLane, Status, Subsegment, Text,
    entity::{Entity, Node as _},
    options::Options,
};
use crate::{
    scrub::Scrubber,
    trace::{Identity, Known, Place, SpanId, TraceId, amzn},
};

/// A segment or a subsegment that is not over, and where it goes when it is.
///
/// What is over goes into what it is a part of, while that is not over; else, or where too much would wait there, it is
/// sent by itself. So no order of endings loses anything, and nothing waits for what never ends.
pub(super) struct Stem {
    trunk: Arc<Trunk>,
    id: SpanId,
    state: Mutex<State>,
}

/// What all parts of one segment share.
struct Trunk {
    trace_id: TraceId,
    header: amzn::Header,
    lane: SegmentLane,
    scrubber: Scrubber,
    started: SystemTime,
    began: Instant,
    /// About how many bytes of subsegments wait for their segment.
    held: AtomicUsize,
    user: Mutex<Option<Text>>,
}

struct State {
    /// None once it is over.
    part: Option<Part>,
    parent: Option<Arc<Stem>>,
    began: Instant,
    /// Whether an error was recorded on a segment, whose status is not known before its end.
    recorded: bool,
    /// The last exception that a part of it told of.
    told: Option<Told>,
    /// The ids of calls in it that another layer had decided.
    called: Vec<SpanId>,
}

/// What it will be.
pub(super) enum Part {
    Segment(Box<Segment>),
    Subsegment(Box<Subsegment>),
}

/// An exception that a subsegment has told of: whoever passes it on refers to it.
#[derive(Clone)]
struct Told {
    id: SpanId,
    type_name: Option<Text>,
    message: Option<Text>,
}

// ===== impl Stem =====

impl Stem {
    /// The segment of an exchange, for what is added to it by hand; the exchange itself is added when that is over. If it is
    /// over already, so is the segment. What the caller sent along in its header goes on to whomever is called.
    pub(super) fn segment(options: &Options, place: &Place, known: &Known) -> Arc<Self> {
        let &Place { trace_id, id, .. } = place;
        let (started, began) = (known.started(), known.began());
        let header = known.identity().and_then(Identity::amzn).cloned().unwrap_or_default();
        let (lane, scrubber) = (options.lane.clone(), options.scrubber.clone());
        let (held, user) = (AtomicUsize::new(0), Mutex::new(None));
        let trunk = Arc::new(Trunk { trace_id, header, lane, scrubber, started, began, held, user });
        let segment = || Box::new(Segment::new(trace_id, id, options.naming.fixed().clone(), started));
        let part = (!place.is_over()).then(|| Part::Segment(segment()));
        Arc::new(Self { trunk, id, state: Mutex::new(State::new(part, None, began)) })
    }

    /// A subsegment of this one that begins now.
    pub(super) fn begin(self: &Arc<Self>, id: SpanId, name: Name) -> Arc<Self> {
        let (trunk, began) = (self.trunk.clone(), Instant::now());
        let subsegment = Box::new(Subsegment::new(id, name, trunk.at(began)));
        let state = State::new(Some(Part::Subsegment(subsegment)), Some(self.clone()), began);
        Arc::new(Self { trunk, id, state: Mutex::new(state) })
    }

    pub(super) fn id(&self) -> SpanId {
        self.id
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.trunk.trace_id
    }

    /// What keeps secrets out of all parts of the segment.
    pub(super) fn scrubber(&self) -> &Scrubber {
        &self.trunk.scrubber
    }

    /// What tells a service that is called from here, by the subsegment `parent`, about the trace.
    pub(super) fn header(&self, parent: SpanId) -> amzn::Header {
        let mut header = self.trunk.header.clone();
        header.root = Some(self.trunk.trace_id);
        header.parent = Some(parent);
        header.sampled = Some(amzn::Decision::Yes);
        header
    }

    /// Adds to it, unless it is over.
    pub(super) fn edit(&self, edit: impl FnOnce(&mut Part)) {
        self.locked(|state| state.part.as_mut().map(edit));
    }

    /// Says who asks; the segment tells it when it is over.
    pub(super) fn user(&self, user: Text) {
        *self.trunk.user.lock().unwrap_or_else(PoisonError::into_inner) = Some(user);
    }

    /// Adds an error that was recorded. It makes a subsegment a fault, and a segment unless that was the caller's error.
    pub(super) fn record(&self, cause: Cause) {
        self.locked(|state| match &mut state.part {
            Some(Part::Subsegment(subsegment)) => subsegment.entity.status |= Status::FAULT,
            Some(Part::Segment(_)) => state.recorded = true,
            None => {}
        });
        self.blame(cause);
    }

    /// Makes it a fault, with the reason.
    pub(super) fn fault(&self, cause: Cause) {
        self.edit(|part| part.entity_mut().status |= Status::FAULT);
        self.blame(cause);
    }

    /// Adds a reason. An exception that a part of it has told of is referred to, not told again.
    pub(super) fn blame(&self, mut cause: Cause) {
        self.locked(|state| {
            if let Some(told) = &state.told {
                told.replace_in(&mut cause);
            }
            let Some(part) = &mut state.part else { return };
            part.entity_mut().add_cause(cause);
        });
    }

    /// Whether another call of this id was begun in it; notes it.
    pub(super) fn calls(&self, id: SpanId) -> bool {
        self.locked(|state| {
            let is_known = state.called.contains(&id);
            if !is_known && state.called.len() < CALLS {
                state.called.push(id);
            }
            is_known
        })
    }

    /// Ends a subsegment now; `last` has the last word. Only the first end counts.
    pub(super) fn end(&self, last: impl FnOnce(&mut Part)) {
        let ended = self.locked(|state| {
            let part = state.part.take_if(|part| matches!(part, Part::Subsegment(_)))?;
            Some((part, state.parent.take(), state.told.take(), state.began.elapsed()))
        });
        let Some((mut part, parent, told, elapsed)) = ended else { return };
        part.entity_mut().end(elapsed);
        last(&mut part);
        if let (Part::Subsegment(subsegment), Some(parent)) = (part, parent) {
            let told = Told::by(&subsegment, told);
            parent.take(*subsegment, told);
        }
    }

    /// Ends a segment, `elapsed` after it began, with the status of the answer, and gives what was added to it. Only the
    /// first end counts.
    pub(super) fn end_segment(&self, elapsed: Duration, status: Status) -> Option<Box<Segment>> {
        let (part, told, recorded) =
            self.locked(|state| Some((state.part.take()?, state.told.take(), state.recorded)))?;
        let Part::Segment(mut segment) = part else { return None };
        segment.entity.end(elapsed);
        segment.entity.status |= status;
        if recorded && !segment.entity.status.error {
            segment.entity.status |= Status::FAULT;
        }
        refer(&mut segment.entity, told.as_ref());
        segment.user = self.trunk.user.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What is still open goes on without it.
        if Arc::strong_count(&self.trunk) > 1 {
            self.trunk.leave(&segment.subsegments);
        }
        Some(segment)
    }

    /// Takes a subsegment that is over in, or lets it go by itself.
    fn take(&self, subsegment: Subsegment, told: Option<Told>) {
        let size = subsegment.size();
        let held = self.trunk.held.fetch_add(size, Ordering::Relaxed) + size;
        let left = self.locked(|state| {
            state.told = told.or_else(|| state.told.take());
            let Some(part) = state.part.as_mut().filter(|_| held <= HELD) else { return Some(subsegment) };
            part.push(subsegment);
            None
        });
        let Some(subsegment) = left else { return };
        self.trunk.leave(slice::from_ref(&subsegment));
        let independent = Independent { trace_id: self.trunk.trace_id, parent_id: self.id, subsegment };
        self.trunk.send(Document::from(independent));
    }

    fn locked<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stem")
            .field("trace_id", &self.trunk.trace_id)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

// ===== impl Trunk =====

impl Trunk {
    /// A moment of the segment by the clock that it is stamped with, whatever became of that since.
    fn at(&self, moment: Instant) -> SystemTime {
        self.started + moment.saturating_duration_since(self.began)
    }

    fn send(&self, document: Document) {
        self.lane.push(document, &self.scrubber);
    }

    /// Notes that these, with all that is in them, wait no longer.
    fn leave(&self, subsegments: &[Subsegment]) {
        let mut rest: Vec<_> = subsegments.iter().collect();
        while let Some(next) = rest.pop() {
            let less = |held: usize| Some(held.saturating_sub(next.size()));
            // What a user has put in was never counted.
            let _ = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            rest.extend(next.subsegments.iter());
        }
    }
}

// ===== impl State =====

impl State {
    fn new(part: Option<Part>, parent: Option<Arc<Stem>>, began: Instant) -> Self {
        Self { part, parent, began, recorded: false, told: None, called: Vec::new() }
    }
}

// ===== impl Part =====

impl Part {
    pub(super) fn entity_mut(&mut self) -> &mut Entity {
        match self {
            Self::Segment(segment) => &mut segment.entity,
            Self::Subsegment(subsegment) => &mut subsegment.entity,
        }
    }

    fn push(&mut self, subsegment: Subsegment) {
        match self {
            Self::Segment(segment) => segment.subsegments.push(subsegment),
            Self::Subsegment(outer) => outer.subsegments.push(subsegment),
        }
    }
}

// ===== impl Told =====

impl Told {
    /// What a subsegment tells of: an exception of its own, or the one that a part of it told of.
    fn by(subsegment: &Subsegment, of_part: Option<Self>) -> Option<Self> {
        match &subsegment.entity.cause {
            None => of_part,
            Some(Cause::Id(id)) => of_part.filter(|told| told.id == *id),
            Some(Cause::Exceptions(cause)) => {
                let Exception { id, type_name, message, .. } = cause.exceptions.first()?.clone();
                Some(Self { id, type_name, message })
            }
        }
    }

    /// Puts the id of the exception in the place of the same one in a chain, and of all that caused it.
    fn replace_in(&self, cause: &mut Cause) {
        let same = cause.exceptions().iter().position(|exception| {
            exception.message.is_some()
                && exception.message == self.message
                && exception.type_name == self.type_name
        });
        match (same, cause.exceptions_mut()) {
            (Some(0), _) => *cause = Cause::Id(self.id),
            (Some(at), Some(exceptions)) => {
                exceptions.truncate(at);
                exceptions[at - 1].cause = Some(self.id);
            }
            _ => {}
        }
    }
}

/// A segment that is a fault and does not say why refers to what a part of it told last.
fn refer(segment: &mut Entity, told: Option<&Told>) {
    if segment.status.fault && segment.cause.is_none() {
        segment.cause = told.map(|told| Cause::Id(told.id));
    }
}

/// How many bytes of subsegments wait for their segment; more than that would be split again when it is sent.
const HELD: usize = 256 * 1024;

/// How many calls of one segment or subsegment are told apart from their retries.
const CALLS: usize = 256;
