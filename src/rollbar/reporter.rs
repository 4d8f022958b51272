use std::{
    fmt, fs, process,
    sync::{Arc, Once, PoisonError, RwLock},
};

use super::{ItemLane, Place, Project, Server, Stack, report::watch_panics};
use crate::{exchange::Calls, scrub::Scrubber};

/// What reports: a lane, and what all its items have in common. Clones share it.
#[derive(Clone)]
pub struct Reporter {
    settings: Arc<Settings>,
}

/// What a user has set about items.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) lane: ItemLane,
    pub(super) environment: String,
    pub(super) code_version: Option<String>,
    pub(super) framework: Option<String>,
    pub(super) host: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) project: Project,
    /// Where the layer was made, from which the project is known, once.
    made: Arc<(Stack, Place, Once)>,
    pub(super) scrubber: Scrubber,
    /// What a stranger calls must not become the name of an item each.
    pub(super) calls: Arc<Calls>,
}

/// The one for what happens in no request.
static GLOBAL: RwLock<Option<Reporter>> = RwLock::new(None);

// ===== impl Reporter =====

impl Reporter {
    #[track_caller]
    pub(super) fn new(lane: ItemLane) -> Self {
        let settings = Settings {
            lane,
            environment: PRODUCTION.to_owned(),
            code_version: None,
            framework: None,
            host: host(),
            branch: None,
            project: Project::default(),
            made: Arc::new((Stack::capture(), Place::here(), Once::new())),
            scrubber: Scrubber::default(),
            calls: Arc::default(),
        };
        Self { settings: Arc::new(settings) }
    }

    /// Makes it the one that reports what happens outside of requests, panics among it, in place of any earlier one. It
    /// does so until the process ends, and keeps its lane open no longer than the outbox is.
    pub fn install(&self) {
        watch_panics();
        *GLOBAL.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
    }

    /// Takes the place of the one that was installed, if that sends by the same lane.
    pub(crate) fn succeed(&self) {
        let mut global = GLOBAL.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(global) = global.as_mut().filter(|global| global.settings.lane.is(&self.settings.lane)) {
            *global = self.clone();
        }
    }

    /// The one that was installed.
    pub(super) fn global() -> Option<Self> {
        // A panic may come while the lock is held; who cannot look has nobody to tell.
        GLOBAL.try_read().ok()?.clone()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

// ===== impl Settings =====

impl Settings {
    /// The project, which has seen where the layer was made. It may take long.
    pub(super) fn project(&self) -> &Project {
        let (stack, place, once) = &*self.made;
        once.call_once(|| self.project.learn(stack, place));
        &self.project
    }

    /// The machine, and the process on it.
    pub(super) fn server(&self) -> Server {
        Server {
            host: self.host.clone().map(Into::into),
            root: Some(self.project.root().to_owned()).filter(|root| !root.is_empty()),
            branch: self.branch.clone().map(Into::into),
            code_version: self.code_version.clone().map(Into::into),
            pid: Some(process::id()),
            ..Server::default()
        }
    }
}

/// As the system has it.
fn host() -> Option<String> {
    let name =
        fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    let name = name.ok().or_else(|| std::env::var("HOSTNAME").ok())?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { lane, environment, code_version, framework, project, .. } = self.settings();
        f.debug_struct("Reporter")
            .field("lane", lane)
            .field("environment", environment)
            .field("code_version", code_version)
            .field("framework", framework)
            .field("project", project)
            .finish_non_exhaustive()
    }
}

const PRODUCTION: &str = "production";
