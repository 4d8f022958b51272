//! The two calls of sampling, as X-Ray and its daemon take them.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};

use super::SamplingStatisticsDocument;
use crate::{outbox::Reason, transport::Answer};

/// A call: where it is posted to, and what.
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
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

// ===== impl Call =====

impl Call {
    /// <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingRules.html>
    pub(super) fn rules(next_token: Option<&str>) -> Result<Self, Reason> {
        Self::new(RULES, &GetSamplingRulesInput { next_token })
    }

    /// <https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html>
    pub(super) fn targets(documents: &[SamplingStatisticsDocument]) -> Result<Self, Reason> {
        Self::new(TARGETS, &GetSamplingTargetsInput { sampling_statistics_documents: documents })
    }

    fn new(path: &'static str, input: &impl Serialize) -> Result<Self, Reason> {
        let body = serde_json::to_vec(input).map_err(|_| Reason::new("unwritable"))?.into();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Ok(Self { path, headers, body })
    }
}

/// What was answered, if it was good.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Reason> {
    if answer.status != StatusCode::OK {
        let words = String::from_utf8_lossy(&answer.body);
        return Err(Reason::new(format!("http {}", answer.status.as_u16())).detail(words.trim()));
    }
    serde_json::from_slice(&answer.body).map_err(|error| Reason::new("unreadable").detail(error.to_string()))
}

/// A page of rules may be longer than an answer to records.
pub(super) const ANSWER: usize = 4 * 1024 * 1024;

const RULES: &str = "/GetSamplingRules";
const TARGETS: &str = "/SamplingTargets";
