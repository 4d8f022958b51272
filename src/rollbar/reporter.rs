use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{ItemLane, Project};
use crate::scrub::Scrubber;

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
    pub(super) project: Project,
    pub(super) scrubber: Scrubber,
}

/// The one for what happens in no request.
static GLOBAL: RwLock<Option<Reporter>> = RwLock::new(None);

// ===== impl Reporter =====

impl Reporter {
    pub(super) fn new(lane: ItemLane) -> Self {
        let settings = Settings {
            lane,
            environment: PRODUCTION.to_owned(),
            code_version: None,
            framework: None,
            project: Project::default(),
            scrubber: Scrubber::default(),
        };
        Self { settings: Arc::new(settings) }
    }

    /// Makes it the one that reports what happens outside of requests, panics among it, in place of any earlier one. It
    /// does so until the process ends, and keeps its lane open no longer than the outbox is.
    pub fn install(&self) {
        super::watch_panics();
        *GLOBAL.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
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
