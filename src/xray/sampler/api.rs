//! What X-Ray's API says about sampling, in its own words.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A page of rules.
///
/// Like all that is read here, it passes over members that it does not know, and over items of a list that it cannot
/// read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GetSamplingRulesOutput {
    /// The rules.
    #[serde(deserialize_with = "readable")]
    pub sampling_rule_records: Vec<SamplingRuleRecord>,
    /// What the next page is asked for with; none after the last one.
    pub next_token: Option<String>,
}

/// A rule, and when it was made.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SamplingRuleRecord {
    /// The rule. It must be there to count.
    pub sampling_rule: Option<SamplingRule>,
    /// When it was made, in seconds since 1970.
    pub created_at: Option<f64>,
    /// When it was changed, in seconds since 1970.
    pub modified_at: Option<f64>,
}

/// A [sampling rule](https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html).
///
/// Which members a rule must have to count is told in [the module](super).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SamplingRule {
    /// Its name, up to 32 characters.
    pub rule_name: Option<String>,
    /// Its ARN.
    #[serde(rename = "RuleARN")]
    pub rule_arn: Option<String>,
    /// The resource that it is for. Only `*` counts.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: Option<String>,
    /// The rule with the smallest one comes first: 1 to 9999, and 10000 for `Default`.
    pub priority: Option<i64>,
    /// The share of requests that is recorded beyond the reservoir, from 0 to 1.
    pub fixed_rate: Option<f64>,
    /// How many requests are to be recorded in each second, by all services together.
    pub reservoir_size: Option<u64>,
    /// A pattern of the service's name.
    pub service_name: Option<String>,
    /// A pattern of what the service runs on.
    pub service_type: Option<String>,
    /// A pattern of the header `Host`.
    pub host: Option<String>,
    /// A pattern of the method.
    #[serde(rename = "HTTPMethod")]
    pub http_method: Option<String>,
    /// A pattern of the path.
    #[serde(rename = "URLPath")]
    pub url_path: Option<String>,
    /// The version of the rule's format. Only 1 counts.
    pub version: Option<i64>,
    /// Patterns of a segment's attributes. A rule that has some does not count.
    pub attributes: Option<BTreeMap<String, String>>,
}

/// What became of the requests that a rule was for, since the last report:
/// [its page](https://docs.aws.amazon.com/xray/latest/api/API_SamplingStatisticsDocument.html).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SamplingStatisticsDocument {
    /// The rule.
    pub rule_name: String,
    /// Who reports: 24 hexadecimal digits, the same for the life of the process.
    #[serde(rename = "ClientID")]
    pub client_id: String,
    /// How many requests the rule was for.
    pub request_count: u64,
    /// How many of them were recorded, borrowed ones among them.
    pub sampled_count: u64,
    /// How many of them were recorded without a quota.
    pub borrow_count: u64,
    /// When it was counted up, in seconds since 1970.
    pub timestamp: u64,
}

/// What services are to do.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GetSamplingTargetsOutput {
    /// For each rule that was reported.
    #[serde(deserialize_with = "readable")]
    pub sampling_target_documents: Vec<SamplingTargetDocument>,
    /// When a rule was last changed, in seconds since 1970.
    pub last_rule_modification: Option<f64>,
    /// What was reported and not understood.
    #[serde(deserialize_with = "readable")]
    pub unprocessed_statistics: Vec<UnprocessedStatistics>,
}

/// What a service is to do by a rule:
/// [its page](https://docs.aws.amazon.com/xray/latest/api/API_SamplingTargetDocument.html). What is absent stays as it was.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SamplingTargetDocument {
    /// The rule.
    pub rule_name: Option<String>,
    /// The share of requests that is recorded beyond the reservoir, from 0 to 1.
    pub fixed_rate: Option<f64>,
    /// How many requests this service is to record in each second.
    pub reservoir_quota: Option<u64>,
    /// When the quota ends, in seconds since 1970.
    #[serde(rename = "ReservoirQuotaTTL")]
    pub reservoir_quota_ttl: Option<f64>,
    /// When to report again, in seconds.
    pub interval: Option<u64>,
}

/// A report that was not understood:
/// [its page](https://docs.aws.amazon.com/xray/latest/api/API_UnprocessedStatistics.html).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UnprocessedStatistics {
    /// The rule.
    pub rule_name: Option<String>,
    /// What kind of error.
    pub error_code: Option<String>,
    /// What was wrong.
    pub message: Option<String>,
}

/// The items of a list that can be read; none where there is no list.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(list: D) -> Result<Vec<T>, D::Error> {
    let items = Option::<Vec<Value>>::deserialize(list)?.unwrap_or_default();
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}
