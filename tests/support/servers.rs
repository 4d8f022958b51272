use std::net::SocketAddr;

use bytes::{Buf, Bytes};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tonic::{body::Body as TonicBody, service::Routes};
use tower::{BoxError, Layer, Service};

use super::greeter::Greeter;

/// A server on a free port. Dropping it ends it with its connections.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

// ===== impl Server =====

impl Server {
    pub async fn axum(router: axum::Router) -> Self {
        Self::listen(|listener| async move { axum::serve(listener, router).await.unwrap() }).await
    }

    /// HTTP/1, without the `date` header, so that two answers can be compared byte by byte.
    pub async fn hyper1<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        Self::accept(move |stream| {
            let mut builder = hyper::server::conn::http1::Builder::new();
            let service = TowerToHyperService::new(service.clone());
            let builder = builder.auto_date_header(false);
            let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
            async move { drop(connection.await) }
        })
        .await
    }

    /// HTTP/2, without the `date` header.
    pub async fn hyper2<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data: Buf + Send, Error: Into<BoxError>> + Send + 'static,
    {
        Self::accept(move |stream| {
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(service.clone());
            let builder = builder.auto_date_header(false);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            async move { drop(connection.await) }
        })
        .await
    }

    /// A [`Greeter`] on tonic's own server.
    pub async fn tonic<L, B>(layer: L) -> Self
    where
        L: Layer<Routes> + Clone + Send + 'static,
        L::Service: Service<Request<TonicBody>, Response = Response<B>> + Clone + Send + 'static,
        <L::Service as Service<Request<TonicBody>>>::Future: Send,
        <L::Service as Service<Request<TonicBody>>>::Error: Into<BoxError> + Send,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self::listen(|listener| async move {
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            let server = tonic::transport::Server::builder().layer(layer).add_service(Greeter);
            server.serve_with_incoming(incoming).await.unwrap();
        })
        .await
    }

    async fn accept<F>(connection: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listen(|listener| async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(connection(stream));
            }
        })
        .await
    }

    async fn listen<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, task: tokio::spawn(serve(listener)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
