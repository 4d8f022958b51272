//! How destinations reach their backends.
//!
//! [`HttpClient`] is the one HTTPS client for all of them. It posts, and hands back the answer:
//!
//! ```no_run
//! # async fn post() -> Result<(), Box<dyn std::error::Error>> {
//! use belvedere::transport::HttpClient;
//! use http::{HeaderMap, StatusCode, Uri};
//! use std::time::Duration;
//!
//! let client = HttpClient::builder().build()?;
//! let uri = Uri::from_static("https://collector.example/v1/traces");
//! let answer = client.post(&uri, &HeaderMap::new(), "{}".into(), Duration::from_secs(10)).await?;
//! assert_eq!(answer.status, StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! [`UdpClient`] sends datagrams to a host by its name, for daemons that listen to them.
//!
//! # What the HTTPS client does not do
//!
//! - It follows no redirect: a 3xx is an answer like any other. A backend that moved is a setting to change, and a key
//!   must not travel to a place that was not configured.
//! - It uses no proxy, and reads no `HTTP_PROXY` or `HTTPS_PROXY`.
//! - It does not retry what was sent; that is the lane's business. A kept connection that turns out to be closed before
//!   the request was written is replaced.
//! - It is not traced and adds no trace headers, or exporting would never come to rest.
//! - It speaks HTTP/1.1, not HTTP/2.
//! - It does not look into the system's certificate store: it trusts Mozilla's roots, compiled in, and those given to
//!   [`HttpClientBuilder::root`].
//!
//! # What its errors say
//!
//! Never a URL, a header or a body, because those hold keys. The [`reason`](HttpError::reason) is of few kinds and fit
//! to be counted under.

mod error;
#[cfg(any(feature = "cloudwatch", feature = "otel"))]
mod gzip;
mod http;
mod tls;
mod udp;

#[cfg(test)]
mod tests;

#[cfg(any(feature = "cloudwatch", feature = "otel"))]
pub(crate) use self::gzip::Gzip;
pub use self::{
    error::HttpError,
    http::{Answer, HttpClient, HttpClientBuilder},
    udp::{UdpClient, UdpError},
};
