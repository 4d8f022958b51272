//! What must hold whatever the console is sent: the bodies of the fuzz target and of the property.

#![allow(dead_code, reason = "who includes it uses a part of it")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::OnceLock,
};

use belvedere::console::Console;

/// A console answers whatever it is posted, and its pages can be read afterwards. The first byte says where it goes.
pub(crate) fn post(bytes: &[u8]) {
    let Some((which, body)) = bytes.split_first() else { return };
    let (console, daemon) = console();
    match DOORS.get(usize::from(*which) % (DOORS.len() + 1)) {
        Some((path, headers)) => {
            let status = ask(console, "POST", path, headers, body);
            assert!((200..500).contains(&status) || status == 501, "{path}: {status}");
        }
        None => {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            // What is larger than a datagram is none.
            drop(socket.send_to(body, daemon));
        }
    }
    for page in ["/", "/logs"] {
        assert_eq!(ask(console, "GET", page, "", &[]), 200, "{page}");
    }
}

/// The addresses of the one console of the process, of which that for datagrams is the second.
fn console() -> (SocketAddr, SocketAddr) {
    static CONSOLE: OnceLock<(SocketAddr, SocketAddr)> = OnceLock::new();
    *CONSOLE.get_or_init(|| {
        let any = || "127.0.0.1:0".parse().expect("an address");
        let console = Console::builder().address(any()).xray(any()).memory(1 << 20).start();
        let console = console.expect("a console");
        let daemon = console.xray_daemon().and_then(|daemon| daemon.parse().ok());
        let addresses = (console.address(), daemon.expect("a daemon"));
        // It serves until it is dropped.
        std::mem::forget(console);
        addresses
    })
}

/// The status of an answer.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("it takes it in");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    status.unwrap_or_else(|| panic!("{path}: no answer: {}", String::from_utf8_lossy(&answer)))
}

/// Where it listens, and what is said there besides the body.
const DOORS: [(&str, &str); 11] = [
    ("/v1/traces", "content-type: application/x-protobuf\r\n"),
    ("/v1/traces", "content-type: application/json\r\n"),
    ("/v1/traces", "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n"),
    ("/TraceSegments", "content-type: application/json\r\n"),
    ("/GetSamplingRules", "content-type: application/json\r\n"),
    ("/SamplingTargets", "content-type: application/json\r\n"),
    ("/TelemetryRecords", "content-type: application/json\r\n"),
    ("/api/1/item/", "content-type: application/json\r\nx-rollbar-access-token: a\r\n"),
    ("/", "content-type: application/x-amz-json-1.1\r\nx-amz-target: Logs_20140328.PutLogEvents\r\n"),
    ("/", "content-encoding: gzip\r\nx-amz-target: Logs_20140328.PutLogEvents\r\n"),
    ("/", "content-type: application/x-amz-json-1.1\r\nx-amz-target: Logs_20140328.CreateLogStream\r\n"),
];
