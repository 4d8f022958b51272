use super::env::Env;
use crate::{exchange::AddressPolicy, outbox::Outbox, scrub::Scrubber, trace::Propagation};

/// What every backend is started with.
#[derive(Debug)]
pub(super) struct Start<'a> {
    #[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "the others have read all of it before"))]
    pub(super) env: &'a Env,
    pub(super) outbox: &'a Outbox,
    pub(super) propagation: &'a Propagation,
    pub(super) scrubber: &'a Scrubber,
    pub(super) addresses: AddressPolicy,
    /// Whether what there is once in a process is set.
    #[cfg_attr(
        not(any(feature = "otel", feature = "rollbar", feature = "xray")),
        allow(dead_code, reason = "CloudWatch Logs has none of it")
    )]
    pub(super) global: bool,
    /// Where lines of the same traces go.
    #[cfg_attr(not(feature = "xray"), allow(dead_code, reason = "segments say it"))]
    pub(super) log_group: Option<String>,
}
