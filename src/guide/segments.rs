//! X-Ray, for those who know it from AWS's SDKs.
//!
//! # The same thing here
//!
//! | elsewhere | here |
//! |---|---|
//! | a middleware, a plug-in of the framework | `XRayLayer` on the service |
//! | a patched HTTP client | `XRayClientLayer` on the client |
//! | `@xray_recorder.capture("name")`, `captureAsyncFunc` | `xray::capture("name", future)` |
//! | the same for what may fail | `xray::try_capture("name", future)` |
//! | `with in_subsegment("name")`, `BeginSubsegment` in code that does not await | `let subsegment = xray::subsegment("name")` |
//! | `begin_subsegment` in one place, `end_subsegment` in another | `xray::begin_subsegment("name")`, ended by dropping it |
//! | `put_annotation` | `xray::annotate(key, value)`; `exchange::Annotations` for every backend |
//! | `put_metadata` | `xray::metadata(namespace, key, value)` |
//! | `set_user` | `xray::user(name)`; or the annotation `user_id`, for every backend |
//! | `add_exception`, `AddError` | `xray::record_error(&error)` |
//! | a trace header by hand | `xray::current().header()` |
//! | a file of sampling rules | `Sampler::rules(json)` |
//! | centralized sampling | `Sampler::central(..)` |
//!
//! # What is not the same
//!
//! - A segment ends with the response's body, not with its head: a stream of an hour is a segment of an hour, and one that
//!   breaks is a fault.
//! - A segment does not wait for subsegments that are still open. They are sent by themselves when they are over.
//! - Documents are split by bytes, not by a number of subsegments.
//! - The caller's trace is kept even where it is not recorded, in the answer and in calls: logs still find it.
//! - An error that was caught is a fault of its subsegment alone. Errors have all their causes.
//! - Nothing ever panics or throws because there is no segment, whatever `AWS_XRAY_CONTEXT_MISSING` says.
//!
//! # Work that goes on elsewhere
//!
//! ```
//! # #[cfg(feature = "xray")]
//! # async fn handler() {
//! use belvedere::{trace::InScope as _, xray};
//!
//! # async fn mail() {}
//! # fn resize() {}
//! // A capture takes its place along.
//! tokio::spawn(xray::capture("mail", mail()));
//!
//! // What is to find the segment has to take the scope along.
//! tokio::task::spawn_blocking((|| {
//!     let _subsegment = xray::subsegment("resize");
//!     resize();
//! }).in_scope());
//! # }
//! ```
//!
//! # Calls of AWS, and of databases
//!
//! What this crate has no layer for is a subsegment by hand:
//!
//! ```
//! # #[cfg(feature = "xray")]
//! # async fn put() -> std::io::Result<()> {
//! use belvedere::xray::{self, Aws, Namespace};
//!
//! # async fn put_item() -> std::io::Result<()> { Ok(()) }
//! let call = xray::begin_subsegment("DynamoDB");
//! call.update(|subsegment| {
//!     subsegment.namespace = Some(Namespace::Aws);
//!     let mut aws = Aws::default();
//!     aws.operation = Some("PutItem".into());
//!     aws.table_name = Some("carts".into());
//!     subsegment.entity.aws = Some(Box::new(aws));
//! });
//! let put = call.capture(async {
//!     let put = put_item().await;
//!     if let Err(error) = &put {
//!         xray::record_error(error);
//!     }
//!     put
//! });
//! put.await
//! # }
//! ```
