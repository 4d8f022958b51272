use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, OnceLock, Weak},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep_until, timeout};

use super::{
    GetSamplingTargetsOutput, SamplingRuleRecord, SamplingSource, SamplingStatisticsDocument,
    UnprocessedStatistics,
    central::Central,
    rule::{Counts, Moment},
};
use crate::outbox::{Reason, Sideline};

/// What keeps central rules up to date. It ends with the sampler.
pub(super) struct Poller<S> {
    central: Weak<Central>,
    source: S,
    sideline: Sideline,
    failures: u64,
    /// How long to wait after the next failure to have rules.
    pause: Duration,
    /// When the present rules were asked for, in seconds since 1970.
    fetched: f64,
    /// The last change of a rule that rules were asked for again because of.
    modified: f64,
}

// ===== impl Poller =====

impl<S: SamplingSource> Poller<S> {
    pub(super) fn new(central: Weak<Central>, source: S, sideline: Sideline) -> Self {
        Self { central, source, sideline, failures: 0, pause: TARGETS, fetched: 0.0, modified: 0.0 }
    }

    pub(super) async fn run(mut self) {
        let mut rules_due = Instant::now();
        let mut targets_due = rules_due + jittered(TARGETS, TARGETS_JITTER);
        while self.central.strong_count() > 0 {
            let now = Instant::now();
            if rules_due <= now {
                rules_due = now + self.poll_rules().await;
            }
            if targets_due <= now {
                targets_due = now + jittered(TARGETS, TARGETS_JITTER);
                if self.poll_targets().await {
                    rules_due = now;
                }
            }
            sleep_until(rules_due.min(targets_due)).await;
        }
    }

    /// Has the rules, and says how long they are good.
    async fn poll_rules(&mut self) -> Duration {
        let asked = Moment::now();
        match self.fetch().await {
            Ok(records) => {
                if let Some(central) = self.central.upgrade() {
                    central.replace(records, asked.now);
                }
                self.fetched = asked.epoch;
                self.pause = TARGETS;
                jittered(RULES, RULES_JITTER)
            }
            Err(reason) => {
                self.failed(reason);
                let pause = self.pause;
                self.pause = (pause * 2).min(RULES);
                jittered(pause, TARGETS_JITTER)
            }
        }
    }

    /// All pages of the rules.
    async fn fetch(&self) -> Result<Vec<SamplingRuleRecord>, Reason> {
        let (mut records, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let page = call(async { self.source.rules(token.as_deref()).await }).await?;
            records.extend(page.sampling_rule_records);
            if records.len() > MOST_RULES {
                return Err(Reason::new("endless").detail("there are more rules than an account may have"));
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(records);
            }
        }
        Err(Reason::new("endless").detail("one page of the rules led to another"))
    }

    /// Reports and has targets, and says whether rules are to be had as well.
    async fn poll_targets(&mut self) -> bool {
        let Some(central) = self.central.upgrade() else { return false };
        let reported = Moment::now();
        let documents =
            central.reports(reported.now).into_iter().map(|report| document(report, reported.epoch));
        let documents: Vec<_> = documents.collect();
        drop(central);
        let mut have_rules_changed = false;
        for documents in documents.chunks(MOST_DOCUMENTS) {
            match call(async { self.source.targets(documents).await }).await {
                Ok(output) => have_rules_changed |= self.take(&output, reported.now),
                Err(reason) => self.failed(reason),
            }
        }
        have_rules_changed
    }

    fn take(&mut self, output: &GetSamplingTargetsOutput, reported: Instant) -> bool {
        let GetSamplingTargetsOutput {
            sampling_target_documents,
            last_rule_modification,
            unprocessed_statistics,
        } = output;
        if let Some(central) = self.central.upgrade() {
            central.aim(sampling_target_documents, reported, Moment::now());
        }
        for unprocessed in unprocessed_statistics.iter().take(MOST_DOCUMENTS) {
            self.failed(reason(unprocessed));
        }
        let is_unknown = unprocessed_statistics.iter().any(is_of_the_caller);
        let modified = last_rule_modification.unwrap_or_default();
        // A clock that is behind must not have the rules asked for after every report.
        let is_modified = modified > self.fetched && modified > self.modified;
        self.modified = self.modified.max(modified);
        is_modified || is_unknown
    }

    fn failed(&mut self, reason: Reason) {
        self.failures += 1;
        self.sideline.failed(self.failures, reason);
    }
}

// ===== impl Moment =====

impl Moment {
    fn now() -> Self {
        let epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self { now: Instant::now(), epoch: epoch.as_secs_f64() }
    }
}

/// Waits for the source, no longer than it may take. Its panic is an answer too.
async fn call<T>(work: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    let mut work = pin!(work);
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(_) => Err(Reason::new("panic")).into(),
    });
    timeout(LONGEST_CALL, caught).await.unwrap_or_else(|_| Err(Reason::new("timeout")))
}

fn document((rule_name, counts): (Arc<str>, Counts), epoch: f64) -> SamplingStatisticsDocument {
    let Counts { requests, sampled, borrowed } = counts;
    SamplingStatisticsDocument {
        rule_name: (*rule_name).to_owned(),
        client_id: client_id().to_owned(),
        request_count: requests,
        sampled_count: sampled,
        borrow_count: borrowed,
        timestamp: epoch as u64,
    }
}

/// Who this process is.
fn client_id() -> &'static str {
    static CLIENT_ID: OnceLock<String> = OnceLock::new();
    CLIENT_ID.get_or_init(|| format!("{:024x}", fastrand::u128(..) >> 32))
}

fn reason(unprocessed: &UnprocessedStatistics) -> Reason {
    let UnprocessedStatistics { rule_name, error_code, message } = unprocessed;
    let texts = [rule_name, error_code, message].map(|text| text.as_deref().unwrap_or_default());
    Reason::new("unprocessed").detail(texts.join(" "))
}

/// Whether what was reported is wrong, such as a rule that is no more.
fn is_of_the_caller(unprocessed: &UnprocessedStatistics) -> bool {
    unprocessed.error_code.as_deref().is_some_and(|code| code.starts_with('4'))
}

fn jittered(pause: Duration, jitter: Duration) -> Duration {
    pause + jitter.mul_f64(fastrand::f64())
}

const RULES: Duration = Duration::from_secs(300);
const RULES_JITTER: Duration = Duration::from_secs(5);
const TARGETS: Duration = Duration::from_secs(10);
const TARGETS_JITTER: Duration = Duration::from_millis(100);
const LONGEST_CALL: Duration = Duration::from_secs(20);

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html>
const MOST_DOCUMENTS: usize = 25;

/// Requests wait while they are looked through. An account has [25] unless AWS allows it more.
///
/// [25]: https://docs.aws.amazon.com/general/latest/gr/xray.html
const MOST_RULES: usize = 1_000;

/// Pages that lead in a circle must come to an end.
const MOST_PAGES: usize = 100;
