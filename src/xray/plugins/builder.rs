use std::{collections::BTreeMap, path::PathBuf};

use super::{Plugin, Plugins, beanstalk, ec2, ecs::Ecs, eks::Eks, facts::Facts};
use crate::{
    Error,
    aws::{Imds, Machine, Variables},
    outbox::{Outbox, Reason, Sideline},
};

/// Whom to ask what the service runs on. Made by [`Plugins::lookup`].
#[derive(Clone, Debug)]
#[must_use = "call `.start(..)` to have them ask"]
pub struct PluginsBuilder {
    detectors: BTreeMap<Plugin, Detector>,
    machine: Machine,
}

#[derive(Clone, Debug)]
enum Detector {
    ElasticBeanstalk,
    Eks(Option<Eks>),
    Ecs(Ecs),
    Ec2(Option<Imds>),
}

// ===== impl Plugins =====

impl Plugins {
    /// Some of the plugins, by the variables that they need, which are looked up by `lookup`. It asks nobody yet.
    ///
    /// # Errors
    ///
    /// When a variable of a plugin has a value that cannot be used; the message names it.
    pub fn lookup(
        plugins: impl IntoIterator<Item = Plugin>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<PluginsBuilder, Error> {
        let variables = Variables(&lookup);
        let detector = |plugin| Ok((plugin, Detector::new(plugin, variables)?));
        let detectors = plugins.into_iter().map(detector).collect::<Result<_, Error>>()?;
        Ok(PluginsBuilder { detectors, machine: Machine::new(variables) })
    }
}

// ===== impl PluginsBuilder =====

impl PluginsBuilder {
    /// Where the files are that are read. Default: `/`.
    pub fn root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.machine.root = folder.into();
        self
    }

    /// Asks them on the outbox's thread, and returns at once.
    pub fn start(self, outbox: &Outbox) -> Plugins {
        let plugins = Plugins::default();
        let sideline = outbox.sideline(NAME);
        sideline.run(self.run(plugins.clone(), sideline.clone()));
        plugins
    }

    async fn run(self, plugins: Plugins, sideline: Sideline) {
        let Self { detectors, machine } = self;
        let (mut facts, mut missing) = (Facts::default(), Vec::new());
        for (plugin, detector) in &detectors {
            match detector.find(&machine).await {
                Ok(found) => facts.add(found),
                Err(reason) => {
                    let plugin = plugin.name();
                    tracing::debug!(target: "belvedere::xray", plugin, "found nothing: {reason}");
                    missing.push(format!("{plugin} {reason}"));
                }
            }
        }
        if !missing.is_empty() && missing.len() == detectors.len() {
            sideline.failed(1, Reason::new("nothing found").detail(missing.join(", ")));
        }
        plugins.finish(facts);
    }
}

// ===== impl Detector =====

impl Detector {
    fn new(plugin: Plugin, variables: Variables<'_>) -> Result<Self, Error> {
        match plugin {
            Plugin::ElasticBeanstalk => Ok(Self::ElasticBeanstalk),
            Plugin::Eks => Eks::new(variables).map(Self::Eks),
            Plugin::Ecs => Ecs::new(variables).map(Self::Ecs),
            Plugin::Ec2 => Imds::new(variables).map(Self::Ec2),
        }
    }

    async fn find(&self, machine: &Machine) -> Result<Facts, Reason> {
        let absent = || Reason::new("not there");
        match self {
            Self::ElasticBeanstalk => beanstalk::find(machine).await,
            Self::Eks(eks) => eks.as_ref().ok_or_else(absent)?.find(machine).await,
            Self::Ecs(ecs) => ecs.find(machine).await,
            Self::Ec2(imds) => ec2::find(imds.as_ref().ok_or_else(absent)?).await,
        }
    }
}

const NAME: &str = "xray plugins";
