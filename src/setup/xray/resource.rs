use super::env::Env;
use crate::{
    Error,
    outbox::Outbox,
    setup::service::version,
    xray::{
        XRayLayer,
        plugins::{Plugin, Plugins, PluginsBuilder},
    },
};

/// What the service is and runs on, and where its lines are.
#[derive(Debug)]
pub(super) struct Resource {
    /// None where nobody is asked.
    plugins: Option<PluginsBuilder>,
    log_groups: Vec<String>,
    version: Option<String>,
}

// ===== impl Resource =====

impl Resource {
    /// By `BELVEDERE_XRAY_PLUGINS`, `BELVEDERE_XRAY_LOG_GROUPS`, and `service.version` of `OTEL_RESOURCE_ATTRIBUTES`.
    ///
    /// # Errors
    ///
    /// When a plugin is none, or a variable that it needs cannot be used.
    pub(super) fn read(env: &Env) -> Result<Self, Error> {
        let plugins = env.words(PLUGINS).iter().map(|word| plugin(word)).collect::<Result<Vec<_>, _>>()?;
        let plugins = if plugins.is_empty() { None } else { Some(Plugins::lookup(plugins, env.lookup())?) };
        let log_groups = env.text(LOG_GROUPS).unwrap_or_default();
        let log_groups = log_groups.split(',').map(str::trim).filter(|group| !group.is_empty());
        let (log_groups, version) = (log_groups.map(str::to_owned).collect(), version(env));
        Ok(Self { plugins, log_groups, version })
    }

    /// Adds the group that lines of the same traces go into.
    pub(super) fn log_group(mut self, group: Option<String>) -> Self {
        let is_new = |group: &String| !self.log_groups.contains(group);
        let group = group.filter(is_new);
        self.log_groups.extend(group);
        self
    }

    /// Lets the plugins ask, and has the layer say what they find.
    pub(super) fn describe(self, layer: XRayLayer, outbox: &Outbox) -> XRayLayer {
        let Self { plugins, log_groups, version } = self;
        let layer = version.into_iter().fold(layer, XRayLayer::version);
        let layer = log_groups.into_iter().fold(layer, XRayLayer::log_group);
        match plugins {
            Some(plugins) => layer.plugins(plugins.start(outbox)),
            None => layer,
        }
    }
}

fn plugin(word: &str) -> Result<Plugin, Error> {
    match word {
        "ec2" => Ok(Plugin::Ec2),
        "ecs" => Ok(Plugin::Ecs),
        "eks" => Ok(Plugin::Eks),
        "elastic_beanstalk" => Ok(Plugin::ElasticBeanstalk),
        _ => Err(Error::invalid(PLUGINS, word, "write a list of ec2, ecs, eks and elastic_beanstalk")),
    }
}

pub(super) const PLUGINS: &str = "BELVEDERE_XRAY_PLUGINS";
pub(super) const LOG_GROUPS: &str = "BELVEDERE_XRAY_LOG_GROUPS";
