use super::{env::Env, given::Given};
use crate::{
    Error,
    aws::{Client, Service},
    outbox::Outbox,
    xray::{Api, DaemonAddress, SegmentLane},
};

/// Where segments go, by `BELVEDERE_XRAY_EXPORTER`.
#[derive(Debug)]
pub(super) enum Exporter {
    /// None where the environment names none.
    Daemon(Option<DaemonAddress>),
    Api(Box<Client>),
    None,
}

// ===== impl Exporter =====

impl Exporter {
    /// # Errors
    ///
    /// When it is none of these, a daemon's address is none, or X-Ray itself cannot be reached for want of a region.
    pub(super) fn read(env: &Env, given: Option<&Client>) -> Result<Self, Error> {
        let default = if given.is_some() { API } else { DAEMON };
        let word = env.text(EXPORTER).unwrap_or_else(|| default.to_owned());
        match word.to_ascii_lowercase().as_str() {
            DAEMON => DaemonAddress::lookup(env.lookup()).map(Self::Daemon),
            API => api(env, given).map(|client| Self::Api(Box::new(client))),
            NONE => Ok(Self::None),
            _ => Err(Error::invalid(EXPORTER, &word, "write daemon, api or none")),
        }
    }

    /// Whether the environment says where segments go.
    pub(super) fn is_named(env: &Env) -> bool {
        match env.text(EXPORTER).map(|word| word.to_ascii_lowercase()).as_deref() {
            Some(API) => true,
            Some(NONE) => false,
            _ => env.text("AWS_XRAY_DAEMON_ADDRESS").is_some(),
        }
    }

    /// Opens the lanes, to here and to the further daemons.
    pub(super) fn lane(&self, outbox: &Outbox, given: &Given) -> SegmentLane {
        let daemon = |address: &DaemonAddress| SegmentLane::daemon(outbox, given.daemon(address.clone()));
        let own = match self {
            Self::Daemon(Some(address)) => daemon(address),
            Self::Daemon(None) if given.also.is_empty() => daemon(&DaemonAddress::default()),
            Self::Api(client) => SegmentLane::api(outbox, Api::new((**client).clone())),
            Self::Daemon(None) | Self::None => SegmentLane::none(),
        };
        given.also.iter().fold(own, |lane, address| lane.and(daemon(address)))
    }
}

/// The client that code has given, or one by the environment.
fn api(env: &Env, given: Option<&Client>) -> Result<Client, Error> {
    let by_env = || Client::lookup(Service::XRAY, env.lookup());
    given.cloned().map_or_else(by_env, Ok)
}

/// What names where segments go, and is read only where they are made.
pub(super) const EXPORTER: &str = "BELVEDERE_XRAY_EXPORTER";
const DAEMON: &str = "daemon";
const API: &str = "api";
const NONE: &str = "none";
