//! Why there was no answer.

use std::{error, fmt, io, iter};

use hyper_util::client::legacy;

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
        let kind = match () {
            () if chain(&source).any(is_tls) => Kind::Tls,
            () if source.is_connect() => Kind::Connect(no_connection(&source)),
            () => Kind::Exchange,
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

fn no_connection(error: &(dyn error::Error + 'static)) -> &'static str {
    let kind = chain(error).filter_map(|error| error.downcast_ref()).map(io::Error::kind).last();
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => "refused",
        Some(io::ErrorKind::TimedOut) => "connect timeout",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "unreachable",
        // The type is private, and so is its kind; a test pins the words.
        _ if chain(error).any(|error| error.to_string() == "dns error") => "dns",
        _ => "connect",
    }
}

fn is_tls(error: &(dyn error::Error + 'static)) -> bool {
    error.is::<rustls::Error>() || error.is::<rustls::pki_types::InvalidDnsNameError>()
}

/// The error and what lies beneath it. `io::Error` gives as its source what its inner error has as source, and hides
/// the inner error itself.
fn chain<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    iter::successors(Some(error), |error| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    })
}
