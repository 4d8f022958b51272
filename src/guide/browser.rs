//! A page's trace, continued in the service, and the service's trace, found from the page.
//!
//! # From the page to the service
//!
//! A tracing library in the page (OpenTelemetry's for JavaScript, for example) writes `traceparent` onto the requests
//! that its scripts make, perhaps also `tracestate` and `baggage`. `OtelLayer` goes on with
//! that trace as with that of any caller.
//!
//! Between two origins, a browser first asks whether it may send such headers (CORS). A service that does not allow them
//! by name loses not only the trace but the request.
//!
//! # From the service to the page
//!
//! The request for the page itself is the browser's own, and no script can give it a header, nor read those of its
//! answer. Two headers tell the page in which trace it was answered, and both are off by default:
//!
//! | header | setter | a script reads it from |
//! |---|---|---|
//! | `Server-Timing: traceparent;desc="00-{trace}-{span}-{flags}"` | `server_timing` | `performance`, of any request: the page, its images, its calls |
//! | `traceresponse: 00-{trace}-{span}-{flags}` | `traceresponse` | `fetch`, of its own calls alone |
//!
//! The first is what tracing libraries for pages look for; the second is a draft of the W3C, and easy to find in a
//! browser's developer tools. In the page:
//!
//! ```js
//! const [page] = performance.getEntriesByType("navigation");
//! const entry = page.serverTiming.find(({ name }) => name === "traceparent");
//! const traceparent = entry?.description;
//! ```
//!
//! Between two origins, a script sees the headers of an answer that are exposed by name
//! (`Access-Control-Expose-Headers`), and sees `serverTiming` where the answer has `Timing-Allow-Origin`.
//!
//! # A service for the pages of another origin
//!
//! ```
//! # #[cfg(all(feature = "otel", feature = "axum"))]
//! # fn app() -> Result<axum::Router, Box<dyn std::error::Error>> {
//! use axum::{Router, middleware::map_response, response::Response, routing::get};
//! use belvedere::{otel::OtelLayer, trace::TrustIncoming};
//! use http::{HeaderName, HeaderValue, Method, header};
//! use tower_http::cors::CorsLayer;
//!
//! const PAGES: HeaderValue = HeaderValue::from_static("https://shop.example");
//!
//! let cors = CorsLayer::new()
//!     .allow_origin(PAGES)
//!     .allow_methods([Method::GET, Method::POST])
//!     .allow_headers([
//!         header::CONTENT_TYPE,
//!         HeaderName::from_static("traceparent"),
//!         HeaderName::from_static("tracestate"),
//!         HeaderName::from_static("baggage"),
//!     ])
//!     .expose_headers([
//!         HeaderName::from_static("traceresponse"),
//!         HeaderName::from_static("server-timing"),
//!     ]);
//! let timing = map_response(|mut response: Response| async {
//!     response.headers_mut().insert("timing-allow-origin", PAGES);
//!     response
//! });
//! let otel = OtelLayer::new().server_timing(true).traceresponse(true).trust(TrustIncoming::Ids);
//!
//! let app = Router::new().route("/carts", get(|| async { "[]" })).layer(timing).layer(otel).layer(cors);
//! # Ok(app)
//! # }
//! # #[cfg(all(feature = "otel", feature = "axum"))]
//! # app().unwrap();
//! ```
//!
//! `Router::layer` reads from the inside out. With CORS outside, as here, it answers the browser's preliminary `OPTIONS`
//! itself, and there is no span of them; with `otel` outside there is one of each. The headers are the same either way.
//! Pages of the service's own origin need neither CORS nor `Timing-Allow-Origin`.
//!
//! # What strangers get, and what they may say
//!
//! A browser is a stranger. From either header it learns the ids of its own request, and by the flags whether that is
//! recorded; nothing that opens a backend, which asks for a key. The ids begin with the time. They are the same in the
//! logs of the service, so that a user who sends one to the support has named the request.
//!
//! The other way, whoever opens the page can write what they like into `traceparent`, `tracestate` and `baggage`.
//! [`TrustIncoming::Ids`](crate::trace::TrustIncoming::Ids) keeps the page's trace in one piece, and lets nobody force
//! the recording or bring baggage; a page that samples has its decision ignored.
//! [`TrustIncoming::None`](crate::trace::TrustIncoming::None) gives each request a trace of its own with a link to the
//! page's, and answers with the ids of that. [`All`](crate::trace::TrustIncoming::All), the default, is for services
//! behind a gateway that has decided already. The headers of an answer are right under each.
