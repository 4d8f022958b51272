use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use http::StatusCode;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{
    LogLane,
    emf::Subject,
    series::{Class, Series},
    table::{Operation, Table},
};
use crate::exchange::{Code, End};

/// What has been counted, and is told at the end of each interval.
///
/// **M1, all are told once.** An exchange is in one bucket of one series, and whoever tells takes what is in there.
///
/// **M2, the last is told in time.** What was taken is in the lane before anybody else may tell: a shutdown that finds nothing
/// left to tell finds all of it there.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) settings: Settings,
    table: Table,
    is_telling: AtomicBool,
    telling: Mutex<()>,
}

/// What a user has set.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) namespace: Arc<str>,
    pub(super) service: Option<Arc<str>>,
    /// That of the rest among them.
    pub(super) series: usize,
    pub(super) every: Duration,
}

/// What is counted of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured<'a> {
    pub(super) operation: Option<Operation<'a>>,
    pub(super) end: End<'a>,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<Code>,
    pub(super) duration: Duration,
}

// ===== impl Meter =====

impl Meter {
    pub(super) fn new(settings: Settings) -> Self {
        let table = Table::new(settings.series);
        Self { settings, table, is_telling: AtomicBool::new(false), telling: Mutex::default() }
    }

    /// There are no more series than that.
    pub(super) fn cap(&self, series: usize) {
        self.table.cap(series);
    }

    /// Counts an exchange in. The lane of the first one is the lane by which all are told.
    pub(super) fn record(self: &Arc<Self>, measured: &Measured<'_>, lane: &LogLane) {
        let class = measured.class();
        self.series(measured, class).record(class, measured.duration);
        if !self.is_telling.load(Relaxed) && !self.is_telling.swap(true, Relaxed) {
            self.begin(lane);
        }
    }

    fn series(&self, measured: &Measured<'_>, class: Class) -> &Series {
        match measured.operation {
            Some(operation) if measured.shows_existence(operation, class) => self.table.admit(operation),
            Some(operation) => self.table.find(operation),
            None => self.table.other(),
        }
    }

    #[cold]
    fn begin(self: &Arc<Self>, lane: &LogLane) {
        lane.sideline().run(self.clone().run(lane.clone()));
        let (last, lane) = (self.clone(), lane.clone());
        lane.sideline().clone().at_end(move || last.tell(&lane));
    }

    /// Tells each interval at its end, for as long as the outbox is open.
    async fn run(self: Arc<Self>, lane: LogLane) {
        let every = self.settings.every;
        let mut ends = interval_at(Instant::now() + every, every);
        ends.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ends.tick().await;
            self.tell(&lane);
        }
    }

    pub(super) fn tell(&self, lane: &LogLane) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let Settings { namespace, service, .. } = &self.settings;
        let at = SystemTime::now();
        for series in self.table.iter() {
            if let Some(seen) = series.drain() {
                let operation = series.operation();
                lane.push(Subject { namespace, service: service.as_deref(), operation }.line(at, &seen));
            }
        }
    }
}

// ===== impl Measured =====

impl Measured<'_> {
    fn class(&self) -> Class {
        Class::of(self.end, self.status, self.code)
    }

    /// Whether there is such an operation: a stranger may call any method of gRPC, and any path by any method of HTTP, but
    /// not have it go well.
    fn shows_existence(&self, operation: Operation<'_>, class: Class) -> bool {
        match class {
            _ if operation.is_call() => self.code == Some(Code::OK),
            Class::Good => self.status.is_some(),
            Class::Fault => self.status != Some(StatusCode::NOT_IMPLEMENTED),
            Class::Error | Class::Throttle => false,
        }
    }
}
