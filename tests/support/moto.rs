//! A double of AWS that others have made: <https://github.com/getmoto/moto>.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aws_credential_types::Credentials;
use belvedere::aws::{Client, Service};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use tokio::{net::TcpStream, time::sleep};

/// A server of its own. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Moto {
    server: Child,
    address: SocketAddr,
}

// ===== impl Moto =====

impl Moto {
    /// `None`, with the reason printed, where `BELVEDERE_MOTO` does not say which `moto_server` to start. One that it
    /// says has to start.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = env::var_os("BELVEDERE_MOTO") else {
            println!("no moto: BELVEDERE_MOTO is not set to the path of a moto_server, as tests/run does it");
            return None;
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&program);
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = command.spawn().unwrap_or_else(|error| panic!("{program:?} does not start: {error}"));
        let mut moto = Self { server, address: (Ipv4Addr::LOCALHOST, port).into() };
        moto.wait().await;
        Some(moto)
    }

    /// A client of one of its services.
    pub(crate) fn client(&self, service: Service) -> Client {
        let keys = Credentials::new("AKIDEXAMPLE", "s3cret", None, None, "test");
        let endpoint = format!("http://{}", self.address).parse().unwrap();
        // The first request loads the service.
        let client = Client::builder(service, "eu-west-1".parse().unwrap(), keys).endpoint(endpoint);
        client.timeout(Duration::from_secs(60)).build().unwrap()
    }

    async fn wait(&mut self) {
        for _ in 0..600 {
            if TcpStream::connect(self.address).await.is_ok() {
                return;
            }
            assert_eq!(self.server.try_wait().unwrap(), None, "moto has ended");
            sleep(Duration::from_millis(100)).await;
        }
        panic!("moto should listen on {}", self.address);
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Asks CloudWatch Logs for something, and gives the answer.
pub(crate) async fn ask_logs(client: &Client, target: &str, body: Value) -> Value {
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
        ("x-amz-target".parse().unwrap(), format!("Logs_20140328.{target}").parse().unwrap()),
    ]);
    let answer = client.post("/", &headers, body.to_string().into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{target}: {:?}", answer.body);
    serde_json::from_slice(&answer.body).unwrap_or_default()
}
