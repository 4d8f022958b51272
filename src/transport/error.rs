//! Why there was no answer.

use std::{error, fmt};

use hyper_util::client::legacy;

use crate::exchange::Fault;

type Source = Box<dyn error::Error + Send + Sync>;

/// Why an exchange with a backend brought no answer. An answer with a bad status is not an error.
///
/// Its message says at what stage; the chain beneath is its [`source`](error::Error::source). None of it holds the
/// URL, a header or a body.
#[derive(Debug)]
pub struct HttpError {
    kind: Kind,
    source: Source,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Connect(&'static str),
    Tls,
    Timeout,
    Exchange,
}

// ===== impl HttpError =====

impl HttpError {
    /// The whole of it took too long.
    pub(super) fn timeout(source: tokio::time::error::Elapsed) -> Self {
        Self { kind: Kind::Timeout, source: source.into() }
    }

    /// The connection, or the request on it, failed.
    pub(super) fn request(source: legacy::Error) -> Self {
        let kind = match Fault::of(&source) {
            Some(Fault::SecureConnection) => Kind::Tls,
            fault if source.is_connect() => Kind::Connect(no_connection(fault)),
            _ => Kind::Exchange,
        };
        Self { kind, source: source.into() }
    }

    /// What was sent or received is not HTTP.
    pub(super) fn exchange(source: impl Into<Source>) -> Self {
        Self { kind: Kind::Exchange, source: source.into() }
    }

    /// No connection came about: the request was not sent.
    pub fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect(_))
    }

    /// The backend's certificate was not accepted, or TLS failed in another way.
    pub fn is_tls(&self) -> bool {
        self.kind == Kind::Tls
    }

    /// There was no whole answer in time. The backend may have taken what was sent.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// The exchange broke off, or the answer was not HTTP. The backend may have taken what was sent.
    pub fn is_exchange(&self) -> bool {
        self.kind == Kind::Exchange
    }

    /// A phrase to count under: `refused`, `dns`, `unreachable`, `connect timeout`, `connect`, `tls`, `timeout` or
    /// `broken`.
    pub fn reason(&self) -> &'static str {
        match self.kind {
            Kind::Connect(reason) => reason,
            Kind::Tls => "tls",
            Kind::Timeout => "timeout",
            Kind::Exchange => "broken",
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Connect(_) => "could not connect",
            Kind::Tls => "could not connect securely",
            Kind::Timeout => "no answer in time",
            Kind::Exchange => "the exchange broke off",
        })
    }
}

impl error::Error for HttpError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&*self.source)
    }
}

fn no_connection(fault: Option<Fault>) -> &'static str {
    match fault {
        Some(Fault::ConnectionRefused) => "refused",
        Some(Fault::Timeout) => "connect timeout",
        Some(Fault::HostUnreachable) => "unreachable",
        Some(Fault::NameResolution) => "dns",
        _ => "connect",
    }
}
