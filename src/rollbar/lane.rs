use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use super::{
    Api, Item, Text,
    draft::Draft,
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
    lane: Lane<Box<dyn Draft>>,
    limiter: Arc<Limiter>,
    /// That of what is sent, for what is told beside it.
    environment: Arc<OnceLock<String>>,
    outbox: WeakOutbox,
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
        Self::limited(outbox, api, Some(60), Some(10))
    }

    /// The same with other bounds: how many items are sent in a minute, and how many of a kind, which is what happened and
    /// where. None is as many as there are.
    ///
    /// What is over a bound costs next to nothing, and is told of once a minute, in an item and in the log.
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
        let name = api.lane();
        let limiter = Arc::new(Limiter::new(Most { items, of_a_kind }));
        let lane = outbox.lane(name, api.destination()?);
        let lane = Self { lane, limiter, environment: Arc::default(), outbox: outbox.downgrade() };
        outbox.sideline(SIDELINE).run(lane.clone().tell());
        Ok(lane)
    }

    /// Whether one more of a kind is to be sent now. If not, it is counted.
    pub(super) fn admits(&self, kind: u64, title: impl FnOnce() -> Text<255>) -> bool {
        self.limiter.admit(kind, title) == Admission::Admitted
    }

    pub(super) fn push(&self, environment: &str, draft: impl Draft) {
        self.environment.get_or_init(|| environment.to_owned());
        self.lane.push(Box::new(draft));
    }

    /// Waits until what was pushed is sent, for a bounded time: the process ends after it.
    pub(super) fn flush(&self) {
        if let Some(outbox) = self.outbox.upgrade() {
            outbox.flush_blocking(LAST);
        }
    }

    /// Tells what was left out, for as long as the outbox is open.
    async fn tell(self) {
        let Self { lane, limiter, environment, outbox: _ } = self;
        let tell = |left_out: &LeftOut| {
            tracing::warn!(target: "belvedere::rollbar", "{left_out}");
            let environment = environment.get().cloned().unwrap_or_default();
            let (left_out, uuid, at) = (left_out.clone(), OccurrenceId::generate(), SystemTime::now());
            lane.push(Box::new(Telling { left_out, environment, uuid, at }));
        };
        limiter.run(tell).await;
    }
}

impl Draft for Telling {
    fn size(&self) -> usize {
        TELLING
    }

    fn finish(&self) -> Item {
        let Self { left_out, environment, uuid, at } = self;
        let mut item = left_out.item(environment.clone());
        item.data.uuid = Some(uuid.to_string().into());
        item.data.at(*at);
        item
    }
}

/// About how many bytes it takes to tell.
const TELLING: usize = 1024;

/// How long a process that ends by a panic waits for its report to leave.
const LAST: Duration = Duration::from_secs(2);

const SIDELINE: &str = "rollbar limits";
