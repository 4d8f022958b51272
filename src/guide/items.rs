//! Rollbar, for those who know it from other languages.
//!
//! # The same thing here
//!
//! | elsewhere | here |
//! |---|---|
//! | `rollbar.init(token, "production")` | `from_env` with `ROLLBAR_ACCESS_TOKEN`; `RollbarLayer::new(token, &outbox)` |
//! | a middleware, a plug-in of the framework | `Belvedere::layer`, or `RollbarLayer` by itself |
//! | `report_exc_info`, `rollbar.error(err)` | `rollbar::report_error(&error)`; in handlers the [`HandlerError`] alone is enough |
//! | `report_message(text, "warning")` | `rollbar::report_message(Level::Warning, text)` |
//! | `extra_data`, `custom` | `Report::custom`; an annotation is in `custom` of every item of its request |
//! | `fingerprint`, `title` | `Report::fingerprint`, `Report::title` |
//! | `rollbar_person`, `person_data`, `setPerson` | the annotations `user_id`, `user_name` and `user_email` |
//! | `capture_ip = "anonymize"` | `RollbarLayer::addresses(AddressPolicy::Anonymized)`, `None` for none |
//! | `capture_username`, `capture_email` | nothing of a person is sent that no annotation says |
//! | `include_request_body` | `RequestBodyLayer` |
//! | `scrub_fields`, `scrub_headers` | `Scrubber::fields`, `Scrubber::headers`, which add to the lists that are there |
//! | `exception_level_filters`, `ignored`, `checkIgnore` | `failures` and `grpc_failures` by status, `skip` by request; a handler that leaves no error and answers below 500 is ignored |
//! | `exception_level_filters` to another level | a report by hand, `Report::error(&error).level(..)`, which is then the exchange's only one |
//! | `root`, `serverRoot`, `project_gems` | `Project::new(root)`, `Project::package` |
//! | `send_extra_frame_data` | the lines around a frame, where its file is there; `Project::code` |
//! | `locals`, `argspec` | Rust has none to send |
//! | telemetry, breadcrumbs | `Breadcrumbs`, a layer of `tracing`: of the request itself, and of no other |
//! | a log handler that makes items | none: what is logged is a breadcrumb |
//! | `code_version` | `ROLLBAR_CODE_VERSION`, `RollbarLayer::code_version`: what the deploy was called as well |
//! | telling Rollbar of a deploy | its own command line or `POST /api/1/deploy`, where the deploy is made |
//! | `items_per_minute`, `maxItems` | 60 and 10 of a kind, see `ItemLane::limited` |
//! | a handler: `thread`, `async`, `agent` | the [outbox](crate::outbox) |
//! | `wait()`, `Close()`, `at_exit` | [`shutdown`](super::shutdown), or dropping the guard |
//! | `enabled = false`, as in tests | no token |
//! | `on_payload`, `transform` | none: a layer sends what its setters say |
//!
//! # Levels
//!
//! A panic is `critical`, every other failure an `error`, unless a report by hand says otherwise. Rollbar gives an item the
//! level of its first occurrence; it stays until somebody changes it there.
//!
//! # The line of an error
//!
//! An error in Rust does not know where it was made, so an item names the line that made the [`HandlerError`]. Where that is
//! in `IntoResponse`, it is the same line for all handlers. Made in a `From` that tracks its caller, it is that of the `?`:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod shop {
//! use axum::{Extension, http::StatusCode, response::{IntoResponse, Response}};
//! use belvedere::exchange::HandlerError;
//! use std::error::Error;
//!
//! struct Failed(HandlerError);
//!
//! impl<E: Error + Send + Sync + 'static> From<E> for Failed {
//!     #[track_caller]
//!     fn from(error: E) -> Self {
//!         Self(HandlerError::new(error))
//!     }
//! }
//!
//! impl IntoResponse for Failed {
//!     fn into_response(self) -> Response {
//!         (StatusCode::INTERNAL_SERVER_ERROR, Extension(self.0)).into_response()
//!     }
//! }
//!
//! async fn handler() -> Result<String, Failed> {
//!     Ok(std::fs::read_to_string("carts")?) // this line
//! }
//! # }
//! ```
//!
//! # What is no request
//!
//! `from_env` also reports what is sent by hand outside of requests, and panics there. With a layer of your own,
//! `RollbarLayer::reporter` does, once it is installed. An error that `main` returns is an error that nobody has reported:
//!
//! ```no_run
//! # #[cfg(feature = "rollbar")]
//! # mod job {
//! use belvedere::rollbar::{Level, Report};
//! use std::time::Duration;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let belvedere = belvedere::from_env()?;
//!     let done = tidy_up();
//!     if let Err(error) = &done {
//!         Report::error(error).level(Level::Critical).custom("job", "tidy up").send();
//!     }
//!     belvedere.shutdown_blocking(Duration::from_secs(5)); // also before `std::process::exit`
//!     Ok(done?)
//! }
//! # fn tidy_up() -> std::io::Result<()> { Ok(()) }
//! # }
//! ```
//!
//! What a request has spawned belongs to it if it is [in scope](super::order#tasks-threads-and-streams); else its panics and
//! reports are without a request.
//!
//! # Several environments
//!
//! Rollbar never merges items of different environments, so name one after what it is for, `production` or `staging`, and
//! tell machines and regions apart by `RollbarLayer::host`, or by an annotation.
//!
//! [`HandlerError`]: crate::exchange::HandlerError
