//! What leaves the process, and who may decide about a trace.
//!
//! # What leaves
//!
//! | of a request | by default | to change it |
//! |---|---|---|
//! | method, path, scheme, version | yes | `skip` leaves whole requests alone |
//! | query | keys; every value reads `REDACTED` | `query` |
//! | host, user agent | yes, the conventions name them | |
//! | `traceparent`, `tracestate` | yes, they are a part of the span | `trust` |
//! | client's address | the other end of the socket | `trusted_hops` |
//! | `baggage` | passed on, not on spans | `propagation`, `BaggageAttributes` |
//! | other headers | no | `request_headers`, `response_headers` |
//! | bodies | no, never | |
//! | messages of errors and panics | yes | |
//! | user and password in a URL | no, never | |
//!
//! A segment of X-Ray has less: no query at all, and of the headers the host and the user agent.
//!
//! # What Rollbar gets
//!
//! An item is of a failure, and whoever is to mend it needs more: so it has the values of the query and of the route, and
//! the headers `host`, `user-agent`, `content-type`, `content-length` and `accept`, and what was secret in them reads
//! `REDACTED`. What is secret is decided by names and by looks, as `scrub` says in detail: nobody can find a secret that has
//! neither.
//!
//! | of a failing request | by default | to change it |
//! |---|---|---|
//! | values of the query, of the route, of annotations, of `custom` | yes, without secrets | `scrubber` |
//! | messages of errors and panics | yes, without secrets | `scrubber` |
//! | headers | those five; of others none | `request_headers` |
//! | client's address | all of it | `addresses`: the network alone, or none |
//! | who asked | if an annotation `user_id` says it | |
//! | what the request has logged | no | `Breadcrumbs` |
//! | the body | no | `RequestBodyLayer`: JSON and forms, without secrets |
//! | the source lines around a frame | where its files are there | `Project::code` |
//! | values of variables, the environment, the arguments of the program | no, never | |
//!
//! A header value that is [sensitive](http::HeaderValue::is_sensitive) reads `REDACTED` even if its name is listed.
//!
//! # What CloudWatch Logs gets
//!
//! An access record has method, scheme, host, route, path, status, sizes, times, the user agent, the client's address, the
//! annotations, and what an error said. An event that the application logs has its message, its fields and those of its spans.
//!
//! | of a request | by default | to change it |
//! |---|---|---|
//! | query | no | `query`: yes, without secrets |
//! | path, annotations, messages of errors, events and their fields | yes, without secrets | `scrubber` |
//! | client's address | all of it | `addresses`: the network alone, or none |
//! | other headers, bodies | no, never | |
//!
//! Lines that are printed are the same.
//!
//! # Who decides about a trace
//!
//! By default a caller decides the trace id and whether the trace is recorded, as in every tracing library. Where
//! strangers can reach a service, that lets them force the recording of what they like, and say in `tracestate` how many
//! traces theirs stands for, which Honeycomb multiplies by when it counts.
//! [`TrustIncoming`](crate::trace::TrustIncoming) says what they may decide; whatever it says, ids that break a rule are
//! as if they were not there.
//!
//! Text that strangers write is cut: a path, a query and a message at 4096 bytes, a user agent at 1024, a host at 255, a
//! listed header at 4096.
//!
//! # Who is told about a trace
//!
//! Every host that is called gets the trace's headers and the baggage, but for those that
//! `OtelClientLayer::excluded_hosts` names; what a client does by itself beneath the layer, as reqwest's redirects, is not
//! judged again. Callers get no header that they did not ask for; `server_timing` and
//! `traceresponse` tell [browsers](super::browser).
//!
//! # Addresses
//!
//! Addresses in forwarding headers are believed as far as [`Hops`](crate::exchange::Hops) says: not at all, by default.
