//! A backend on a real socket, which answers every request with the same bytes and keeps what it got.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
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

/// What it does after each request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Sends these bytes, whatever they are.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Last(Vec<u8>),
    /// Says nothing.
    Silence,
}

/// The backend. It lives as long as the runtime of the test.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    /// The certificate of its authority, if it speaks TLS.
    pub(crate) root: Vec<u8>,
    pem: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<String>,
    connections: usize,
}

// ===== impl Backend =====

impl Backend {
    pub(crate) async fn plain(reply: Reply) -> Self {
        Self::start(reply, None, Vec::new()).await
    }

    /// With a certificate for `name`, which nobody trusts unless told to.
    pub(crate) async fn tls(name: &str, reply: Reply) -> Self {
        Self::secured(name, reply, WebPkiClientVerifier::no_client_auth()).await
    }

    /// With a certificate for `name`, for clients that show the certificate which is given back with its key, both in
    /// PEM, and for no others.
    pub(crate) async fn mutual(name: &str, reply: Reply) -> (Self, String, String) {
        let client = generate_simple_self_signed(["client".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(client.cert.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let backend = Self::secured(name, reply, verifier.unwrap()).await;
        (backend, client.cert.pem(), client.signing_key.serialize_pem())
    }

    /// The certificate of its authority, in PEM.
    pub(crate) fn root_pem(&self) -> String {
        self.pem.clone()
    }

    async fn secured(name: &str, reply: Reply, clients: Arc<dyn ClientCertVerifier>) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Self {
            pem: cert.pem(),
            ..Self::start(reply, Some(Arc::new(config).into()), cert.der().to_vec()).await
        }
    }

    /// The head and the body of every request.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    async fn start(reply: Reply, tls: Option<TlsAcceptor>, root: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::default());
        tokio::spawn(accept(listener, reply, tls, Arc::clone(&seen)));
        Self { address, root, pem: String::new(), seen }
    }
}

async fn accept(listener: TcpListener, reply: Reply, tls: Option<TlsAcceptor>, seen: Arc<Mutex<Seen>>) {
    while let Ok((stream, _)) = listener.accept().await {
        seen.lock().unwrap().connections += 1;
        tokio::spawn(secure(stream, reply.clone(), tls.clone(), seen.clone()));
    }
}

async fn secure(stream: TcpStream, reply: Reply, tls: Option<TlsAcceptor>, seen: Arc<Mutex<Seen>>) {
    let Some(tls) = tls else { return serve(stream, reply, seen).await };
    if let Ok(stream) = tls.accept(stream).await {
        serve(stream, reply, seen).await;
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, reply: Reply, seen: Arc<Mutex<Seen>>) {
    while let Some(request) = read(&mut stream).await {
        seen.lock().unwrap().requests.push(request);
        match &reply {
            Reply::Silence => {}
            Reply::Bytes(bytes) => drop(stream.write_all(bytes).await),
            Reply::Last(bytes) => {
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
        }
        let _ = stream.flush().await;
    }
}

/// One request, or `None` at the end of the connection.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Some(text.into_owned());
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

fn content_length(head: &str) -> usize {
    let value = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    value.map_or(0, |value| value.parse().unwrap())
}
