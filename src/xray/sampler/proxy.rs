use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::CONTENT_TYPE,
    uri::{Authority, PathAndQuery, Scheme},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingSource, SamplingStatisticsDocument};
use crate::{
    Error,
    outbox::Reason,
    transport::{Answer, HttpClient},
};

/// The X-Ray daemon's TCP proxy, which signs what it is sent and hands it on to X-Ray.
///
/// The CloudWatch agent and the OpenTelemetry Collector's `awsproxy` are the same. Each call may take 10 s.
#[derive(Clone, Debug)]
pub struct DaemonProxy {
    client: HttpClient,
    rules: Uri,
    targets: Uri,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSamplingRulesInput<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSamplingTargetsInput<'a> {
    sampling_statistics_documents: &'a [SamplingStatisticsDocument],
}

// ===== impl DaemonProxy =====

impl DaemonProxy {
    /// The proxy at a host and port: `127.0.0.1:2000`, which is where a daemon listens unless told otherwise, or
    /// `[::1]:2000`. It is connected to when it is first needed, and names are resolved anew with each connection.
    ///
    /// # Errors
    ///
    /// When it is no host and port.
    pub fn new(address: &str) -> Result<Self, Error> {
        let authority = address.parse::<Authority>().ok().filter(|authority| {
            authority.port_u16().is_some() && !authority.host().is_empty() && !address.contains('@')
        });
        let advice = "give a host and a port, such as 127.0.0.1:2000";
        let authority =
            authority.ok_or_else(|| Error::invalid("the X-Ray daemon's TCP address", address, advice))?;
        let [rules, targets] = [RULES, TARGETS].map(|path| uri(authority.clone(), path));
        Ok(Self { client: HttpClient::builder().build()?, rules, targets })
    }

    async fn ask<T: DeserializeOwned>(&self, uri: &Uri, input: &impl Serialize) -> Result<T, Reason> {
        let body = serde_json::to_vec(input).map_err(|_| Reason::new("unwritable"))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let answer = self.client.post(uri, &headers, Bytes::from(body), TIMEOUT).await;
        read(&answer.map_err(|error| Reason::new(error.reason()))?)
    }
}

impl SamplingSource for DaemonProxy {
    async fn rules(&self, next_token: Option<&str>) -> Result<GetSamplingRulesOutput, Reason> {
        self.ask(&self.rules, &GetSamplingRulesInput { next_token }).await
    }

    async fn targets(
        &self,
        documents: &[SamplingStatisticsDocument],
    ) -> Result<GetSamplingTargetsOutput, Reason> {
        self.ask(&self.targets, &GetSamplingTargetsInput { sampling_statistics_documents: documents }).await
    }
}

fn uri(authority: Authority, path: &'static str) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query = Some(PathAndQuery::from_static(path));
    Uri::from_parts(parts).expect("it has all its parts")
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Reason> {
    if answer.status != StatusCode::OK {
        let words = String::from_utf8_lossy(&answer.body);
        return Err(Reason::new(format!("http {}", answer.status.as_u16())).detail(words.trim()));
    }
    serde_json::from_slice(&answer.body).map_err(|error| Reason::new("unreadable").detail(error.to_string()))
}

const RULES: &str = "/GetSamplingRules";
const TARGETS: &str = "/SamplingTargets";
const TIMEOUT: Duration = Duration::from_secs(10);
