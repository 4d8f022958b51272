use serde::de::DeserializeOwned;

use super::{
    GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingSource, SamplingStatisticsDocument,
    call::{Call, read},
};
use crate::{aws::Client, outbox::Reason};

/// X-Ray itself, by a client for [`Service::XRAY`](crate::aws::Service::XRAY), for those who have no daemon. The credentials
/// need the permissions `xray:GetSamplingRules` and `xray:GetSamplingTargets`, as in the policy
/// `AWSXRayDaemonWriteAccess`.
impl SamplingSource for Client {
    async fn rules(&self, next_token: Option<&str>) -> Result<GetSamplingRulesOutput, Reason> {
        ask(self, Call::rules(next_token)?).await
    }

    async fn targets(
        &self,
        documents: &[SamplingStatisticsDocument],
    ) -> Result<GetSamplingTargetsOutput, Reason> {
        ask(self, Call::targets(documents)?).await
    }
}

async fn ask<T: DeserializeOwned>(client: &Client, call: Call) -> Result<T, Reason> {
    let Call { path, headers, body } = call;
    let answer = client.post(path, &headers, body).await;
    read(&answer.map_err(|error| Reason::new(error.reason()))?)
}
