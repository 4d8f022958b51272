//! Whom to trust, and who one is.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    client::ResolvesClientCert,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::Error;

/// What is set about TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    /// Mozilla's roots, unless others take their place.
    roots: Option<Vec<CertificateDer<'static>>>,
    more: Vec<CertificateDer<'static>>,
    identity: Option<Arc<dyn ResolvesClientCert>>,
}

// ===== impl Tls =====

impl Tls {
    /// Trusts one more root.
    pub(super) fn root(&mut self, der: Vec<u8>) {
        self.more.push(CertificateDer::from(der));
    }

    /// Trusts these roots in place of Mozilla's.
    pub(super) fn roots(&mut self, pem: &[u8]) -> Result<(), Error> {
        let roots = certificates("root certificates", pem)?;
        // Whether they are roots is said at once, and not when the client is built.
        add(&mut RootCertStore::empty(), &roots, PEM_ADVICE)?;
        self.roots = Some(roots);
        Ok(())
    }

    /// Shows this certificate where one is asked for.
    pub(super) fn identity(&mut self, chain: &[u8], key: &[u8]) -> Result<(), Error> {
        let chain = certificates("client certificate", chain)?;
        // What is wrong with a key is not shown: the message may hold a piece of it.
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| Error::invalid("client key", "not a private key in PEM", KEY_ADVICE))?;
        let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| unfit(&error))?;
        self.identity = Some(Arc::new(SingleCertAndKey::from(pair)));
        Ok(())
    }

    /// By the provider that the process has chosen, or else ring.
    pub(super) fn config(self) -> Result<ClientConfig, Error> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::invalid("the default rustls provider", &error.to_string(), PROVIDER_ADVICE)
            })?
            .with_root_certificates(self.store()?);
        Ok(match self.identity {
            Some(identity) => config.with_client_cert_resolver(identity),
            None => config.with_no_client_auth(),
        })
    }

    fn store(&self) -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        match &self.roots {
            Some(roots) => add(&mut store, roots, PEM_ADVICE)?,
            None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        add(&mut store, &self.more, DER_ADVICE)?;
        Ok(store)
    }
}

fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
}

fn add(
    store: &mut RootCertStore,
    roots: &[CertificateDer<'static>],
    advice: &'static str,
) -> Result<(), Error> {
    roots.iter().try_for_each(|root| {
        store
            .add(root.clone())
            .map_err(|error| Error::invalid("a root certificate", &error.to_string(), advice))
    })
}

/// Why a certificate and a key are no pair.
fn unfit(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            Error::invalid("client certificate", "not an X.509 certificate", PEM_ADVICE)
        }
        rustls::Error::InconsistentKeys(_) => {
            Error::invalid("client key", "not the key of the client certificate", KEY_ADVICE)
        }
        _ => Error::invalid("client key", "of a kind that cannot be used", KEY_ADVICE),
    }
}

/// All certificates of a text; at least one.
fn certificates(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| Error::invalid(name, "not PEM", PEM_ADVICE))?;
    if certificates.is_empty() {
        return Err(Error::invalid(name, "without a certificate", PEM_ADVICE));
    }
    Ok(certificates)
}

const PROVIDER_ADVICE: &str = "install one that has cipher suites for TLS 1.2 or 1.3";
const DER_ADVICE: &str = "give an X.509 certificate in DER, not in PEM";
const PEM_ADVICE: &str = "give X.509 certificates in PEM, which begin with -----BEGIN CERTIFICATE-----";
const KEY_ADVICE: &str = "give the certificate's own key in PEM: PKCS#8, PKCS#1 or SEC1";
