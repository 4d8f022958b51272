//! Credentials that are asked for once.

use std::{
    sync::PoisonError,
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError},
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout},
};

/// Keeps what a provider gave until shortly before it expires.
///
/// **C1, one asks.** Whoever asks holds the lock meanwhile; all others wait for it, and find the answer.
///
/// **C2, what there is stays.** While a provider fails, what it gave last is used on, expired or not: it is for the
/// service to say what it takes. The provider is asked again, and not more often than once in [`PAUSE`].
#[derive(Debug)]
pub(super) struct Cache {
    provider: SharedCredentialsProvider,
    kept: Mutex<Option<Kept>>,
    /// When others were last asked for because those that were kept were refused.
    replaced: std::sync::Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Kept {
    credentials: Credentials,
    /// When to ask for others. `None`: never.
    due: Option<Instant>,
}

// ===== impl Cache =====

impl Cache {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, kept: Mutex::default(), replaced: std::sync::Mutex::default() }
    }

    pub(super) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let kept = self.kept.lock().await;
        match &*kept {
            Some(Kept { credentials, due }) if due.is_none_or(|due| Instant::now() < due) => {
                Ok(credentials.clone())
            }
            _ => self.load(kept).await,
        }
    }

    /// Asks for others than `refused`, unless somebody has done so. Says whether there are others now.
    pub(super) async fn replace(&self, refused: &Credentials) -> bool {
        let kept = self.kept.lock().await;
        let current = match &*kept {
            Some(kept) if kept.credentials != *refused => Ok(kept.credentials.clone()),
            Some(kept) if !self.may_replace() => Ok(kept.credentials.clone()),
            _ => self.load(kept).await,
        };
        current.is_ok_and(|current| current != *refused)
    }

    /// Whether it is long enough since others were asked for. A service that refuses everything must not make each request ask.
    fn may_replace(&self) -> bool {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let may = replaced.is_none_or(|replaced| replaced.elapsed() >= PAUSE);
        if may {
            *replaced = Some(Instant::now());
        }
        may
    }

    async fn load(&self, mut kept: MutexGuard<'_, Option<Kept>>) -> Result<Credentials, CredentialsError> {
        let loaded = timeout(LIMIT, self.provider.provide_credentials()).await;
        match (loaded.unwrap_or(Err(CredentialsError::provider_timed_out(LIMIT))), &mut *kept) {
            (Ok(credentials), kept) => {
                *kept = Some(Kept { due: due(&credentials), credentials: credentials.clone() });
                Ok(credentials)
            }
            (Err(_), Some(kept)) => {
                kept.due = Some(Instant::now() + PAUSE);
                Ok(kept.credentials.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

fn due(credentials: &Credentials) -> Option<Instant> {
    let left = credentials.expiry()?.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left.saturating_sub(EARLY).max(PAUSE))
}

/// New ones are there [at least five minutes](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html)
/// before the old ones expire.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// A clock that is wrong, or an endpoint that has only expired ones, must not be asked for each request.
const PAUSE: Duration = Duration::from_secs(30);

/// A provider of the user's own may take as long as it likes; a request of telemetry may not.
const LIMIT: Duration = Duration::from_secs(10);
