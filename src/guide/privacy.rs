//! What leaves the process, and who may decide about a trace.
//!
//! # What leaves
//!
//! | of a request | by default | to change it |
//! |---|---|---|
//! | method, scheme, version | yes | `skip` leaves whole requests alone |
//! | path | yes, without secrets | `scrubber` |
//! | query | keys; every value reads `REDACTED` | `query`: values, without secrets |
//! | host, user agent | yes, the conventions name them; the user agent without secrets | `scrubber` |
//! | `traceparent`, `tracestate` | yes, they are a part of the span | `trust` |
//! | client's address | the other end of the socket | `addresses`, `trusted_hops` |
//! | `baggage` | passed on, not on spans | `propagation`, `BaggageAttributes` |
//! | other headers | no | `request_headers`, `response_headers`: without secrets |
//! | annotations, further attributes | yes, without secrets | `scrubber` |
//! | bodies | no, never | |
//! | messages of errors and panics | yes, without secrets | `scrubber` |
//! | user and password in a URL | no, never | |
//!
//! A segment of X-Ray has less: no query at all, and of the headers the host and the user agent. What is added to it by hand,
//! metadata, the user and queries to databases, is without secrets as well.
//!
//! # One for all
//!
//! A [`Scrubber`](https://docs.rs/belvedere/latest/belvedere/scrub/struct.Scrubber.html) finds secrets by names and by looks,
//! as the module `scrub` says in detail, for spans, segments, items and lines alike, and what it takes out reads `REDACTED`.
//! `Setup::scrubber` and `Setup::addresses` count for all four; `scrubber` and `addresses` of a layer for that layer. Two
//! things stand outside of a layer, and have a `scrubber` of their own: the subscriber that sends events to CloudWatch Logs,
//! and `BaggageAttributes`.
//!
//! In a path a value is a secret where the route calls it so, as in `/reset/{token}`. A span's attributes are fixed when it
//! starts, so for its path the route must be known by then: put the layer onto the router, with `Router::layer`, and not
//! around it. Segments, items and lines learn the route from an inner layer too.
//!
//! Not scrubbed are names, which are the program's own (of spans, routes, subsegments, keys), ids of traces, hosts, and what
//! spans made by other code say.
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
//! # What a stranger can make you store
//!
//! Whatever a client sends, a record is at most so large, and names are at most so many. Lengths are in bytes, those of a
//! segment in characters.
//!
//! | what | at most | where |
//! |---|---|---|
//! | ids of traces and spans | their own length: what breaks a rule counts for nothing | all |
//! | whether a trace is recorded, and by `rv` whether its line is logged | decided by callers, unless [`TrustIncoming`](crate::trace::TrustIncoming) says otherwise | spans, segments, lines |
//! | `tracestate` | 32 members of 513, which are on the spans of the trace and passed on | spans |
//! | further fields of `X-Amzn-Trace-Id` | 256, passed on, not stored | |
//! | `baggage` | 180 entries, 8192 in all, passed on; on spans the keys of `BaggageAttributes` alone, 1024 characters each | spans |
//! | method | 256 in spans, 250 in segments, 32 in items and lines | all |
//! | path, query | 4096 each; 250 for a segment's URL; in an item also 256 parameters of the query one by one | all |
//! | host | 255 in spans, 260 in items and lines, a part of the URL in segments | all |
//! | user agent | 1024 in spans, 250 in segments, 4096 in items and lines | all |
//! | a header that is listed | 4096 | spans, items |
//! | annotations | 64, with keys of 255 and texts of 4096, or 1000 in segments | all |
//! | what an error or a panic says | 4096, or 250 in segments | all |
//! | names of spans | known methods with the router's routes; 1000 routes and 1000 names that code makes; 1000 gRPC methods that went well and 100 others | spans, metrics |
//! | names of segments | one; with `hosts` 200 that a pattern matches | segments |
//! | what tells items apart | known methods with the router's routes; gRPC as above | items |
//! | series of metrics | 10, `other` among them, or as many as `Metrics::series` says | lines |
//! | lines | one for each record: what ends lines, controls terminals or turns the direction of writing is escaped | lines |
//!
//! The path is never a name. A service without a router, as one of hyper alone, has the methods alone as names, unless code
//! of its own tells routes; past the room they are `_OTHER`, in spans and metrics alike.
//!
//! A trace's id is random where nobody else may choose it. A sampler that keeps a share of all traces by their ids, as
//! `Ratio` and CloudWatch's `sample`, keeps whatever id a caller has made up to be kept: only `TrustIncoming::None` leaves no
//! choice. X-Ray's samplers do not look at ids.
//!
//! Card numbers are numbers like others, unless `Scrubber::card_numbers` has them looked for, in all four backends alike.
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
