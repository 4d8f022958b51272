use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    Api, Text,
    draft::Draft,
    fit::fit,
    limiter::{Admission, LeftOut, Limiter, Most},
};
use crate::{
    Error,
    outbox::{Lane, Outbox, WeakOutbox},
    trace::OccurrenceId,
};

/// A lane of items: their way to Rollbar. Clones share it.
///
/// Layers of several services in one process may share one.
///
/// ```no_run
/// use belvedere::{outbox::Outbox, rollbar::{Api, ItemLane, RollbarLayer}};
///
/// let outbox = Outbox::builder().start()?;
/// let lane = ItemLane::new(&outbox, Api::new("post_server_item token".parse()?))?;
/// let layer = RollbarLayer::on(lane).environment("production");
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ItemLane {
    /// To everybody who is to have them.
    lanes: Arc<[Lane<Box<dyn Draft>>]>,
    limiter: Arc<Limiter>,
    outbox: WeakOutbox,
    /// That of what is sent, for what is told beside it.
    environment: Arc<OnceLock<String>>,
}

/// What was left out, as an item.
struct Telling {
    left_out: LeftOut,
    environment: String,
    uuid: OccurrenceId,
    at: SystemTime,
}

// ===== impl ItemLane =====

impl ItemLane {
    /// To Rollbar; named after its host: `rollbar api.rollbar.com`. At most 60 items a minute are sent, and 10 of a kind.
    ///
    /// # Errors
    ///
    /// When the endpoint is no URL with a host, or the process cannot do TLS.
    pub fn new(outbox: &Outbox, api: Api) -> Result<Self, Error> {
        Self::open(outbox, vec![api], Most::default())
    }

    /// The same with other bounds: how many items are sent in a minute, and how many of a kind, which is what happened and
    /// where: the class of an error, the line, the route. What a message says does not count. None is as many as there are.
    ///
    /// What is over a bound costs next to nothing, and is told of once a minute and at the shutdown, in an item and in
    /// the log.
    ///
    /// # Errors
    ///
    /// When the endpoint is no URL with a host, or the process cannot do TLS.
    pub fn limited(
        outbox: &Outbox,
        api: Api,
        items: Option<u32>,
        of_a_kind: Option<u32>,
    ) -> Result<Self, Error> {
        Self::open(outbox, vec![api], Most { items, of_a_kind })
    }

    /// To several at once: each gets every item.
    pub(crate) fn to_all(outbox: &Outbox, apis: Vec<Api>) -> Result<Self, Error> {
        Self::open(outbox, apis, Most::default())
    }

    fn open(outbox: &Outbox, apis: Vec<Api>, most: Most) -> Result<Self, Error> {
        // All that may be refused, before a lane is opened.
        let ends = apis.into_iter().map(|api| Ok((api.lane(), api.destination()?)));
        let ends = ends.collect::<Result<Vec<_>, Error>>()?;
        let lanes = ends.into_iter().map(|(name, destination)| outbox.lane(name, destination)).collect();
        let limiter = Arc::new(Limiter::new(most));
        let lane = Self { lanes, limiter, outbox: outbox.downgrade(), environment: Arc::default() };
        let (sideline, last) = (outbox.sideline(SIDELINE), lane.clone());
        sideline.run(lane.clone().run());
        sideline.at_end(move || last.limiter.rest().iter().for_each(|left_out| last.tell(left_out)));
        Ok(lane)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lanes, &other.lanes)
    }

    /// Whether one more of a kind is to be sent now. If not, it is counted.
    pub(super) fn admits(&self, kind: u64, title: impl FnOnce() -> Text<255>) -> bool {
        self.limiter.admit(kind, title) == Admission::Admitted
    }

    pub(super) fn push(&self, environment: &str, draft: impl Draft) {
        self.environment.get_or_init(|| environment.to_owned());
        self.share(draft);
    }

    fn share(&self, draft: impl Draft) {
        if let [lane] = &*self.lanes {
            return lane.push(Box::new(draft));
        }
        let draft = Arc::new(draft);
        self.lanes.iter().for_each(|lane| lane.push(Box::new(draft.clone())));
    }

    /// Waits until what was pushed is out, for five seconds at most. For when the process is about to end.
    pub(super) fn flush(&self) {
        if let Some(outbox) = self.outbox.upgrade() {
            outbox.flush_blocking(Duration::from_secs(5));
        }
    }

    /// Tells what was left out of each minute, for as long as the outbox is open.
    async fn run(self) {
        self.limiter.run(|left_out| self.tell(left_out)).await;
    }

    fn tell(&self, left_out: &LeftOut) {
        tracing::warn!(target: "belvedere::rollbar", "{left_out}");
        let environment = self.environment.get().cloned().unwrap_or_default();
        let (left_out, uuid, at) = (left_out.clone(), OccurrenceId::generate(), SystemTime::now());
        self.share(Telling { left_out, environment, uuid, at });
    }
}

/// The lanes by their names.
impl fmt::Display for ItemLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.lanes.iter().map(Lane::name).collect();
        f.pad(&names.join(", "))
    }
}

// ===== impl Telling =====

impl Draft for Telling {
    fn size(&self) -> usize {
        TELLING
    }

    fn json(&self, most: usize) -> Bytes {
        let Self { left_out, environment, uuid, at } = self;
        let mut item = left_out.item(environment.clone());
        item.data.uuid = Some(uuid.to_string().into());
        item.data.at(*at);
        fit(&mut item, most).into()
    }
}

/// About how many bytes it takes to tell.
const TELLING: usize = 1024;

const SIDELINE: &str = "rollbar limits";
