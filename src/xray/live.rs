use std::{borrow::Cow, sync::Arc};

use http::HeaderValue;
use opentelemetry::Context;
use serde::Serialize;

use super::{
    Json, Name, OpenSubsegment, Status, Subsegment, SubsegmentGuard, Text,
    cause::Said,
    missing,
    options::Options,
    stem::{Part, Stem},
};
use crate::{
    exchange::{Blame, Value},
    trace::{Known, SpanId, TraceId},
};

/// The segment or subsegment that code runs in, or any other that is not over.
///
/// Facts are added to it until it is over; what comes later goes nowhere. Clones are the same one. Where there is no segment,
/// or where it is not recorded, all of it does nothing.
///
/// ```
/// use belvedere::xray;
///
/// # fn search(term: &str) -> Vec<String> { Vec::new() }
/// let hits = search("belvedere");
/// let here = xray::current();
/// here.annotate("hits", hits.len());
/// here.metadata("search", "hits", &hits);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing by itself"]
pub struct Live(Option<Arc<Stem>>);

/// What was made current in a context, and in which exchange.
struct Entered {
    live: Live,
    exchange: Option<SpanId>,
}

// ===== impl Live =====

impl Live {
    pub(super) fn of(stem: Arc<Stem>) -> Self {
        Self(Some(stem))
    }

    /// What is current in a context; none if nothing of X-Ray is.
    pub(super) fn within(context: &Context) -> Option<Self> {
        let known = Known::with_value::<Options>(context);
        let exchange = known.and_then(Known::place).map(|place| place.id);
        // What was entered in an exchange further out is not current in this one.
        match context.get::<Entered>().filter(|entered| entered.exchange == exchange) {
            Some(entered) => Some(entered.live.clone()),
            None => Self::of_exchange(known?),
        }
    }

    /// The segment of an exchange. It is made for whoever needs it first: most are over before anybody does.
    pub(super) fn of_exchange(known: &Known) -> Option<Self> {
        let (options, place) = (known.value::<Options>()?, known.place()?);
        if !place.is_recorded {
            return Some(Self::default());
        }
        Some(Self::of(known.make(|| Stem::segment(options, place, known))))
    }

    /// The same context with this one current in it.
    pub(super) fn context(&self, context: &Context) -> Context {
        let known = Known::with_value::<Options>(context);
        let exchange = known.and_then(Known::place).map(|place| place.id);
        context.with_value(Entered { live: self.clone(), exchange })
    }

    pub(super) fn stem(&self) -> Option<&Arc<Stem>> {
        self.0.as_ref()
    }

    /// Whether what is added goes anywhere.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// The trace.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.0.as_ref().map(|stem| stem.trace_id())
    }

    /// Its id, by which those that are called from it name their parent.
    pub fn id(&self) -> Option<SpanId> {
        self.0.as_ref().map(|stem| stem.id())
    }

    /// The header `X-Amzn-Trace-Id` for whomever is called from it, where no layer of this crate writes it: for a queue's
    /// message, or a client of another kind.
    pub fn header(&self) -> Option<HeaderValue> {
        self.0.as_ref().map(|stem| stem.header(stem.id()).to_value())
    }

    /// Adds an annotation, which X-Ray indexes, or replaces it. See [`Annotations`](super::Annotations) for keys and values.
    ///
    /// [`exchange::Annotations`](crate::exchange::Annotations) are the request's own, for every backend; this is for one
    /// part of it, and for X-Ray alone.
    pub fn annotate(&self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let Some(stem) = &self.0 else { return };
        let (key, value) = (key.into(), value.into());
        stem.edit(|part| part.entity_mut().annotations.insert_whole(key, value, stem.scrubber()));
    }

    /// Adds metadata under a namespace, which X-Ray shows, or replaces it. See [`Metadata`](super::Metadata) for bounds.
    pub fn metadata(
        &self,
        namespace: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
        value: impl Serialize,
    ) {
        let Some(stem) = &self.0 else { return };
        // Before the lock: how a value is written is the user's code, which may be traced, or slow.
        let (namespace, key, value) = (namespace.into(), key.into(), Json::new(value));
        stem.edit(|part| part.entity_mut().metadata.add(namespace, key, value));
    }

    /// Says who asks. It goes onto the segment, wherever it is said, and X-Ray indexes it.
    pub fn user(&self, user: impl Into<Text>) {
        if let Some(stem) = &self.0 {
            stem.user(user.into());
        }
    }

    /// Adds an error, and all that caused it, as the reason of a fault: an error, one in a box, or one of anyhow's or eyre's.
    ///
    /// A subsegment is a fault then, and so is a segment, unless it is answered with a status that is the caller's error, from
    /// 400 to 499. [`blame`](Self::blame) says it otherwise.
    ///
    /// An error that a part of it has told of already is referred to by its id, as AWS's SDKs do. The marker `M` is always
    /// inferred.
    pub fn record_error<M>(&self, error: &(impl Blame<M> + ?Sized)) {
        if let Some(stem) = &self.0 {
            stem.record(Said::scrubbed(stem.scrubber()).of(error.blamed()));
        }
    }

    /// Adds an error, and all that caused it, with these flags: a call that was refused is [`Status::ERROR`] and no fault.
    ///
    /// ```
    /// use belvedere::xray::{self, Status};
    ///
    /// # fn check() -> std::io::Result<()> { Ok(()) }
    /// let step = xray::subsegment("check");
    /// if let Err(error) = check() {
    ///     step.blame(&error, Status::ERROR);
    /// }
    /// ```
    pub fn blame<M>(&self, error: &(impl Blame<M> + ?Sized), status: Status) {
        if let Some(stem) = &self.0 {
            stem.edit(|part| part.entity_mut().status |= status);
            stem.blame(Said::scrubbed(stem.scrubber()).of(error.blamed()));
        }
    }

    /// Adds flags to what it has: an error of the caller, a throttled call, a fault.
    pub fn status(&self, status: Status) {
        self.edit(|part| part.entity_mut().status |= status);
    }

    /// Changes whatever else a subsegment has: its namespace, its SQL, what AWS was asked. On a segment it does nothing.
    ///
    /// Its id stays, since others may have it for their parent. The change must not run code that is traced: it holds the
    /// subsegment's lock.
    ///
    /// ```
    /// use belvedere::xray::{self, Namespace, Sql};
    ///
    /// let query = xray::subsegment("carts@db.example");
    /// query.update(|subsegment| {
    ///     subsegment.namespace = Some(Namespace::Remote);
    ///     let mut sql = Sql::default();
    ///     sql.sanitized_query = Some("SELECT * FROM carts WHERE id = ?".into());
    ///     subsegment.sql = Some(Box::new(sql));
    /// });
    /// ```
    pub fn update(&self, change: impl FnOnce(&mut Subsegment)) {
        self.edit(|part| {
            if let Part::Subsegment(subsegment) = part {
                let id = subsegment.entity.id;
                change(subsegment);
                subsegment.entity.id = id;
            }
        });
    }

    /// Begins a subsegment of it, and makes that current on this thread until the guard is dropped.
    pub fn subsegment(&self, name: impl Into<Name>) -> SubsegmentGuard {
        self.begin_subsegment(name).enter()
    }

    /// Begins a subsegment of it that is current nowhere.
    pub fn begin_subsegment(&self, name: impl Into<Name>) -> OpenSubsegment {
        OpenSubsegment::begin(self, name)
    }

    fn edit(&self, edit: impl FnOnce(&mut Part)) {
        if let Some(stem) = &self.0 {
            stem.edit(edit);
        }
    }
}

/// The segment or subsegment that this code runs in.
///
/// Outside of any, it is one that does nothing, and [`ContextMissing`](super::ContextMissing) says whether that is logged.
pub fn current() -> Live {
    Context::map_current(Live::within).unwrap_or_else(|| {
        missing::note();
        Live::default()
    })
}

/// Begins a subsegment of the [`current`] one, and makes it current on this thread until the guard is dropped: for code
/// that does not await.
///
/// ```
/// use belvedere::xray;
///
/// fn thumbnail() {
///     let subsegment = xray::subsegment("resize");
///     subsegment.annotate("width", 128);
///     let _inner = xray::subsegment("encode"); // a part of "resize"
/// }
/// ```
pub fn subsegment(name: impl Into<Name>) -> SubsegmentGuard {
    current().subsegment(name)
}

/// Begins a subsegment of the [`current`] one that is current nowhere: for what begins in one place and ends in another.
pub fn begin_subsegment(name: impl Into<Name>) -> OpenSubsegment {
    current().begin_subsegment(name)
}

/// [`Live::annotate`] on the [`current`] one.
pub fn annotate(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
    current().annotate(key, value);
}

/// [`Live::metadata`] on the [`current`] one.
pub fn metadata(
    namespace: impl Into<Cow<'static, str>>,
    key: impl Into<Cow<'static, str>>,
    value: impl Serialize,
) {
    current().metadata(namespace, key, value);
}

/// [`Live::user`] on the segment of the [`current`] one.
pub fn user(user: impl Into<Text>) {
    current().user(user);
}

/// [`Live::record_error`] on the [`current`] one.
pub fn record_error<M>(error: &(impl Blame<M> + ?Sized)) {
    current().record_error(error);
}
