use std::{cell::RefCell, convert::Infallible, mem, net::Ipv4Addr, rc::Rc};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// A server that keeps the bodies of what it takes.
pub(super) struct Http {
    listener: TcpListener,
    desk: Rc<Desk>,
}

struct Desk {
    answer: Answer,
    posts: RefCell<Vec<Bytes>>,
}

/// By the head alone, since reading a body takes time.
type Answer = Box<dyn Fn(&Parts) -> Response<Full<Bytes>>>;

// ===== impl Http =====

impl Http {
    /// On a free port.
    pub(super) async fn bind(answer: impl Fn(&Parts) -> Response<Full<Bytes>> + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let desk = Desk { answer: Box::new(answer), posts: RefCell::default() };
        Ok(Self { listener, desk: Rc::new(desk) })
    }

    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Serves for as long as it is polled, in a `LocalSet`.
    pub(super) async fn serve(&self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => _ = spawn_local(self.desk.clone().connection(stream)),
                Err(error) => eprintln!("a sink cannot accept: {error}"),
            }
        }
    }

    /// The bodies of all that it has taken.
    pub(super) fn posts(&self) -> Vec<Bytes> {
        mem::take(&mut self.desk.posts.borrow_mut())
    }
}

// ===== impl Desk =====

impl Desk {
    async fn connection(self: Rc<Self>, stream: TcpStream) {
        _ = stream.set_nodelay(true);
        let service = service_fn(|request| self.clone().take(request));
        if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
            eprintln!("a connection to a sink broke: {error}");
        }
    }

    /// What is refused is not kept.
    async fn take(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let response = (self.answer)(&head);
        match body.collect().await {
            Ok(body) if response.status().is_success() => self.posts.borrow_mut().push(body.to_bytes()),
            Ok(_) => {}
            Err(error) => eprintln!("a request to a sink broke: {error}"),
        }
        Ok(response)
    }
}
