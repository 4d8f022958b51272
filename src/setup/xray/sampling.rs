use std::fs;

use super::{env::Env, exporter::Exporter};
use crate::{
    Error,
    aws::Client,
    outbox::Outbox,
    xray::{DaemonAddress, Sampler, sampler::DaemonProxy},
};

/// Who decides which requests are recorded.
#[derive(Debug)]
pub(super) enum Sampling {
    /// Rules of a file, or AWS's default where there is nobody to ask.
    Local(Sampler),
    /// The account's rules, by a daemon.
    Daemon(Box<DaemonProxy>),
    /// The account's rules, by X-Ray itself.
    Api(Box<Client>),
}

// ===== impl Sampling =====

impl Sampling {
    /// The rules of `BELVEDERE_XRAY_SAMPLING_RULES`, or else those of the account, had where segments go.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has no rules in it; when the system cannot do TLS.
    pub(super) fn read(env: &Env, exporter: &Exporter, also: &[DaemonAddress]) -> Result<Self, Error> {
        if let Some(path) = env.text(RULES) {
            return file(&path).map(Self::Local);
        }
        let proxy =
            |address: &DaemonAddress| DaemonProxy::new(address).map(|proxy| Self::Daemon(Box::new(proxy)));
        match (exporter, also) {
            (Exporter::Api(client), _) => Ok(Self::Api(client.clone())),
            (Exporter::Daemon(Some(address)), _) | (_, [address, ..]) => proxy(address),
            (Exporter::Daemon(None), []) => proxy(&DaemonAddress::default()),
            (Exporter::None, []) => Ok(Self::Local(Sampler::default())),
        }
    }

    /// It asks for nothing before the first request.
    pub(super) fn sampler(self, outbox: &Outbox) -> Sampler {
        match self {
            Self::Local(sampler) => sampler,
            Self::Daemon(proxy) => Sampler::central(*proxy, Sampler::default(), outbox),
            Self::Api(client) => Sampler::central(*client, Sampler::default(), outbox),
        }
    }

    /// For a person.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Local(_) => "local rules",
            Self::Daemon(_) | Self::Api(_) => "the account's rules",
        }
    }
}

fn file(path: &str) -> Result<Sampler, Error> {
    let json = fs::read_to_string(path)
        .map_err(|error| Error::invalid(RULES, path, format_args!("cannot be read: {error}")))?;
    Sampler::rules(&json).map_err(|error| Error::invalid(RULES, path, error))
}

pub(super) const RULES: &str = "BELVEDERE_XRAY_SAMPLING_RULES";
