use serde::Deserialize;

use super::{cgroup, facts::Facts};
use crate::{
    Error,
    aws::{EcsMetadata, Machine, Variables},
    outbox::Reason,
    xray::{self, Aws, CloudWatchLogs, Origin},
};

/// The [task metadata endpoint](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html),
/// if there is one.
#[derive(Clone, Debug)]
pub(super) struct Ecs {
    metadata: Option<EcsMetadata>,
}

/// What it tells about the container.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Container {
    docker_id: Option<String>,
    #[serde(rename = "ContainerARN")]
    container_arn: Option<String>,
    log_options: Option<LogOptions>,
}

/// Options of the log driver; only `awslogs` has these.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LogOptions {
    #[serde(rename = "awslogs-group")]
    group: Option<String>,
    #[serde(rename = "awslogs-region")]
    region: Option<String>,
}

/// What an ARN says about where its resource is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
}

// ===== impl Ecs =====

impl Ecs {
    pub(super) fn new(variables: Variables<'_>) -> Result<Self, Error> {
        Ok(Self { metadata: EcsMetadata::new(variables)? })
    }

    pub(super) async fn find(&self, machine: &Machine) -> Result<Facts, Reason> {
        let cgroup = machine.cgroup().await;
        if self.metadata.is_none() && !cgroup::is_ecs(&cgroup) {
            return Err(Reason::new("not there"));
        }
        let Container { docker_id, container_arn, log_options } = self.container().await.unwrap_or_default();
        let place = container_arn.as_deref().and_then(Place::of);
        let id = docker_id.or_else(|| cgroup::container_id(&cgroup).map(str::to_owned));
        let aws = Aws {
            account_id: place.map(|place| place.account.to_owned().into()),
            cloudwatch_logs: log_options.and_then(|options| options.logs(place)).into_iter().collect(),
            ecs: Some(xray::Ecs {
                container: machine.name().await.map(Into::into),
                container_id: id.map(Into::into),
                container_arn: container_arn.map(Into::into),
            }),
            ..Aws::default()
        };
        Ok(Facts::new(Origin::EcsContainer, aws))
    }

    async fn container(&self) -> Option<Container> {
        serde_json::from_slice(&self.metadata.as_ref()?.get("").await?).ok()
    }
}

// ===== impl LogOptions =====

impl LogOptions {
    /// The log group, with its ARN if it is known where the container is.
    fn logs(self, place: Option<Place<'_>>) -> Option<CloudWatchLogs> {
        let Self { group, region } = self;
        let group = group.filter(|group| !group.is_empty())?;
        let arn = place.map(|Place { partition, region: own, account }| {
            let region = region.as_deref().unwrap_or(own);
            format!("arn:{partition}:logs:{region}:{account}:log-group:{group}")
        });
        Some(CloudWatchLogs { log_group: Some(group.into()), arn: arn.map(Into::into) })
    }
}

// ===== impl Place =====

impl<'a> Place<'a> {
    /// By an ARN, such as `arn:aws:ecs:us-west-2:111122223333:container/shop/05966557`.
    fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let ("arn", partition, _) = (parts.next()?, parts.next()?, parts.next()?) else { return None };
        let (region, account, _) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { partition, region, account })
    }
}
