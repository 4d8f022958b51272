use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Writes one HTTP/1.1 request and reads all that comes back until the server closes.
pub async fn raw1(address: SocketAddr, method: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head(method, path, "connection: close\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that panics closes in the middle.
    drop(timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes"));
    answer
}

/// Writes one HTTP/1.1 request and goes away after a while.
pub async fn leave1(address: SocketAddr, method: &str, path: &str, after: Duration) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head(method, path, "").as_bytes()).await.unwrap();
    sleep(after).await;
}

/// Writes one HTTP/1.1 request with these headers and reads all that comes back, or goes away when `until` has come.
pub async fn ask1(address: SocketAddr, path: &str, headers: &[(&str, &str)], until: Option<&str>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = head("GET", path, &format!("connection: close\r\n{headers}"));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let has_come = |answer: &[u8]| until.is_some_and(|until| String::from_utf8_lossy(answer).contains(until));
    // A server that panics closes in the middle.
    while !has_come(&answer)
        && timeout(PATIENCE, stream.read_buf(&mut answer)).await.unwrap().is_ok_and(|read| read > 0)
    {}
}

/// Asks to switch protocols, says something, and gives the head of the answer and what was echoed.
pub async fn upgrade1(address: SocketAddr, said: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = head("GET", "/echo", "connection: upgrade\r\nupgrade: echo\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    stream.write_all(said).await.unwrap();
    let mut echoed = vec![0; said.len()];
    timeout(PATIENCE, stream.read_exact(&mut echoed)).await.unwrap().unwrap();
    (String::from_utf8(answer).unwrap(), echoed)
}

/// A frame of HTTP/2: its type, its flags and its payload.
pub type Frame2 = (u8, u8, Vec<u8>);

/// Writes one HTTP/2 request by hand, and gives the frames of its stream, byte by byte as the server sent them.
pub async fn raw2(address: SocketAddr, method: &str, path: &str) -> Vec<Frame2> {
    let mut stream = open2(address).await;
    ask2(&mut stream, 1, method, path).await;
    let mut frames = Vec::new();
    loop {
        let (kind, flags, id, payload) = timeout(PATIENCE, read2(&mut stream)).await.unwrap();
        if id != 1 {
            continue;
        }
        let last = kind == RESET || flags & END_STREAM != 0;
        frames.push((kind, flags, payload));
        if last {
            return frames;
        }
    }
}

/// Asks for all of these on one connection of HTTP/2, and closes it after a while.
pub async fn leave2(address: SocketAddr, paths: &[&str], after: Duration) {
    let mut stream = open2(address).await;
    for (id, path) in (1..).step_by(2).zip(paths) {
        ask2(&mut stream, id, "GET", path).await;
    }
    sleep(after).await;
}

/// A connection of hyper's client for HTTP/2.
pub async fn connect2(address: SocketAddr) -> SendRequest<Empty<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

/// A request for [`connect2`].
pub fn request2(address: SocketAddr, method: &str, path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://{address}{path}");
    Request::builder().method(method).uri(uri).body(Empty::new()).unwrap()
}

/// Reads a body to its end: its bytes, and its trailers if it has some.
pub async fn read(response: Response<Incoming>) -> Result<(Bytes, Option<HeaderMap>), hyper::Error> {
    let collected = response.into_body().collect().await?;
    let trailers = collected.trailers().cloned();
    Ok((collected.to_bytes(), trailers))
}

fn head(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\nte: trailers\r\n{headers}\r\n")
}

async fn open2(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame2(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

async fn ask2(stream: &mut TcpStream, id: u32, method: &str, path: &str) {
    let head = frame2(HEADERS, END_HEADERS | END_STREAM, id, &hpack(method, path));
    stream.write_all(&head).await.unwrap();
}

fn frame2(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

async fn read2(stream: &mut TcpStream) -> (u8, u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    let [a, b, c, kind, flags, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).await.unwrap();
    (kind, flags, u32::from_be_bytes(id), payload)
}

/// The pseudo-headers as literals without an index: their names from the static table.
fn hpack(method: &str, path: &str) -> Vec<u8> {
    let literal =
        |name: u8, value: &str| [&[name, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat();
    let scheme_http = vec![0x86];
    [literal(2, method), literal(4, path), scheme_http, literal(1, "shop.example")].concat()
}

/// Longer than anything here takes, so that a mistake is a failure and not a standstill.
const PATIENCE: Duration = Duration::from_secs(10);

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
