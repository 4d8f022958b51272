use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    json::Json,
    lenient,
    text::{Text, texts},
};

/// What AWS has to do with it: on a segment the resource that the service runs on, on a subsegment the call to an AWS
/// service.
///
/// See [the guide](https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Aws {
    /// The account that the service runs in; on a subsegment the account of the resource, if it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text>,
    /// The log groups of the service: the console shows their lines beside the trace. On segments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cloudwatch_logs: Vec<CloudWatchLogs>,
    /// The instance. On segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ec2: Option<Ec2>,
    /// The container, if it is one of ECS. On segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecs: Option<Ecs>,
    /// The container, if it is one of EKS. On segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eks: Option<Eks>,
    /// The environment of Elastic Beanstalk. On segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elastic_beanstalk: Option<ElasticBeanstalk>,
    /// What made the segment. On segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xray: Option<Xray>,
    /// The action that was called: `GetItem`. On subsegments, as all that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Text>,
    /// The region that was called, if it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
    /// The id that AWS gave the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Text>,
    /// The second id that S3 gives a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_2: Option<Text>,
    /// The queue of SQS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_url: Option<Text>,
    /// The table of DynamoDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_name: Option<Text>,
    /// The tables of DynamoDB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub table_names: Vec<Text>,
    /// Any other resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<Text>,
    /// How often the call was tried again.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub retries: Option<u64>,
    /// What the call took of DynamoDB's capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumed_capacity: Option<Json>,
}

/// A log group of CloudWatch.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CloudWatchLogs {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<Text>,
    /// Its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Text>,
}

/// An instance of EC2.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Ec2 {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<Text>,
    /// Its availability zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<Text>,
    /// Its type; the SDK for Python calls it `instance_type`.
    #[serde(alias = "instance_type", skip_serializing_if = "Option::is_none")]
    pub instance_size: Option<Text>,
    /// Its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ami_id: Option<Text>,
}

/// A container of ECS.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Ecs {
    /// Its host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Text>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<Text>,
    /// Its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_arn: Option<Text>,
}

/// A container of EKS.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Eks {
    /// Its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Text>,
    /// Its cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<Text>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<Text>,
}

/// An environment of Elastic Beanstalk.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ElasticBeanstalk {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_name: Option<Text>,
    /// The version of the application in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_label: Option<Text>,
    /// The number of the deployment.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<u64>,
}

/// What made a segment.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Xray {
    /// The name of the library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Text>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<Text>,
    /// Whether it was added without a change of the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_instrumentation: Option<bool>,
    /// The sampling rule that kept the trace; the SDK for Node.js calls it `rule_name`.
    #[serde(alias = "rule_name", skip_serializing_if = "Option::is_none")]
    pub sampling_rule_name: Option<Text>,
}

// ===== impl CloudWatchLogs =====

/// By its name, or by its ARN, which has the name in it.
///
/// ```
/// use belvedere::xray::CloudWatchLogs;
///
/// let logs = CloudWatchLogs::from("arn:aws:logs:eu-west-1:111122223333:log-group:/shop/checkout:*");
/// assert_eq!(logs.log_group.unwrap(), "/shop/checkout");
/// assert_eq!(CloudWatchLogs::from("/shop/checkout").log_group.unwrap(), "/shop/checkout");
/// ```
impl<T: Into<Cow<'static, str>>> From<T> for CloudWatchLogs {
    fn from(text: T) -> Self {
        let text = text.into();
        let Some(name) = name_in(&text).map(str::to_owned) else {
            return Self { log_group: Some(text.into()), arn: None };
        };
        let arn = text.strip_suffix(":*").map_or_else(|| text.clone(), |arn| arn.to_owned().into());
        Self { log_group: Some(name.into()), arn: Some(arn.into()) }
    }
}

/// The name of a log group in its ARN.
fn name_in(arn: &str) -> Option<&str> {
    let (_, name) = arn.strip_prefix("arn:")?.split_once(":log-group:")?;
    name.split(':').next()
}

// ===== impl Xray =====

impl Xray {
    /// This crate and its version.
    pub fn belvedere() -> Self {
        Self {
            sdk: Some(env!("CARGO_PKG_NAME").into()),
            sdk_version: Some(env!("CARGO_PKG_VERSION").into()),
            ..Self::default()
        }
    }
}

texts! {
    Aws: account_id, cloudwatch_logs, ec2, ecs, eks, elastic_beanstalk, xray, operation, region, request_id, id_2,
        queue_url, table_name, table_names, resource_names;
    CloudWatchLogs: log_group, arn;
    Ec2: instance_id, availability_zone, instance_size, ami_id;
    Ecs: container, container_id, container_arn;
    Eks: pod, cluster_name, container_id;
    ElasticBeanstalk: environment_name, version_label;
    Xray: sdk, sdk_version, sampling_rule_name;
}
