//! Clients that are no services of `http` requests, made into ones, so that client layers go onto them.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use belvedere::adapter::ReqwestClient;
//!
//! # #[cfg(feature = "otel")]
//! # let layer = belvedere::otel::OtelClientLayer::new();
//! # #[cfg(not(feature = "otel"))]
//! # let layer = tower::layer::util::Identity::new();
//! let http = reqwest::Client::new();
//! let client = ReqwestClient::new(http.clone(), &layer); // `belvedere.client_layer()`, or any other
//!
//! let response = client.send(http.get("https://api.example/carts").bearer_auth("secret")).await?;
//! let carts = response.error_for_status()?.text().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What reqwest does by itself
//!
//! The layers are around the client, so that what happens inside of it is one exchange: the redirects that it follows,
//! the requests that it retries, the proxy that it goes through. A redirect takes the headers of the trace along, also to
//! a host that a layer excludes. To see each hop of a redirect, build the client with
//! [`redirect::Policy::none`](::reqwest::redirect::Policy::none), put the layers on [`Reqwest`], and tower-http's
//! `FollowRedirect` outside of them.
//!
//! The headers that the client adds to every request are added beneath the layers, which do not see them.

mod reqwest;

pub use self::reqwest::{Reqwest, ReqwestClient, ReqwestFuture};
