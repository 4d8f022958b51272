use std::future::Future;

use super::{GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingStatisticsDocument};
use crate::outbox::Reason;

/// Where the central rules and their targets are had: X-Ray's API, or something before it.
///
/// An implementation must not block the thread, which is the outbox's. A call that takes longer than 20 s is given up;
/// dropping its future must be harmless. A panic is caught, and counts as a failure.
pub trait SamplingSource: Send + Sync + 'static {
    /// One page of the rules, the first where there is no token:
    /// [`GetSamplingRules`](https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingRules.html).
    fn rules(
        &self,
        next_token: Option<&str>,
    ) -> impl Future<Output = Result<GetSamplingRulesOutput, Reason>> + Send;

    /// Reports at most 25 rules' statistics, and has their targets:
    /// [`GetSamplingTargets`](https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html).
    fn targets(
        &self,
        documents: &[SamplingStatisticsDocument],
    ) -> impl Future<Output = Result<GetSamplingTargetsOutput, Reason>> + Send;
}
