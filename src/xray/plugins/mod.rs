//! What a service runs on: an instance, a container, an environment of AWS's.
//!
//! Whoever runs on AWS can have it in each segment: as its `origin`, which the service map draws, in its `aws` block, and as
//! the log groups whose lines the console shows beside the trace.
//!
//! ```no_run
//! use belvedere::{
//!     outbox::Outbox,
//!     xray::{XRayLayer, plugins::{Plugin, Plugins}},
//! };
//!
//! let outbox = Outbox::builder().start()?;
//! let plugins = Plugins::lookup([Plugin::Ecs, Plugin::Ec2], |name| std::env::var(name).ok())?.start(&outbox);
//! let layer = XRayLayer::new("checkout", &outbox).plugins(plugins);
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! # Who is asked
//!
//! Nobody, unless its plugin is named; AWS's SDKs call them so. Everything below is asked once, on the outbox's thread, after
//! [`PluginsBuilder::start`] has returned: neither the start nor a request waits for it. Segments that begin later have what
//! was found.
//!
//! | plugin | asks | for | at most |
//! |---|---|---|---|
//! | [`ElasticBeanstalk`](Plugin::ElasticBeanstalk) | `/var/elasticbeanstalk/xray/environment.conf` | environment, version, deployment | 2 s |
//! | [`Eks`](Plugin::Eks) | the host's name, `/proc/self/cgroup`, and the Kubernetes API, by the pod's service account, for the config map `cluster-info` in `amazon-cloudwatch` | pod, container, cluster; the log group of Container Insights | 2 s each |
//! | [`Ecs`](Plugin::Ecs) | the host's name, `/proc/self/cgroup`, and `ECS_CONTAINER_METADATA_URI_V4` or `ECS_CONTAINER_METADATA_URI` | container, its id and ARN, the account; the log group of the driver `awslogs` | 2 s each |
//! | [`Ec2`](Plugin::Ec2) | the instance's metadata (IMDSv2), by the variables of [`CredentialsChain`](crate::aws::CredentialsChain) | instance, zone, size, image, account | twice 1 s |
//!
//! They are asked in this order, from the most specific to the least. The first that is there is the origin; what the others
//! find stands in the `aws` block beside it.
//!
//! # What is missing, and why
//!
//! What does not answer, answers in another form, or answers at more length than it should (64 KiB), is left out, and is not
//! asked again. Each plugin that finds nothing is a line of the level debug; when none finds anything, that is one
//! [`OutboxEvent::Failed`](crate::outbox::OutboxEvent::Failed).
//!
//! - In a container on an instance the metadata may be one hop too far: allow
//!   [a hop limit of 2](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-existing-instances.html), or leave
//!   `Ec2` out.
//! - The cluster's name is there if Container Insights made the config map, and if the service account may `get` it. Any
//!   Kubernetes is taken for EKS.

mod beanstalk;
mod builder;
mod cgroup;
mod ec2;
mod ecs;
mod eks;
mod facts;
mod plugin;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use self::facts::Facts;
pub use self::{builder::PluginsBuilder, plugin::Plugin};
use super::Origin;

/// What the service runs on, as far as it is known by now. Clones share it.
///
/// See [the module](self) for who is asked.
#[derive(Clone, Default)]
pub struct Plugins {
    found: Arc<OnceLock<Facts>>,
}

// ===== impl Plugins =====

impl Plugins {
    /// The kind of resource that the service runs on. `None`: none was found, or not yet.
    pub fn origin(&self) -> Option<&Origin> {
        self.facts()?.origin.as_ref()
    }

    /// Whether everything that was to be asked has been.
    pub fn is_done(&self) -> bool {
        self.facts().is_some()
    }

    pub(super) fn facts(&self) -> Option<&Facts> {
        self.found.get()
    }

    fn finish(&self, facts: Facts) {
        let _ = self.found.set(facts);
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").field("found", &self.found.get()).finish()
    }
}
