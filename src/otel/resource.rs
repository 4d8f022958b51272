use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use opentelemetry_sdk::Resource;

/// What a provider says of the service; known once the provider is built.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedResource(Arc<OnceLock<Mutex<Resource>>>);

// ===== impl SharedResource =====

impl SharedResource {
    pub(super) fn set(&self, resource: &Resource) {
        let cell = self.0.get_or_init(|| Mutex::new(resource.clone()));
        *cell.lock().unwrap_or_else(PoisonError::into_inner) = resource.clone();
    }

    pub(super) fn get(&self) -> Option<Resource> {
        self.0.get().map(|cell| cell.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
