//! Which requests are recorded: local rules, and the central ones that X-Ray keeps for all services.
//!
//! ```no_run
//! use belvedere::{
//!     outbox::Outbox,
//!     xray::{
//!         Sampler,
//!         sampler::{DaemonProxy, Request},
//!     },
//! };
//!
//! let outbox = Outbox::builder().start()?;
//! let proxy = DaemonProxy::new(&"127.0.0.1:2000".parse()?)?;
//! let sampler = Sampler::central(proxy, Sampler::reservoir(1, 0.05), &outbox);
//!
//! let sampling = sampler.sample(&Request::default().service("checkout").method("GET").path("/carts/7"));
//! println!("recorded: {}, by rule {:?}", sampling.sampled, sampling.rule);
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! # Who is asked
//!
//! Only whoever begins a trace decides: a decision that the caller made stands, and counts nowhere
//! ([`Sampler::decide`]). A caller that leaves it open (`Sampled=?`, or a load balancer that names only the trace) lets us
//! decide.
//!
//! # What matches
//!
//! A rule has patterns of the service's name and kind, the header `Host` with its port, the method, and the path without
//! the query. `*` stands for any characters, also none, and `?` for exactly one; case does not count; nothing is escaped.
//! A pattern matches all of a text, and a text that is not known matches every pattern.
//!
//! # Local rules
//!
//! A rule takes a fixed number of requests in each second, its reservoir, and of the others a share at random. The
//! first rule that matches decides, else the default. Each process counts for itself.
//!
//! # Central rules
//!
//! The [rules of the account](https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html) are asked in the
//! order of their priority, then of their names, and `Default` last. Each has a reservoir that all services share: X-Ray
//! gives every one of them a quota for some seconds, by what they report.
//!
//! ```text
//! request ──► first rule that matches ──► has a live quota? ──► taken fewer in this second? ──► sampled
//!                                               │ no                  │ no
//!                                               ▼                     ▼
//!                              reservoir not empty, none     random < rate ──► sampled
//!                              borrowed in this second? ──no──►     │ no
//!                                               │ yes               ▼
//!                                               ▼              not sampled
//!                                         sampled, borrowed
//! ```
//!
//! - Rules are had at the first request, and then every 300 to 305 s; at once when X-Ray says that one was changed. After
//!   a failure they are asked for again in 10 s, then in 20 s, 40 s, and so on up to 300 s. All pages are read.
//! - Targets are had every 10 s or a little more, or as seldom as X-Ray says, for the rules that had requests.
//! - What is reported is counted from then on. As the API says, and unlike AWS's SDKs, borrowed requests are among the
//!   sampled ones. A report that fails is lost, so that a long outage does not look like a rush afterwards.
//! - A rule that is changed keeps its counts, its reservoir and its quota.
//! - Rules count if they are of version 1, for all resources, without attributes, and have a name, a priority, a rate, a
//!   reservoir and all five patterns, each of which has at most 256 bytes. An answer with more than 1,000 is a failure.
//! - For an hour without a good answer the last rules stay; then the fallback decides, as it does before the first answer.
//!   The hour begins when they were asked for.
//!
//! # What is told
//!
//! Every failure is an event, [`OutboxEvent::Failed`](crate::outbox::OutboxEvent::Failed), and at most once in ten seconds
//! a line in the log.

mod api;
mod call;
mod central;
mod file;
mod local;
mod matcher;
mod poller;
mod proxy;
mod request;
mod reservoir;
mod rule;
#[expect(clippy::module_inception, reason = "a file has the name of its noun")]
mod sampler;
mod service;
mod source;
#[cfg(feature = "otel")]
mod span;
#[cfg(test)]
mod tests;
mod window;

#[cfg(feature = "otel")]
pub use self::span::SpanSampler;
pub use self::{
    api::{
        GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingRule, SamplingRuleRecord,
        SamplingStatisticsDocument, SamplingTargetDocument, UnprocessedStatistics,
    },
    proxy::DaemonProxy,
    request::Request,
    sampler::{Sampler, Sampling},
    source::SamplingSource,
};
