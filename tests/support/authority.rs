//! Certificates in files, and a backend that knows them.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::PrivateKeyDer,
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    },
};

/// A certificate and its key, as files in a folder that is gone when this is.
pub struct Authority {
    certified: CertifiedKey<KeyPair>,
    folder: PathBuf,
}

/// A backend behind TLS that takes everything. It lives as long as the runtime of the test.
pub struct Secure {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

// ===== impl Authority =====

impl Authority {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("belvedere-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let certified = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("certificate.pem"), certified.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        Self { certified, folder }
    }

    pub fn certificate(&self) -> String {
        self.folder.join("certificate.pem").to_str().unwrap().to_owned()
    }

    pub fn key(&self) -> String {
        self.folder.join("key.pem").to_str().unwrap().to_owned()
    }

    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certified.cert.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

// ===== impl Secure =====

impl Secure {
    /// With the certificate of `own`; where there are `clients`, only they are served.
    pub async fn start(own: &Authority, clients: Option<&Authority>) -> Self {
        let key = PrivateKeyDer::try_from(own.certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = match clients {
            Some(clients) => config.with_client_cert_verifier(clients.verifier()),
            None => config.with_no_client_auth(),
        };
        let config = config.with_single_cert(vec![own.certified.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, served) = (listener.local_addr().unwrap(), Arc::default());
        tokio::spawn(accept(listener, Arc::new(config).into(), Arc::clone(&served)));
        Self { address, served }
    }

    pub fn base(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// How many requests it has served.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, served: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, tls.clone(), served.clone()));
    }
}

/// One request, which is read until nothing more comes for now, and one answer.
async fn serve(stream: TcpStream, tls: TlsAcceptor, served: Arc<AtomicUsize>) {
    let Ok(mut stream) = tls.accept(stream).await else { return };
    let mut read = vec![0; 64 * 1024];
    if stream.read(&mut read).await.is_ok_and(|length| length > 0) {
        served.fetch_add(1, Ordering::Relaxed);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        let _ = stream.shutdown().await;
    }
}
