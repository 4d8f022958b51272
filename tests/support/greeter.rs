//! A gRPC service written by hand, as `protoc` would write it.

use std::{convert::Infallible, future::Future, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use http::{Request, Response};
use tokio::time::sleep;
use tonic::{
    Status,
    body::Body,
    client::GrpcService,
    codegen::StdError,
    server::{Grpc, NamedService},
};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

#[derive(Clone, PartialEq, prost::Message)]
pub struct Hello {
    /// Decides how the call goes.
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Greeting {
    #[prost(string, tag = "1")]
    pub text: String,
}

pub const SAY_HELLO: &str = "shop.Greeter/SayHello";
pub const SAY_HELLOS: &str = "shop.Greeter/SayHellos";

type Answer<T> = Result<tonic::Response<T>, Status>;
type Greetings = Pin<Box<dyn Stream<Item = Result<Greeting, Status>> + Send>>;

// ===== the service =====

/// Greets once, or many times; the name says how the call goes.
#[derive(Clone, Debug)]
pub struct Greeter;

impl Greeter {
    async fn hello(request: tonic::Request<Hello>) -> Answer<Greeting> {
        let Hello { name } = request.into_inner();
        match name.as_str() {
            "nobody" => return Err(Status::not_found("nobody of that name")),
            "broken" => return Err(Status::internal("the greeter is ill")),
            "late" => return Err(Status::deadline_exceeded("too late")),
            "panic" => panic!("the till is on fire"),
            "forever" => sleep(Duration::from_secs(3600)).await,
            _ => {}
        }
        Ok(tonic::Response::new(greeting(&name)))
    }

    async fn hellos(request: tonic::Request<Hello>) -> Answer<Greetings> {
        let Hello { name } = request.into_inner();
        let two = stream::iter([Ok(greeting(&name)), Ok(greeting(&name))]);
        let rest: Greetings = match name.as_str() {
            "nobody" => return Err(Status::not_found("nobody of that name")),
            "torn" => stream::once(async { Err(Status::internal("the greeter fell ill")) }).boxed(),
            "panic" => stream::once(async { panic!("the till is on fire") }).boxed(),
            "forever" => stream::pending().boxed(),
            "slow" => stream::iter(0..5).then(slowly).boxed(),
            _ => stream::empty().boxed(),
        };
        Ok(tonic::Response::new(two.chain(rest).boxed()))
    }
}

impl Service<Request<Body>> for Greeter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Greeting, Hello>::default());
            Ok(match request.uri().path().trim_start_matches('/') {
                SAY_HELLO => grpc.unary(service_fn(Self::hello), request).await,
                SAY_HELLOS => grpc.server_streaming(service_fn(Self::hellos), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

impl NamedService for Greeter {
    const NAME: &'static str = "shop.Greeter";
}

async fn slowly(_: u32) -> Result<Greeting, Status> {
    sleep(Duration::from_millis(100)).await;
    Ok(greeting("at last"))
}

fn greeting(name: &str) -> Greeting {
    Greeting { text: format!("Hello, {name}!") }
}

// ===== the client =====

/// Calls a greeter over any service that takes its requests.
#[derive(Clone, Debug)]
pub struct GreeterClient<S>(tonic::client::Grpc<S>);

impl<S> GreeterClient<S>
where
    S: GrpcService<
            Body,
            ResponseBody: http_body::Body<Data = bytes::Bytes, Error: Into<StdError>> + Send + 'static,
        >,
{
    pub fn new(service: S, address: std::net::SocketAddr) -> Self {
        let origin = format!("http://{address}").parse().unwrap();
        Self(tonic::client::Grpc::with_origin(service, origin))
    }

    /// As `protoc` writes it: requests have only a path, and the channel knows the host.
    pub fn of_channel(channel: S) -> Self {
        Self(tonic::client::Grpc::new(channel))
    }

    pub async fn hello(&mut self, name: &str) -> Result<Greeting, Status> {
        self.unary(&format!("/{SAY_HELLO}"), name).await
    }

    /// Calls a method that nobody serves.
    pub async fn unheard_of(&mut self) -> Result<Greeting, Status> {
        self.unary("/shop.Greeter/SayGoodbye", "").await
    }

    pub async fn hellos(&mut self, name: &str) -> Result<tonic::Streaming<Greeting>, Status> {
        self.ready().await;
        let path = format!("/{SAY_HELLOS}").parse().unwrap();
        let response = self.0.server_streaming(hello(name), path, codec()).await?;
        Ok(response.into_inner())
    }

    async fn unary(&mut self, path: &str, name: &str) -> Result<Greeting, Status> {
        self.ready().await;
        let response = self.0.unary(hello(name), path.parse().unwrap(), codec()).await?;
        Ok(response.into_inner())
    }

    async fn ready(&mut self) {
        let ready = self.0.ready().await.map_err(Into::<StdError>::into);
        ready.expect("a greeter is there");
    }
}

fn hello(name: &str) -> tonic::Request<Hello> {
    tonic::Request::new(Hello { name: name.to_owned() })
}

fn codec() -> ProstCodec<Hello, Greeting> {
    ProstCodec::default()
}
