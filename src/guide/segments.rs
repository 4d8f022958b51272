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
//! | a file of sampling rules | `BELVEDERE_XRAY_SAMPLING_RULES`, `Sampler::rules(json)` |
//! | centralized sampling | what `from_env` does; `Sampler::central(..)` |
//! | `plugins`, `AWSXRay.config([plugins.ECSPlugin])` | `XRayLayer::plugins`; nobody is asked by default |
//! | dynamic naming | `XRayLayer::hosts(pattern)` |
//! | `AWS_XRAY_*` | the same variables, see `setup` |
//! | the daemon's own upload | `BELVEDERE_XRAY_EXPORTER=api`, `SegmentLane::api`: no daemon at all |
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
//! # Where segments go
//!
//! To a daemon, by datagrams; the CloudWatch agent, an OpenTelemetry collector and this crate's console listen to the same
//! ones. Or signed to X-Ray itself, `PutTraceSegments`, where there is no daemon. `from_env` sends to the daemon of
//! `AWS_XRAY_DAEMON_ADDRESS`; `Setup::xray_daemon` adds another.
//!
//! Datagrams are not answered, so they leave at a pace that the smallest daemon keeps up with: 36 a second, 40 at once. Who
//! records more than that in the long run says what the daemon takes, by `Setup::xray_pace` or `Daemon::pace`: else segments
//! arrive late, and when 8,192 wait, the oldest are lost and counted. A shutdown keeps to the pace, too.
//!
//! # What the layers of `from_env` do not know by themselves
//!
//! ```no_run
//! # #[cfg(feature = "xray")]
//! # fn run() -> Result<(), belvedere::Error> {
//! use belvedere::xray::plugins::{Plugin, Plugins};
//!
//! let belvedere = belvedere::from_env()?;
//! let plugins = Plugins::lookup([Plugin::Ecs], |name| std::env::var(name).ok())?.start(belvedere.outbox());
//! let layer = belvedere.layer().xray(|xray| {
//!     let xray = xray.plugins(plugins).version(env!("CARGO_PKG_VERSION")).log_group("/ecs/checkout");
//!     xray.trusted_hops(1) // behind one load balancer, whose word about the client counts
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # The service map
//!
//! A service is a node by the name of its segments, so each has one of its own that is always the same. A call through
//! `XRayClientLayer` is an edge: its remote subsegment is the parent of the callee's segment, whatever it is called. Where the
//! callee sends no segments, the subsegment's name is a node of its own: the host, unless `XRayClientLayer::name` says
//! otherwise.
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
