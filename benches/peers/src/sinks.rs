use std::{env, net::SocketAddr};

use http::Uri;

/// Where records go: a server in another process, which takes everything.
#[derive(Clone, Copy, Debug)]
pub struct Sinks {
    pub http: SocketAddr,
    pub udp: SocketAddr,
}

// ===== impl Sinks =====

impl Sinks {
    /// Those that the process is told of, by [`variables`](Self::variables).
    pub fn from_env() -> Self {
        let address = |name| env::var(name).ok()?.parse().ok();
        let [http, udp] =
            [HTTP, UDP].map(|name| address(name).unwrap_or_else(|| panic!("no address in {name}")));
        Self { http, udp }
    }

    pub fn variables(&self) -> [(&'static str, String); 2] {
        [(HTTP, self.http.to_string()), (UDP, self.udp.to_string())]
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    pub fn uri(&self, path: &str) -> Uri {
        self.url(path).parse().expect("a URL")
    }
}

const HTTP: &str = "PEERS_SINK_HTTP";
const UDP: &str = "PEERS_SINK_UDP";
