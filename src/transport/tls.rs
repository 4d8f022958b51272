//! Whom to trust.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
};

use crate::Error;

/// TLS with Mozilla's roots and `more` of them, by the provider that the process has chosen, or else ring.
pub(super) fn config(more: Vec<Vec<u8>>) -> Result<ClientConfig, Error> {
    let provider =
        CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(
            |error| Error::invalid("the default rustls provider", &error.to_string(), PROVIDER_ADVICE),
        )?;
    Ok(config.with_root_certificates(roots(more)?).with_no_client_auth())
}

fn roots(more: Vec<Vec<u8>>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for der in more {
        roots
            .add(CertificateDer::from(der))
            .map_err(|error| Error::invalid("a root certificate", &error.to_string(), ROOT_ADVICE))?;
    }
    Ok(roots)
}

const PROVIDER_ADVICE: &str = "install one that has cipher suites for TLS 1.2 or 1.3";
const ROOT_ADVICE: &str = "give an X.509 certificate in DER, not in PEM";
