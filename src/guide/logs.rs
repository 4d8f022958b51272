//! CloudWatch Logs: which lines there are, how to find them, and what they cost.
//!
//! # One search for everything
//!
//! Access records and events have the same names for the same things, so one query of
//! [Logs Insights](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html) finds a request with all that
//! it logged:
//!
//! ```text
//! fields @timestamp, level, route, status, message
//! | filter trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
//! | sort @timestamp
//! ```
//!
//! The slowest routes, and who fails:
//!
//! ```text
//! filter ispresent(status)
//! | stats count(*), pct(duration_ms, 99), sum(status >= 500) by route
//! ```
//!
//! Where not all good requests are logged, `sum(coalesce(sample_rate, 1))` counts those that a record stands for.
//!
//! X-Ray's console shows the lines of a trace beside it, if it knows the log group: `BELVEDERE_XRAY_LOG_GROUPS` tells it, or the
//! plugins for ECS and EKS find it out.
//!
//! # What goes where
//!
//! | you have | you take |
//! |---|---|
//! | a server of your own, or no agent | `CLOUDWATCH_LOG_GROUP`, and the layers send |
//! | a container whose standard output is collected | the lines on the standard output: `LogLane::stdout` |
//! | both | `LogLane::and` |
//!
//! The [subscriber](crate::cloudwatch::subscriber) ships what the application logs. It tells no other layer of `tracing` what to
//! keep; put an `EnvFilter` on it by `.with_filter(..)` if its level is not enough.
//!
//! # What it costs
//!
//! Ingestion is billed by the byte, storage by the month, each custom metric by the month. So: say how long a group keeps its
//! events (`Api::retention`), leave out health checks (`skip`), log a share of what went well (`sample`), and ask for metrics
//! only with a number of series in mind ([`Metrics`](crate::cloudwatch::Metrics) has the table).
//!
//! # For those who know watchtower
//!
//! | there | here |
//! |---|---|
//! | `log_group_name`, `log_stream_name` | `CLOUDWATCH_LOG_GROUP`, `CLOUDWATCH_LOG_STREAM`, with `{hostname}`, `{pid}`, `{date}`, `{ecs_task}`, `{instance_id}` |
//! | `send_interval`, `max_batch_size`, `max_batch_count` | `Api::limits`; requests are filled as CloudWatch allows, after a second at most |
//! | `create_log_group`, `log_group_retention_days`, `log_group_tags` | `Api::create`, `retention`, `tags` |
//! | `max_message_size` | `Api::event_bytes`; bytes, and cut in the middle |
//! | `json_serialize_default` | everything is JSON already |
//! | `flush()`, `close()` | `Outbox::flush`, `shutdown`; both end within their limit |
//! | filters against botocore's own lines | none needed: what ships is silent |
