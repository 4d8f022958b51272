//! What stands in for the backends.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{self, Child, ChildStdout, Command, Stdio},
    thread,
};

/// A server of HTTP and a socket for datagrams that take everything, in a process of their own: what they do is on nobody's
/// account.
#[derive(Debug)]
pub struct Sink {
    child: Child,
    pub http: SocketAddr,
    pub udp: SocketAddr,
}

// ===== impl Sink =====

impl Sink {
    /// Starts this program again; its `main` must begin with [`be_one_if_asked`].
    pub fn start() -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let mut child = command.arg(SINK).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let (http, udp) = (address(&mut told), address(&mut told));
        Self { child, http, udp }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It lasts as long as its standard input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Is the sink of another process, if that is what this one was started for.
pub fn be_one_if_asked() {
    if env::args().nth(1).as_deref() != Some(SINK) {
        return;
    }
    let (http, udp) = (TcpListener::bind(ANYWHERE).unwrap(), UdpSocket::bind(ANYWHERE).unwrap());
    println!("{}\n{}", http.local_addr().unwrap(), udp.local_addr().unwrap());
    thread::spawn(move || swallow(&udp));
    thread::spawn(move || {
        for stream in http.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    process::exit(0);
}

fn address(told: &mut BufReader<ChildStdout>) -> SocketAddr {
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

fn swallow(socket: &UdpSocket) {
    let mut datagram = vec![0; 1 << 16];
    while socket.recv(&mut datagram).is_ok() {}
}

/// Takes every request of a connection.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(length) = body_length(&mut reader)? {
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")?;
    }
    Ok(())
}

/// Reads a request's head. None: there are no more.
fn body_length(reader: &mut BufReader<TcpStream>) -> io::Result<Option<u64>> {
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        match line.trim_end() {
            "" => return Ok(Some(length)),
            header => {
                length =
                    header.strip_prefix("content-length: ").map_or(length, |value| value.parse().unwrap())
            }
        }
        line.clear();
    }
    Ok(None)
}

const SINK: &str = "sink";
const ANYWHERE: &str = "127.0.0.1:0";
