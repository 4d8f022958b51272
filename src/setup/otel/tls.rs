use std::fs;

use super::{env::Env, signal::Signal};
use crate::{Error, otel::Otlp};

/// Whom to trust and who to be, by `OTEL_EXPORTER_OTLP_{CERTIFICATE,CLIENT_KEY,CLIENT_CERTIFICATE}`.
///
/// # Errors
///
/// When a file cannot be read or is not what it should be, or one of the client's two is missing; the message names the
/// variable and the path.
pub(super) fn tls(env: &Env, signal: Signal, mut otlp: Otlp) -> Result<Otlp, Error> {
    if let Some(file) = File::of(env, signal, "CERTIFICATE")? {
        otlp = otlp.roots(&file.pem).map_err(|error| file.refused(&error))?;
    }
    match (File::of(env, signal, KEY)?, File::of(env, signal, CERTIFICATE)?) {
        (Some(key), Some(certificate)) => {
            otlp.identity(&certificate.pem, &key.pem).map_err(|error| certificate.refused_with(&key, &error))
        }
        (Some(file), None) => Err(file.alone(&signal.variable(CERTIFICATE))),
        (None, Some(file)) => Err(file.alone(&signal.variable(KEY))),
        (None, None) => Ok(otlp),
    }
}

/// A file that a variable names.
struct File {
    variable: String,
    path: String,
    pem: Vec<u8>,
}

// ===== impl File =====

impl File {
    fn of(env: &Env, signal: Signal, what: &str) -> Result<Option<Self>, Error> {
        let Some((variable, path)) = env.otlp(signal, what) else { return Ok(None) };
        if path.contains(PEM) {
            // It may be the key.
            return Err(Error::invalid(&variable, "text in PEM", "give the path of a file that holds it"));
        }
        match fs::read(&path) {
            Ok(pem) => Ok(Some(Self { variable, path, pem })),
            Err(error) => Err(Error::invalid(&variable, &path, format_args!("cannot be read: {error}"))),
        }
    }

    fn refused(&self, why: &Error) -> Error {
        Error::invalid(&self.variable, &self.path, why)
    }

    /// Which of the two is to blame is not always known.
    fn refused_with(&self, key: &Self, why: &Error) -> Error {
        let Self { variable, path, .. } = key;
        Error::invalid(&self.variable, &self.path, format_args!("{why} ({variable} is {path:?})"))
    }

    fn alone(&self, other: &str) -> Error {
        Error::invalid(&self.variable, &self.path, format_args!("it is of no use without {other}: set both"))
    }
}

/// What such a file begins with. In the place of its path it may be a secret.
const PEM: &str = "-----BEGIN";
const KEY: &str = "CLIENT_KEY";
const CERTIFICATE: &str = "CLIENT_CERTIFICATE";
