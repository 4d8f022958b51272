use std::time::Duration;

use http::Uri;
use serde::de::DeserializeOwned;

use super::{
    GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingSource, SamplingStatisticsDocument,
    call::{ANSWER, Call, read},
};
use crate::{Error, outbox::Reason, transport::HttpClient, xray::DaemonAddress};

/// The X-Ray daemon's TCP proxy, which signs what it is sent and hands it on to X-Ray.
///
/// The CloudWatch agent and the OpenTelemetry Collector's `awsproxy` are the same. Each call may take 10 s.
#[derive(Clone, Debug)]
pub struct DaemonProxy {
    client: HttpClient,
    base: String,
}

// ===== impl DaemonProxy =====

impl DaemonProxy {
    /// The proxy at the TCP part of an address. It is connected to when it is first needed, and names are resolved anew
    /// with each connection.
    ///
    /// # Errors
    ///
    /// When the transport cannot be built.
    pub fn new(address: &DaemonAddress) -> Result<Self, Error> {
        let client = HttpClient::builder().answer_bytes(ANSWER).build()?;
        Ok(Self { client, base: format!("http://{}", address.tcp()) })
    }

    async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Reason> {
        let Call { path, headers, body } = call;
        let uri: Uri = format!("{}{path}", self.base).parse().map_err(|_| Reason::new("address"))?;
        let answer = self.client.post(&uri, &headers, body, TIMEOUT).await;
        read(
            &answer
                .map_err(|error| Reason::new(error.reason()).detail(format!("{FALLBACK} {}", self.base)))?,
        )
    }
}

impl SamplingSource for DaemonProxy {
    async fn rules(&self, next_token: Option<&str>) -> Result<GetSamplingRulesOutput, Reason> {
        self.ask(Call::rules(next_token)?).await
    }

    async fn targets(
        &self,
        documents: &[SamplingStatisticsDocument],
    ) -> Result<GetSamplingTargetsOutput, Reason> {
        self.ask(Call::targets(documents)?).await
    }
}

const FALLBACK: &str =
    "until there are rules the fallback decides, which is 1 a second and 5 % if none was set; none from";
const TIMEOUT: Duration = Duration::from_secs(10);
