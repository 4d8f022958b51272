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
//! X-Ray's console shows the lines of a trace beside it, if it knows the log group and the lines name the trace as it does, which
//! JSON does. With `from_env` segments name the group of `CLOUDWATCH_LOG_GROUP`; part by part `XRayLayer::log_group` says it.
//! Groups that somebody else fills are in `BELVEDERE_XRAY_LOG_GROUPS`, or the plugins for ECS and EKS find them out.
//!
//! # What may be done
//!
//! By a policy such as this, whoever runs the service may do all that is needed, and make a group that keeps its lines for a time:
//!
//! ```json
//! {
//!   "Version": "2012-10-17",
//!   "Statement": [{
//!     "Effect": "Allow",
//!     "Action": [
//!       "logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"
//!     ],
//!     "Resource": "arn:aws:logs:eu-west-1:123456789012:log-group:/shop/*"
//!   }]
//! }
//! ```
//!
//! Where group and streams are made beforehand, the first is enough. A permission that is missing is named in the log, once, and
//! events are kept until it is there.
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
//! keep. For an `EnvFilter`, put it on by `.with_filter(..)`, and say `.level(Level::TRACE)`: otherwise nothing below `INFO` is
//! shipped, whatever the filter lets through.
//!
//! # What it costs
//!
//! [AWS bills](https://aws.amazon.com/cloudwatch/pricing/) ingestion by the byte, sent compressed or not, storage by the month, and
//! each custom metric. An access record is about 500 bytes, so 100 requests a second are 4 GB a day. Say how long a group keeps
//! its events (`Api::retention`), leave out health checks (`skip`), log a share of what went well (`sample`), take
//! `Class::InfrequentAccess` where nobody needs more, and ask for metrics only with a number of series in mind
//! ([`Metrics`](crate::cloudwatch::Metrics) has the table).
//!
//! # For those who know watchtower
//!
//! | there | here |
//! |---|---|
//! | `log_group_name`, `log_stream_name` | `CLOUDWATCH_LOG_GROUP`, `CLOUDWATCH_LOG_STREAM`, with `{hostname}`, `{pid}`, `{date}`, `{ecs_task}`, `{instance_id}` |
//! | `send_interval`, `max_batch_size`, `max_batch_count` | `Api::limits`; requests are filled as CloudWatch allows, after a second at most |
//! | `create_log_group`, `log_group_retention_days`, `log_group_tags` | `Api::create`, `retention`, `tags` |
//! | `boto3_client` | `Setup::cloudwatch_api`, or `Api::new` |
//! | `max_message_size` | `Api::event_bytes`; bytes, and cut in the middle |
//! | `json_serialize_default` | everything is JSON already |
//! | `flush()`, `close()` | `Outbox::flush`, `shutdown`; both end within their limit |
//! | filters against botocore's own lines | none needed: what ships is silent |
//!
//! # For those who know winston-cloudwatch
//!
//! | there | here |
//! |---|---|
//! | `logGroupName`, `logStreamName`, `awsRegion` | `CLOUDWATCH_LOG_GROUP`, `CLOUDWATCH_LOG_STREAM`, `AWS_REGION` |
//! | `retentionInDays`, `ensureLogGroup` | `BELVEDERE_CLOUDWATCH_RETENTION_DAYS` or `Api::retention`, `Api::create` |
//! | `uploadRate` | `Limits::age`, by `Api::limits` |
//! | `jsonMessage`, `messageFormatter` | JSON is the default; `Format::of` |
//! | `level` | `Subscriber::level` |
//! | `errorHandler` | what is lost is counted, in warnings of `tracing` and in the report of `shutdown` |
//! | `kthxbye` | `Belvedere::shutdown` |
