//! Each row of README's table of variables: what a good value does and what a bad one says, over real sockets.
//!
//! The tests of a row stand in a module that is named after its first variable.
#![cfg(all(
    feature = "cloudwatch",
    feature = "otel",
    feature = "rollbar",
    feature = "spool",
    feature = "xray"
))]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/lines.rs"]
mod lines;
#[path = "support/log.rs"]
mod log;
#[path = "support/rollbar.rs"]
mod rollbar;
mod support;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use aws::Endpoint;
use belvedere::Belvedere;
use daemon::Daemon;
use folder::Folder;
use http::{Request, Response};
use lines::{Line, Lines};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, metric::Data};
use rollbar::Rollbar;
use support::{
    Script, Server,
    authority::{Authority, Secure},
    environment::{
        Pairs, bare, dead, fail, refusal, serve, setup, start, through, towards, warnings, warns, wholly,
    },
    honeycomb::Honeycomb,
    sink::{Sink, text},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than the default age of a record, and shorter than any age that is set here.
const LATER: Duration = Duration::from_millis(1300);

#[test]
fn each_row_of_the_readme_has_its_tests_and_each_test_its_row() {
    let (rows, tests) = (rows(), modules());
    let wanted: BTreeSet<_> = rows.iter().map(|row| row.variables[0].to_lowercase()).collect();
    let found: BTreeSet<_> = tests.keys().cloned().collect();
    assert_eq!(wanted, found);
    for Row { variables, tests: counted } in &rows {
        let text = &tests[&variables[0].to_lowercase()];
        let count = text.matches("#[test]").count() + text.matches("#[tokio::test").count();
        assert!(count > 0 && count == *counted, "{variables:?} have {count} tests");
        for name in variables {
            assert!(text.contains(name.as_str()), "{name} is in none of the tests of its row");
        }
    }
}

#[test]
fn each_row_of_the_readme_is_told_in_the_module_s_documentation() {
    let documentation = include_str!("../src/setup/mod.rs");
    for name in rows().into_iter().flat_map(|row| row.variables) {
        assert!(documentation.contains(&format!("`{name}`")), "{name}");
    }
}

/// A row of README's table: the variables of its first cell, and the number in its last one.
struct Row {
    variables: Vec<String>,
    tests: usize,
}

fn rows() -> Vec<Row> {
    let lines = include_str!("../README.md").lines().filter(|line| line.starts_with("| `"));
    lines.filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let is_variable = |name: &&str| {
        ["OTEL_", "HONEYCOMB_", "BELVEDERE_", "AWS_", "ROLLBAR_", "CLOUDWATCH_"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let variables: Vec<_> = cells[0].split('`').filter(is_variable).map(str::to_owned).collect();
    let tests = cells.last()?.parse().ok()?;
    (!variables.is_empty()).then_some(Row { variables, tests })
}

/// The text of each module in this file, by its name.
fn modules() -> BTreeMap<String, String> {
    let parts =
        include_str!("variables.rs").split("\nmod ").skip(1).filter_map(|part| part.split_once(" {\n"));
    let parts = parts.filter(|(name, _)| !name.contains(';'));
    parts.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// The attributes of the resource that sent the first span.
fn resource(sink: &Sink) -> HashMap<String, String> {
    sink.resource().into_iter().collect()
}

mod otel_sdk_disabled {
    use super::*;

    #[tokio::test]
    async fn makes_no_spans_and_lets_trace_headers_through() {
        let sink = through(&[("OTEL_SDK_DISABLED", "TRUE")]).await;
        assert!(sink.received().is_empty());

        let belvedere = start(&[("OTEL_SDK_DISABLED", "true")]).unwrap();
        assert!(belvedere.tracer_provider().is_none() && belvedere.meter_provider().is_none());
        let client = belvedere.client_layer().layer(service_fn(|request: Request<()>| async move {
            let traceparent = request.headers()["traceparent"].to_str().unwrap().to_owned();
            let response = Response::builder().header("passed-on", traceparent);
            Ok::<_, Infallible>(response.body(Script::new()).unwrap())
        }));
        let service = belvedere
            .layer()
            .layer(service_fn(move |_: Request<()>| client.clone().oneshot(Request::new(()))));
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.headers()["passed-on"], traceparent);
    }

    #[test]
    fn starts_whatever_the_rest_says() {
        drop(start(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap());
    }

    #[test]
    fn a_bad_one_is_false() {
        warns("OTEL_SDK_DISABLED", "yes", "false");
    }
}

mod otel_service_name {
    use super::*;

    #[tokio::test]
    async fn comes_before_the_attribute_which_comes_before_the_code() {
        let attribute = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=by%20attribute");
        for (variables, expected) in [
            (&[("OTEL_SERVICE_NAME", "checkout"), attribute][..], "checkout"),
            (&[attribute], "by attribute"),
            (&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=,deployment.environment.name=a")], "by code"),
            (&[("OTEL_SERVICE_NAME", " ")], "by code"),
            (&[], "by code"),
        ] {
            let sink = Sink::start();
            let belvedere = setup(variables).service_name("by code").otlp(sink.base()).start().unwrap();
            serve(&belvedere, Request::new(())).await;
            belvedere.shutdown(PATIENCE).await;
            assert_eq!(resource(&sink)["service.name"], expected);
        }
    }

    #[tokio::test]
    async fn is_unknown_with_the_program_s_name_where_nobody_gives_one() {
        let name = &resource(&through(&[]).await)["service.name"];
        assert!(name.starts_with("unknown_service:variables"), "{name}");
    }
}

mod otel_resource_attributes {
    use super::*;

    #[tokio::test]
    async fn stand_beside_who_we_are() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=a%2Cb, region = eu");
        let resource = resource(&through(&[attributes]).await);
        assert_eq!(resource["deployment.environment.name"], "a,b");
        assert_eq!(resource["region"], "eu");
        assert_eq!(resource["telemetry.sdk.language"], "rust");
        assert_eq!(resource["telemetry.distro.name"], "belvedere");
    }

    #[test]
    fn what_is_no_pair_is_left_out() {
        warns("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "the rest");
    }
}

mod otel_propagators {
    use super::*;

    const W3C: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const AMZN: &str = "5759e988bd862e3fe1be46a994272793";

    #[tokio::test]
    async fn decide_what_is_read() {
        for (propagators, expected) in
            [("", Some(W3C)), ("xray", Some(AMZN)), ("xray, TraceContext", Some(AMZN)), ("none", None)]
        {
            let sink = Sink::start();
            let belvedere = towards(&sink, &[("OTEL_PROPAGATORS", propagators)]);
            let request =
                Request::get("/").header("traceparent", format!("00-{W3C}-00f067aa0ba902b7-01")).header(
                    "x-amzn-trace-id",
                    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
                );
            serve(&belvedere, request.body(()).unwrap()).await;
            belvedere.shutdown(PATIENCE).await;
            let id: String = sink.spans()[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            let read = [W3C, AMZN].into_iter().find(|named| id == *named);
            assert_eq!(read, expected, "{propagators}: {id}");
        }
    }

    #[tokio::test]
    async fn b3_is_read_in_both_of_its_ways() {
        for (propagators, name, value) in
            [("b3", "b3", format!("{W3C}-00f067aa0ba902b7-1")), ("B3multi", "x-b3-traceid", W3C.to_owned())]
        {
            let sink = Sink::start();
            let belvedere = towards(&sink, &[("OTEL_PROPAGATORS", propagators)]);
            let request = Request::get("/").header(name, value).header("x-b3-spanid", "00f067aa0ba902b7");
            serve(&belvedere, request.body(()).unwrap()).await;
            belvedere.shutdown(PATIENCE).await;
            let id: String = sink.spans()[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(id, W3C, "{propagators}");
        }
    }

    #[tokio::test]
    async fn x_ray_s_is_among_them_where_x_ray_is_on_unless_they_are_said() {
        for (variables, expected) in [
            (&[][..], None),
            (&[("AWS_XRAY_TRACING_NAME", "checkout")], Some(AMZN)),
            (&[("AWS_XRAY_TRACING_NAME", "checkout"), ("OTEL_PROPAGATORS", "tracecontext")], None),
        ] {
            let sink = Sink::start();
            let belvedere = towards(&sink, variables);
            let request = Request::get("/").header(
                "x-amzn-trace-id",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            );
            serve(&belvedere, request.body(()).unwrap()).await;
            belvedere.shutdown(PATIENCE).await;
            let id: String = sink.spans()[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Some(&*id).filter(|id| *id == AMZN), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_bad_word_is_left_out_and_a_list_of_them_is_the_default_one() {
        warns("OTEL_PROPAGATORS", "tracecontext,jaeger", "the rest");
        warns("OTEL_PROPAGATORS", "ottrace", "tracecontext,baggage");
    }
}

mod otel_traces_exporter {
    use super::*;

    #[tokio::test]
    async fn none_sends_nothing() {
        assert!(through(&[("OTEL_TRACES_EXPORTER", "none")]).await.received().is_empty());
    }

    #[tokio::test]
    async fn otlp_and_console_do_both() {
        let sink = through(&[("OTEL_TRACES_EXPORTER", "OTLP, console")]).await;
        assert_eq!(sink.spans().len(), 1);
    }

    #[tokio::test]
    async fn a_list_without_a_word_that_is_understood_is_the_default_one() {
        for value in ["jaeger", ",", "zipkin, prometheus"] {
            let sink = Sink::start();
            let belvedere = towards(&sink, &[("OTEL_TRACES_EXPORTER", value)]);
            assert!(belvedere.warnings()[0].contains("using otlp"), "{:?}", belvedere.warnings());
            serve(&belvedere, Request::new(())).await;
            belvedere.shutdown(PATIENCE).await;
            assert_eq!(sink.spans().len(), 1, "{value}");
        }
    }

    #[test]
    fn a_bad_word_is_left_out() {
        warns("OTEL_TRACES_EXPORTER", "otlp,zipkin", "the rest");
    }
}

mod otel_exporter_otlp_endpoint {
    use super::*;

    #[tokio::test]
    async fn is_a_base_url_below_which_each_signal_has_its_path() {
        let sink = through(&[]).await;
        assert_eq!(sink.received()[0].path, "/v1/traces");
        assert_eq!(sink.received()[0].headers["content-type"], "application/x-protobuf");
        assert_eq!(sink.spans()[0].name, "GET");
    }

    #[tokio::test]
    async fn the_one_for_traces_is_used_as_it_is_and_comes_first() {
        let sink = Sink::start();
        let belvedere = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/custom", sink.base())),
        ])
        .unwrap();
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(PATIENCE).await;
        assert_eq!(sink.received()[0].path, "/custom");
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_says_what_to_do() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"),
        ] {
            let message = refusal(&[(name, value)]);
            assert!(message.contains(name) && message.contains(value), "{message}");
            assert!(message.contains("http://localhost:4318"), "it says what to do: {message}");
        }
    }

    #[test]
    fn it_never_holds_credentials_and_an_error_never_shows_them() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://canary@collector/v1/traces"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector?token=canary"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "htp://collector/v1/traces?token=canary"),
        ] {
            let message = refusal(&[(name, value)]);
            assert!(message.contains(name) && !message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn where_things_go_is_logged_without_the_query() {
        let log = log::Log::default();
        let endpoint = |signal: &str| format!("http://localhost:4318/v1/{signal}?token=canary");
        let (traces, metrics, logs) = (endpoint("traces"), endpoint("metrics"), endpoint("logs"));
        let variables = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*traces),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &*metrics),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", &*logs),
            LOGS,
        ];
        let belvedere = tracing::subscriber::with_default(log.subscriber(), || bare(&variables).start());
        let lines = log.lines().concat();
        for signal in ["traces", "metrics", "logs"] {
            assert!(lines.contains(&format!("http://localhost:4318/v1/{signal}")), "{lines}");
        }
        assert!(!lines.contains("canary"), "{lines}");
        assert!(!format!("{:?}", belvedere.unwrap()).contains("canary"));
        let message = refusal(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces?token=canary")]);
        assert!(!message.contains("canary"), "{message}");
    }
}

mod otel_exporter_otlp_headers {
    use super::*;

    #[tokio::test]
    async fn are_decoded_and_those_for_traces_replace_the_general_ones() {
        let sink = through(&[("OTEL_EXPORTER_OTLP_HEADERS", "x-one=a%20b, x-two = c")]).await;
        assert_eq!(sink.received()[0].headers["x-one"], "a b");
        assert_eq!(sink.received()[0].headers["x-two"], "c");
        let sink = through(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-one=a"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-two=b"),
        ])
        .await;
        assert!(!sink.received()[0].headers.contains_key("x-one"));
        assert_eq!(sink.received()[0].headers["x-two"], "b");
    }

    #[test]
    fn what_is_no_pair_is_left_out_and_never_shown() {
        warns("OTEL_EXPORTER_OTLP_HEADERS", "no-pair", "the rest");
        warns("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "the rest");
        for value in ["canary", "x-key=canary\u{1}", "Authorization: Basic canary=="] {
            let warnings = warnings(&[("OTEL_EXPORTER_OTLP_HEADERS", value)]);
            assert!(!warnings.is_empty() && !warnings.concat().contains("canary"), "{warnings:?}");
        }
    }
}

mod otel_exporter_otlp_timeout {
    use super::*;

    #[tokio::test]
    async fn bounds_one_request_which_is_then_tried_again() {
        for (name, other) in [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_UNKNOWN"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ] {
            let sink = Sink::start();
            sink.silence();
            let belvedere = towards(&sink, &[(name, "200"), (other, "60000")]);
            serve(&belvedere, Request::new(())).await;
            let report = belvedere.shutdown(PATIENCE).await;
            assert_eq!((report.lanes[0].delivered, sink.received().len()), (1, 2), "{name}: {report}");
        }
    }

    #[test]
    fn a_bad_one_is_ten_seconds() {
        warns("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "10000");
        warns("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1", "10000");
    }

    /// As <https://opentelemetry.io/docs/specs/otel/configuration/common/#timeout> has it.
    #[tokio::test]
    async fn none_at_all_is_no_limit_here_and_wherever_a_request_is_bounded() {
        let sink = Sink::start();
        let limits = ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT"];
        let mut variables = limits.map(|name| (name, "0")).to_vec();
        variables.extend([("OTEL_METRIC_EXPORT_TIMEOUT", "0"), ("OTEL_METRICS_EXPORTER", "otlp"), LOGS]);
        let belvedere = towards(&sink, &variables);
        assert_eq!(belvedere.warnings(), [""; 0]);
        serve(&belvedere, Request::new(())).await;
        assert_eq!(belvedere.shutdown(PATIENCE).await.lost(), 0);
    }
}

mod otel_exporter_otlp_compression {
    use super::*;

    #[tokio::test]
    async fn none_sends_plain_bytes_and_the_one_for_traces_comes_first() {
        let gzip = |sink: Sink| sink.received()[0].headers.get("content-encoding").cloned();
        let none = ("OTEL_EXPORTER_OTLP_COMPRESSION", "none");
        assert_eq!(gzip(through(&[]).await).unwrap(), "gzip");
        assert_eq!(gzip(through(&[none]).await), None);
        assert_eq!(
            gzip(through(&[none, ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "GZIP")]).await).unwrap(),
            "gzip"
        );
    }

    #[test]
    fn a_bad_one_is_gzip() {
        warns("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip");
    }
}

mod otel_exporter_otlp_protocol {
    use super::*;

    #[test]
    fn one_that_is_not_spoken_is_an_error_that_names_it() {
        for name in ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] {
            for value in ["grpc", "http/json", "carrier pigeon"] {
                let message = refusal(&[(name, value)]);
                assert!(message.contains(name) && message.contains(value), "{message}");
            }
            drop(start(&[(name, "HTTP/protobuf")]).unwrap());
        }
    }
}

mod otel_traces_sampler {
    use super::*;

    #[tokio::test]
    async fn decides_which_spans_leave() {
        for (sampler, argument, expected) in [
            ("always_on", "", 1),
            ("ALWAYS_ON", "", 1),
            ("always_off", "", 0),
            ("traceidratio", "0", 0),
            ("traceidratio", "1.0", 1),
            ("parentbased_always_on", "", 1),
            ("parentbased_always_off", "", 0),
            ("parentbased_traceidratio", "0.0", 0),
        ] {
            let sink =
                through(&[("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)]).await;
            assert_eq!(sink.spans().len(), expected, "{sampler} {argument}");
        }
    }

    #[tokio::test]
    async fn one_that_is_parent_based_does_what_the_parent_does() {
        for (sampler, flags, expected) in [
            ("parentbased_always_off", "01", 1),
            ("parentbased_always_on", "00", 0),
            ("parentbased_traceidratio", "00", 0),
            ("always_on", "00", 1),
            ("always_off", "01", 0),
        ] {
            let sink = Sink::start();
            let belvedere = towards(&sink, &[("OTEL_TRACES_SAMPLER", sampler)]);
            let traceparent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
            serve(&belvedere, request).await;
            belvedere.shutdown(PATIENCE).await;
            assert_eq!(sink.spans().len(), expected, "{sampler} {flags}");
        }
    }

    #[tokio::test]
    async fn x_ray_s_rules_may_decide_alone_or_with_a_parent_which_is_the_same() {
        let rules = Rules::keep(0.0);
        for word in ["xray", "parentbased_xray", "XRay"] {
            for (flags, expected) in [(None, 0), (Some("01"), 1), (Some("00"), 0)] {
                let sink = Sink::start();
                let (path, name) = (rules.path(), "BELVEDERE_XRAY_SAMPLING_RULES");
                let belvedere = towards(&sink, &[("OTEL_TRACES_SAMPLER", word), (name, &path)]);
                assert_eq!(belvedere.warnings(), [""; 0]);
                let traceparent =
                    |flags| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
                let request = flags.into_iter().fold(Request::get("/"), |request, flags| {
                    request.header("traceparent", traceparent(flags))
                });
                serve(&belvedere, request.body(()).unwrap()).await;
                belvedere.shutdown(PATIENCE).await;
                assert_eq!(sink.spans().len(), expected, "{word} {flags:?}");
            }
        }
    }

    #[test]
    fn a_bad_one_is_the_default_one() {
        warns("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_always_on");
    }
}

mod otel_traces_sampler_arg {
    use super::*;

    #[tokio::test]
    async fn is_the_share_of_ids_that_leave_and_the_rate_that_they_carry() {
        let traceparent = "00-4bf92f3577b34da6a380000000000000-00f067aa0ba902b7-00";
        for (share, expected) in [("0.25", None), ("0.5", Some("2")), ("0.75", Some("1")), ("", Some(""))] {
            let sink = Sink::start();
            let belvedere = towards(
                &sink,
                &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", share)],
            );
            let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
            serve(&belvedere, request).await;
            belvedere.shutdown(PATIENCE).await;
            let rate = sink.spans().into_iter().next().map(|span| {
                let rate = span.attributes.into_iter().find(|pair| pair.key == "SampleRate");
                rate.map_or_else(String::new, |pair| text(pair.value.unwrap().value))
            });
            // A rate of 1 is not told.
            let expected = expected.map(|rate| if rate == "1" { "" } else { rate });
            assert_eq!(rate.as_deref(), expected, "{share}");
        }
    }

    #[test]
    fn x_ray_s_rules_have_none_which_is_told() {
        let warnings = warnings(&[
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://localhost:2000,polling_interval=360"),
        ]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("OTEL_TRACES_SAMPLER_ARG")
                && warnings[0].contains("AWS_XRAY_DAEMON_ADDRESS")
        );
    }

    #[test]
    fn a_bad_one_is_everything() {
        for share in ["1.5", "-0.1", "half", "NaN"] {
            let warnings =
                warnings(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", share)]);
            assert!(warnings[0].contains("OTEL_TRACES_SAMPLER_ARG") && warnings[0].contains("using 1"));
        }
    }
}

mod otel_bsp_schedule_delay {
    use super::*;

    #[tokio::test]
    async fn is_how_long_a_span_waits_for_company() {
        let (soon, late) = (Sink::start(), Sink::start());
        let delay = |millis| [("OTEL_BSP_SCHEDULE_DELAY", millis)];
        let (first, second) = (towards(&soon, &delay("0")), towards(&late, &delay("60000")));
        serve(&first, Request::new(())).await;
        serve(&second, Request::new(())).await;
        soon.arrived(1).await;
        tokio::time::sleep(LATER).await;
        assert!(late.received().is_empty());
        assert!(second.flush(PATIENCE).await);
        assert_eq!(late.spans().len(), 1);
    }

    #[test]
    fn a_bad_one_is_a_second() {
        warns("OTEL_BSP_SCHEDULE_DELAY", "1s", "1000");
    }
}

mod otel_bsp_max_queue_size {
    use super::*;

    #[tokio::test]
    async fn is_how_many_spans_are_held_while_nothing_can_be_sent() {
        let (_socket, dead) = dead();
        let belvedere = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &dead),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "3"),
            ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
        ])
        .unwrap();
        for _ in 0..10 {
            serve(&belvedere, Request::new(())).await;
        }
        let report = belvedere.outbox().report();
        assert!(report.lanes[0].waiting <= 3 && report.lanes[0].lost() >= 7, "{report}");
        belvedere.shutdown(Duration::ZERO).await;
    }

    #[test]
    fn a_bad_one_is_the_default_one() {
        warns("OTEL_BSP_MAX_QUEUE_SIZE", "0", "8192");
    }
}

mod otel_bsp_max_export_batch_size {
    use super::*;

    #[tokio::test]
    async fn is_how_many_spans_one_request_holds() {
        let sink = Sink::start();
        let belvedere = towards(&sink, &[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")]);
        for _ in 0..5 {
            serve(&belvedere, Request::new(())).await;
        }
        belvedere.shutdown(PATIENCE).await;
        assert_eq!((sink.spans().len(), sink.received().len()), (5, 3));
    }

    #[test]
    fn a_bad_one_is_the_default_one_and_one_above_the_queue_s_size_is_that() {
        warns("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many", "512");
        let above = [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20"), ("OTEL_BSP_MAX_QUEUE_SIZE", "10")];
        assert!(warnings(&above)[0].contains("using 10"), "{:?}", warnings(&above));
        assert_eq!(warnings(&[("OTEL_BSP_MAX_QUEUE_SIZE", "10")]), [""; 0], "the default shrinks silently");
    }
}

mod otel_bsp_export_timeout {
    use super::*;

    #[tokio::test]
    async fn bounds_one_request_whatever_the_exporter_s_own_bound_is() {
        let sink = Sink::start();
        sink.silence();
        let belvedere =
            towards(&sink, &[("OTEL_BSP_EXPORT_TIMEOUT", "200"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")]);
        serve(&belvedere, Request::new(())).await;
        let report = belvedere.shutdown(PATIENCE).await;
        assert_eq!((report.lanes[0].delivered, sink.received().len()), (1, 2), "{report}");
    }

    #[test]
    fn a_bad_one_is_thirty_seconds() {
        warns("OTEL_BSP_EXPORT_TIMEOUT", "-1", "30000");
    }
}

/// A span with two attributes, two events with two attributes each, and two links with two attributes each.
fn rich(belvedere: &Belvedere) {
    use opentelemetry::{KeyValue, trace::Span as _};
    let pairs = || vec![KeyValue::new("first", "élan vital"), KeyValue::new("second", 2)];
    let link = |id: u8| {
        let (trace_id, span_id) = (TraceId::from(u128::from(id)), SpanId::from(u64::from(id)));
        let context = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::default());
        Link::new(context, pairs(), 0)
    };
    let tracer = belvedere.tracer_provider().unwrap().tracer("app");
    let mut span = tracer.span_builder("rich").with_links(vec![link(1), link(2)]).start(&tracer);
    span.set_attributes(pairs());
    span.add_event("first", pairs());
    span.add_event("second", pairs());
    span.end();
}

/// What of a rich span arrives: the number of its attributes, events, an event's attributes, links, a link's attributes.
async fn left(variables: Pairs<'_>) -> [usize; 5] {
    let sink = Sink::start();
    let belvedere = towards(&sink, variables);
    rich(&belvedere);
    belvedere.shutdown(PATIENCE).await;
    let span = sink.spans().remove(0);
    let of_event = span.events.first().map_or(0, |event| event.attributes.len());
    let of_link = span.links.first().map_or(0, |link| link.attributes.len());
    [span.attributes.len(), span.events.len(), of_event, span.links.len(), of_link]
}

mod otel_attribute_count_limit {
    use super::*;

    #[tokio::test]
    async fn bounds_a_span_s_attributes_unless_there_is_one_for_spans() {
        assert_eq!(left(&[]).await, [2; 5]);
        assert_eq!(left(&[("OTEL_ATTRIBUTE_COUNT_LIMIT", "1")]).await, [1, 2, 2, 2, 2]);
        let both = [("OTEL_ATTRIBUTE_COUNT_LIMIT", "0"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1")];
        assert_eq!(left(&both).await, [1, 2, 2, 2, 2]);
    }

    #[test]
    fn a_bad_one_is_128() {
        warns("OTEL_ATTRIBUTE_COUNT_LIMIT", "-1", "128");
    }
}

mod otel_span_event_count_limit {
    use super::*;

    #[tokio::test]
    async fn bounds_a_span_s_events() {
        assert_eq!(left(&[("OTEL_SPAN_EVENT_COUNT_LIMIT", "1")]).await, [2, 1, 2, 2, 2]);
    }

    #[test]
    fn a_bad_one_is_128() {
        warns("OTEL_SPAN_EVENT_COUNT_LIMIT", "few", "128");
    }
}

mod otel_span_link_count_limit {
    use super::*;

    #[tokio::test]
    async fn bounds_a_span_s_links() {
        assert_eq!(left(&[("OTEL_SPAN_LINK_COUNT_LIMIT", "0")]).await, [2, 2, 2, 0, 0]);
    }

    #[test]
    fn a_bad_one_is_128() {
        warns("OTEL_SPAN_LINK_COUNT_LIMIT", "few", "128");
    }
}

mod otel_event_attribute_count_limit {
    use super::*;

    #[tokio::test]
    async fn bounds_an_event_s_attributes() {
        assert_eq!(left(&[("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "1")]).await, [2, 2, 1, 2, 2]);
    }

    #[test]
    fn a_bad_one_is_128() {
        warns("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "few", "128");
    }
}

mod otel_link_attribute_count_limit {
    use super::*;

    #[tokio::test]
    async fn bounds_a_link_s_attributes() {
        assert_eq!(left(&[("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "1")]).await, [2, 2, 2, 2, 1]);
    }

    #[test]
    fn a_bad_one_is_128() {
        warns("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "few", "128");
    }
}

mod honeycomb_api_key {
    use super::*;

    #[test]
    fn alone_is_enough_and_sends_no_metrics() {
        assert!(setup(&[("HONEYCOMB_API_KEY", INGEST)]).names_endpoint());
        let belvedere = bare(&[("HONEYCOMB_API_KEY", INGEST)]).start().unwrap();
        assert_eq!(belvedere.warnings(), [""; 0]);
        assert!(belvedere.meter_provider().is_none());
    }

    #[tokio::test]
    async fn goes_to_honeycomb_and_to_nobody_else() {
        let sink = through(&[("HONEYCOMB_API_KEY", "hcaik_canary")]).await;
        let bytes = sink.bytes();
        assert!(!bytes.windows(12).any(|window| window == b"hcaik_canary"));
    }

    #[test]
    fn one_that_is_not_sent_is_told() {
        let variables =
            [("HONEYCOMB_API_KEY", INGEST), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
        assert!(warnings(&variables)[0].contains("HONEYCOMB_API_KEY is not sent"));
    }

    #[test]
    fn one_that_crosses_the_internet_in_the_clear_is_told() {
        for (name, base, told) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://api.honeycomb.io", 1),
            ("HONEYCOMB_API_ENDPOINT", "http://api.eu1.honeycomb.io", 1),
            ("HONEYCOMB_API_ENDPOINT", "http://localhost:8086", 0),
            ("HONEYCOMB_API_ENDPOINT", "https://api.eu1.honeycomb.io", 0),
        ] {
            let warnings = warnings(&[("HONEYCOMB_API_KEY", INGEST), (name, base)]);
            let clear = warnings.iter().filter(|warning| warning.contains("https")).count();
            assert_eq!(clear, told, "{base}: {warnings:?}");
        }
    }

    #[test]
    fn one_that_looks_wrong_is_told_and_never_shown() {
        for (key, why) in [
            ("canary", "does not look like a key"),
            ("canary canary", "white space"),
            ("hcamk_canary", "management key"),
            ("hcaik_canary", "with its secret"),
            ("canary\u{7f}", "no key"),
            ("two\ncanary", "no key"),
        ] {
            warns("HONEYCOMB_API_KEY", key, why);
            assert!(!warnings(&[("HONEYCOMB_API_KEY", key)]).concat().contains("canary"), "{key}");
        }
    }

    #[test]
    fn without_one_honeycomb_has_nobody_to_thank() {
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.honeycomb.io")];
        assert!(warnings(&variables)[0].contains("HONEYCOMB_API_KEY is not set"));
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "x-honeycomb-team=abc");
        assert_eq!(warnings(&[variables[0], headers]), [""; 0]);
    }
}

mod honeycomb_api_endpoint {
    use super::*;

    #[tokio::test]
    async fn is_honeycomb_because_it_is_said_and_gets_the_key() {
        let sink = Sink::start();
        let variables = [("HONEYCOMB_API_KEY", INGEST), ("HONEYCOMB_API_ENDPOINT", &*sink.base())];
        assert!(setup(&variables[1..]).names_endpoint());
        let belvedere = start(&variables).unwrap();
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(PATIENCE).await;
        assert_eq!(sink.received()[0].path, "/v1/traces");
        assert_eq!(sink.received()[0].headers["x-honeycomb-team"], INGEST);
        assert!(!sink.received()[0].headers.contains_key("x-honeycomb-dataset"));
    }

    #[tokio::test]
    async fn a_key_among_the_headers_comes_before_the_one_in_general() {
        let sink = Sink::start();
        let belvedere = start(&[
            ("HONEYCOMB_API_KEY", INGEST),
            ("HONEYCOMB_API_ENDPOINT", &*sink.base()),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-honeycomb-team=other"),
        ])
        .unwrap();
        assert!(
            belvedere.warnings()[0].contains("already name x-honeycomb-team"),
            "{:?}",
            belvedere.warnings()
        );
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(PATIENCE).await;
        assert_eq!(sink.received()[0].headers["x-honeycomb-team"], "other");
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        let message = refusal(&[("HONEYCOMB_API_ENDPOINT", "api.eu1.honeycomb.io")]);
        assert!(message.contains("HONEYCOMB_API_ENDPOINT"), "{message}");
    }
}

mod honeycomb_dataset {
    use super::*;

    #[tokio::test]
    async fn is_sent_with_a_classic_key_and_is_the_service_s_name_if_it_is_not_set() {
        for (dataset, expected) in [("shop", "shop"), ("", "checkout")] {
            let sink = Sink::start();
            let belvedere = start(&[
                ("HONEYCOMB_API_KEY", CLASSIC),
                ("HONEYCOMB_API_ENDPOINT", &sink.base()),
                ("HONEYCOMB_DATASET", dataset),
                ("OTEL_SERVICE_NAME", "checkout"),
            ])
            .unwrap();
            let is_told =
                belvedere.warnings().iter().any(|warning| warning.contains("HONEYCOMB_DATASET is not set"));
            assert_eq!(is_told, dataset.is_empty());
            serve(&belvedere, Request::new(())).await;
            belvedere.shutdown(PATIENCE).await;
            assert_eq!(sink.received()[0].headers["x-honeycomb-dataset"], expected);
        }
    }

    #[test]
    fn with_a_key_of_an_environment_it_is_told_that_it_does_nothing() {
        let variables = [("HONEYCOMB_API_KEY", INGEST), ("HONEYCOMB_DATASET", "shop")];
        assert!(warnings(&variables)[0].contains("HONEYCOMB_DATASET is not used"));
    }
}

mod honeycomb_enable_local_visualizations {
    use super::*;

    #[test]
    fn without_a_team_there_are_no_links_and_a_warning() {
        let double = Honeycomb::answering(500, "");
        let warnings = warnings(&[
            ("HONEYCOMB_API_KEY", INGEST),
            ("HONEYCOMB_API_ENDPOINT", &double.base()),
            ("HONEYCOMB_ENABLE_LOCAL_VISUALIZATIONS", "true"),
        ]);
        assert!(warnings[0].contains("could not be checked") && warnings[0].contains("500"), "{warnings:?}");
        assert!(warnings[1].contains("HONEYCOMB_ENABLE_LOCAL_VISUALIZATIONS"), "{warnings:?}");
    }

    #[test]
    fn a_bad_one_is_false() {
        warns("HONEYCOMB_ENABLE_LOCAL_VISUALIZATIONS", "yes", "false");
    }

    #[cfg(feature = "full")]
    #[tokio::test]
    async fn prints_a_link_to_each_trace_that_begins_here() {
        use support::{client::raw1, example::Example};
        for (double, key, path) in [
            (Honeycomb::knowing(), INGEST, "the-shop/environments/production/datasets/shop%20%C3%A9/"),
            (Honeycomb::classic(), CLASSIC, "the-shop/datasets/numbers/"),
        ] {
            let mut example = Example::start(
                "conformance",
                &[
                    ("PORT", "0"),
                    ("OTEL_TRACES_EXPORTER", "otlp"),
                    ("OTEL_SERVICE_NAME", "shop é"),
                    ("HONEYCOMB_API_KEY", key),
                    ("HONEYCOMB_DATASET", "numbers"),
                    ("HONEYCOMB_API_ENDPOINT", &double.base()),
                    ("HONEYCOMB_ENABLE_LOCAL_VISUALIZATIONS", "true"),
                ],
            );
            let line = example.line_with("listening on ");
            let (_, address) = line.split_once("http://").unwrap();
            raw1(address.trim_end_matches("/test").parse().unwrap(), "POST", "/test").await;
            let spans = double.sink.arrived(1).await;
            let id: String = spans[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            let link = example.line_with("https://");
            assert_eq!(link, format!("POST /test: https://ui.honeycomb.io/{path}trace?trace_id={id}"));
        }
    }
}

mod belvedere_check {
    use super::*;

    fn checked(double: &Honeycomb, check: &str) -> Result<Belvedere, belvedere::Error> {
        start(&[
            ("HONEYCOMB_API_KEY", INGEST),
            ("HONEYCOMB_API_ENDPOINT", &double.base()),
            ("BELVEDERE_CHECK", check),
        ])
    }

    #[tokio::test]
    async fn asks_honeycomb_about_the_key_before_anything_is_sent() {
        let double = Honeycomb::knowing();
        assert_eq!(checked(&double, "true").unwrap().warnings(), [""; 0]);
        let asked = double.asked();
        assert_eq!((asked.len(), asked[0].headers["x-honeycomb-team"].to_str().unwrap()), (1, INGEST));
    }

    #[test]
    fn one_line_says_whose_key_it_is() {
        let (double, log) = (Honeycomb::knowing(), log::Log::default());
        tracing::subscriber::with_default(log.subscriber(), || drop(checked(&double, "TRUE").unwrap()));
        let lines = log.lines();
        let told: Vec<_> = lines.iter().filter(|line| line.contains("the key is known")).collect();
        assert_eq!(told.len(), 1, "{lines:?}");
        assert!(
            told[0].contains("team=\"The Shop\"") && told[0].contains("environment=\"production\""),
            "{told:?}"
        );
        assert!(!lines.concat().contains("0a0a"), "{lines:?}");
    }

    #[cfg(feature = "full")]
    #[test]
    fn the_line_is_also_seen_by_those_who_have_no_subscriber() {
        let double = Honeycomb::knowing();
        let variables = [
            ("HONEYCOMB_API_KEY", INGEST),
            ("HONEYCOMB_API_ENDPOINT", &*double.base()),
            ("BELVEDERE_CHECK", "true"),
        ];
        let said = support::example::Example::complaints("client", &["no", "such", "call"], &variables);
        assert!(said.contains("The Shop") && said.contains("production"), "{said}");
        assert!(!said.contains("0a0a"), "{said}");
    }

    #[test]
    fn a_key_among_the_headers_is_asked_about_as_well() {
        let header = format!("x-honeycomb-team={INGEST}");
        let asking = |double: &Honeycomb, headers| {
            start(&[
                (headers, &*header),
                ("HONEYCOMB_API_ENDPOINT", &*double.base()),
                ("BELVEDERE_CHECK", "true"),
            ])
        };
        for headers in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
            let double = Honeycomb::knowing();
            assert_eq!(asking(&double, headers).unwrap().warnings(), [""; 0]);
            assert_eq!(double.asked()[0].headers["x-honeycomb-team"].to_str().unwrap(), INGEST);
            let double = Honeycomb::answering(401, "");
            let message = asking(&double, headers).map(|_| ()).unwrap_err().to_string();
            assert!(message.contains("x-honeycomb-team") && message.contains("hcaik_…"), "{message}");
            assert!(!message.contains("0a0a"), "{message}");
        }
    }

    #[test]
    fn nobody_is_asked_unless_it_is_set() {
        let double = Honeycomb::knowing();
        drop(checked(&double, "").unwrap());
        assert!(double.asked().is_empty());
    }

    #[test]
    fn code_may_ask_too() {
        let double = Honeycomb::knowing();
        let variables = [("HONEYCOMB_API_KEY", INGEST), ("HONEYCOMB_API_ENDPOINT", &*double.base())];
        drop(setup(&variables).check(true).start().unwrap());
        assert_eq!(double.asked().len(), 1);
    }

    #[test]
    fn a_key_that_is_unknown_or_may_not_send_is_an_error_that_masks_it() {
        for (double, why) in [
            (
                Honeycomb::answering(401, r#"{"error":"unknown API key - check your credentials"}"#),
                "does not know",
            ),
            (Honeycomb::muting(), "may not send events"),
        ] {
            let error = checked(&double, "true").map(|_| ()).unwrap_err();
            let message = error.to_string();
            assert!(error.is_invalid() && message.contains("HONEYCOMB_API_KEY"), "{message}");
            assert!(message.contains(why) && message.contains("hcaik_…"), "{message}");
            assert!(!message.contains("0a0a"), "{message}");
        }
    }

    #[test]
    fn an_ingest_key_may_send_whatever_else_is_said() {
        assert_eq!(checked(&Honeycomb::ingest(), "true").unwrap().warnings(), [""; 0]);
    }

    #[test]
    fn without_an_answer_that_helps_the_service_starts_all_the_same() {
        for double in [Honeycomb::answering(503, ""), Honeycomb::answering(200, "<html>")] {
            let belvedere = checked(&double, "true").unwrap();
            assert!(belvedere.warnings()[0].contains("starting all the same"), "{:?}", belvedere.warnings());
        }
        let (_socket, dead) = dead();
        let variables =
            [("HONEYCOMB_API_KEY", INGEST), ("HONEYCOMB_API_ENDPOINT", &*dead), ("BELVEDERE_CHECK", "true")];
        assert!(warnings(&variables)[0].contains("could not connect"));
    }

    #[test]
    fn where_there_is_nothing_to_ask_that_is_told() {
        assert!(warnings(&[("BELVEDERE_CHECK", "true")])[0].contains("nothing to ask"));
    }

    #[test]
    fn a_bad_one_is_false() {
        warns("BELVEDERE_CHECK", "1", "false");
    }
}

/// The metrics that arrived, by their names.
fn metrics(sink: &Sink) -> BTreeMap<String, Metric> {
    sink.metrics().into_iter().map(|metric| (metric.name.clone(), metric)).collect()
}

/// What is told of an exception: as events of the span, and as logs.
async fn exceptions(variables: Pairs<'_>) -> (usize, usize) {
    let sink = Sink::start();
    let belvedere = towards(&sink, variables);
    fail(&belvedere).await;
    belvedere.shutdown(PATIENCE).await;
    (sink.spans()[0].events.len(), sink.logs().len())
}

mod otel_metrics_exporter {
    use super::*;

    #[tokio::test]
    async fn durations_are_sent_unless_it_says_none() {
        for (word, expected) in [("", true), ("OTLP", true), ("none", false)] {
            let sink = Sink::start();
            let belvedere = wholly(&sink, &[("OTEL_METRICS_EXPORTER", word)]);
            assert_eq!(belvedere.meter_provider().is_some(), expected);
            serve(&belvedere, Request::new(())).await;
            belvedere.shutdown(PATIENCE).await;
            assert_eq!(metrics(&sink).contains_key("http.server.request.duration"), expected, "{word}");
            assert_eq!(sink.spans().len(), 1);
        }
    }

    #[tokio::test]
    async fn honeycomb_gets_them_only_if_it_says_otlp() {
        for (word, expected) in [("", false), ("otlp", true)] {
            let sink = Sink::start();
            let variables = [
                ("HONEYCOMB_API_KEY", INGEST),
                ("HONEYCOMB_API_ENDPOINT", &*sink.base()),
                ("OTEL_METRICS_EXPORTER", word),
            ];
            let belvedere = bare(&variables).start().unwrap();
            serve(&belvedere, Request::new(())).await;
            belvedere.shutdown(PATIENCE).await;
            assert_eq!(!metrics(&sink).is_empty(), expected, "{word}");
        }
    }

    #[test]
    fn who_sends_no_spans_and_names_no_endpoint_sends_no_metrics_either() {
        for (traces, expected) in [("console", false), ("none", false), ("console,otlp", true), ("", true)] {
            let belvedere = bare(&[("OTEL_TRACES_EXPORTER", traces)]).start().unwrap();
            assert_eq!(belvedere.meter_provider().is_some(), expected, "{traces}");
            let variables = [("OTEL_TRACES_EXPORTER", traces), ("OTEL_METRICS_EXPORTER", "otlp")];
            assert!(bare(&variables).start().unwrap().meter_provider().is_some(), "{traces}");
            let variables =
                [("OTEL_TRACES_EXPORTER", traces), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")];
            assert!(bare(&variables).start().unwrap().meter_provider().is_some(), "{traces}");
        }
    }

    #[test]
    fn that_honeycomb_gets_none_is_told_in_one_line() {
        let log = log::Log::default();
        tracing::subscriber::with_default(log.subscriber(), || {
            drop(bare(&[("HONEYCOMB_API_KEY", INGEST)]).start().unwrap());
        });
        let told = log.lines().into_iter().filter(|line| line.contains("OTEL_METRICS_EXPORTER=otlp"));
        assert_eq!(told.count(), 1, "{:?}", log.lines());
    }

    #[test]
    fn console_is_not_there_which_is_told() {
        warns("OTEL_METRICS_EXPORTER", "otlp,console", "console is not there for metrics");
        warns("OTEL_METRICS_EXPORTER", "console", "console is not there for metrics");
    }

    #[test]
    fn a_bad_word_is_left_out() {
        warns("OTEL_METRICS_EXPORTER", "otlp,prometheus", "the rest");
    }
}

mod otel_logs_exporter {
    use super::*;

    #[tokio::test]
    async fn none_leaves_exceptions_where_they_were_and_says_so() {
        let variables = [("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs"), ("OTEL_LOGS_EXPORTER", "none")];
        assert_eq!(exceptions(&variables).await, (1, 0));
        assert!(warnings(&variables)[0].contains("exceptions stay events"));
    }

    #[test]
    fn there_is_no_provider_unless_exceptions_are_wanted_as_logs() {
        assert!(start(&[("OTEL_LOGS_EXPORTER", "otlp")]).unwrap().logger_provider().is_none());
    }
}

mod otel_exporter_otlp_certificate {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_whom_to_trust() {
        let (own, other) = (Authority::new(), Authority::new());
        for (name, trusted, expected) in [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", &own, true),
            ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", &own, true),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", &other, false),
        ] {
            let backend = Secure::start(&own, None).await;
            let arrived = arrives(&backend, &[(name, &trusted.certificate())]).await;
            assert_eq!((arrived, backend.served() > 0), (expected, expected), "{name}");
        }
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_the_variable_and_the_path() {
        for name in ["OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"] {
            for path in ["/no/such/file.pem", NO_PEM] {
                let message = refusal(&[(name, path)]);
                assert!(message.contains(name) && message.contains(path), "{message}");
            }
        }
    }
}

/// Whether a span arrives there.
async fn arrives(backend: &Secure, variables: Pairs<'_>) -> bool {
    let base = backend.base();
    let belvedere = start(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", &*base)], variables].concat()).unwrap();
    serve(&belvedere, Request::new(())).await;
    belvedere.shutdown(Duration::from_secs(1)).await.lanes[0].delivered == 1
}

mod otel_exporter_otlp_client_key {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_who_to_be() {
        let (own, client, other) = (Authority::new(), Authority::new(), Authority::new());
        for (shown, expected) in [(Some(&client), true), (Some(&other), false), (None, false)] {
            let backend = Secure::start(&own, Some(&client)).await;
            let (trusted, files) = (own.certificate(), shown.map(|it| (it.key(), it.certificate())));
            let mut variables = vec![("OTEL_EXPORTER_OTLP_CERTIFICATE", &*trusted)];
            if let Some((key, certificate)) = &files {
                variables.push(("OTEL_EXPORTER_OTLP_CLIENT_KEY", key));
                variables.push(("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate));
            }
            assert_eq!(arrives(&backend, &variables).await, expected);
        }
    }

    #[test]
    fn one_without_the_other_and_bad_ones_are_errors_that_name_the_variable_and_the_path() {
        const KEY: (&str, &str) = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", NO_PEM);
        const CERTIFICATE: (&str, &str) = ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", NO_PEM);
        let missing = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/such/file.pem");
        for variables in [&[KEY][..], &[CERTIFICATE], &[KEY, CERTIFICATE], &[missing, CERTIFICATE]] {
            let message = refusal(variables);
            assert!(message.contains(variables[0].0) && message.contains(variables[0].1), "{message}");
        }
    }

    #[test]
    fn a_key_in_the_place_of_its_path_is_an_error_that_does_not_show_it() {
        const PASTED: &str = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----";
        let key = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", PASTED);
        for variables in [&[key][..], &[key, ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", NO_PEM)]] {
            let message = refusal(variables);
            assert!(message.contains(key.0) && message.contains("path"), "{message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }
}

mod otel_attribute_value_length_limit {
    use super::*;

    async fn texts(variables: Pairs<'_>) -> Vec<String> {
        let sink = Sink::start();
        let belvedere = towards(&sink, variables);
        rich(&belvedere);
        belvedere.shutdown(PATIENCE).await;
        let span = sink.spans().remove(0);
        let events = span.events.into_iter().map(|event| event.attributes);
        let links = span.links.into_iter().map(|link| link.attributes);
        let all = events.chain(links).chain([span.attributes]).flatten();
        let firsts = all.filter(|pair| pair.key == "first").map(|pair| text(pair.value.unwrap().value));
        firsts.collect::<BTreeSet<_>>().into_iter().collect()
    }

    #[tokio::test]
    async fn cuts_texts_between_characters_and_the_one_for_spans_comes_first() {
        assert_eq!(texts(&[]).await, ["élan vital"]);
        assert_eq!(texts(&[("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4")]).await, ["élan"]);
        let both =
            [("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4"), ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1")];
        assert_eq!(texts(&both).await, ["é"]);
    }

    #[test]
    fn a_bad_one_is_none() {
        warns("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1", "none");
    }
}

mod otel_blrp_schedule_delay {
    use super::*;

    #[tokio::test]
    async fn is_how_long_a_log_waits_for_company() {
        let sink = Sink::start();
        let belvedere = towards(&sink, &[LOGS, ("OTEL_BLRP_SCHEDULE_DELAY", "60000")]);
        fail(&belvedere).await;
        tokio::time::sleep(LATER).await;
        assert!(!sink.spans().is_empty() && sink.logs().is_empty());
        belvedere.flush(PATIENCE).await;
        assert_eq!(sink.logs().len(), 1);
    }

    #[test]
    fn a_bad_one_is_a_second() {
        warns_with_logs("OTEL_BLRP_SCHEDULE_DELAY", "soon", "1000");
    }
}

mod otel_blrp_max_queue_size {
    use super::*;

    #[tokio::test]
    async fn is_how_many_logs_are_held() {
        let (_socket, dead) = dead();
        let belvedere = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &dead),
            LOGS,
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "3"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "60000"),
        ])
        .unwrap();
        for _ in 0..10 {
            fail(&belvedere).await;
        }
        let report = belvedere.outbox().report();
        assert!(report.lanes.iter().any(|lane| lane.waiting <= 3 && lane.lost() >= 7), "{report}");
        belvedere.shutdown(Duration::ZERO).await;
    }

    #[test]
    fn a_bad_one_is_the_default_one() {
        warns_with_logs("OTEL_BLRP_MAX_QUEUE_SIZE", "0", "8192");
    }
}

mod otel_blrp_max_export_batch_size {
    use super::*;

    #[tokio::test]
    async fn is_how_many_logs_one_request_holds() {
        let sink = Sink::start();
        let belvedere = towards(&sink, &[LOGS, ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "2")]);
        for _ in 0..5 {
            fail(&belvedere).await;
        }
        belvedere.shutdown(PATIENCE).await;
        let requests = sink.received().iter().filter(|received| received.is_logs()).count();
        assert_eq!((sink.logs().len(), requests), (5, 3));
    }

    #[test]
    fn a_bad_one_is_the_default_one() {
        warns_with_logs("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "many", "512");
    }
}

mod otel_blrp_export_timeout {
    use super::*;

    #[tokio::test]
    async fn bounds_one_request() {
        let sink = Sink::start();
        sink.silence();
        let belvedere =
            towards(&sink, &[("OTEL_TRACES_EXPORTER", "none"), LOGS, ("OTEL_BLRP_EXPORT_TIMEOUT", "200")]);
        // Without a lane for spans nobody but the log is sent; that a span is sampled is another matter.
        fail(&belvedere).await;
        belvedere.shutdown(PATIENCE).await;
        assert_eq!(sink.received().len(), 2);
    }

    #[test]
    fn a_bad_one_is_thirty_seconds() {
        warns_with_logs("OTEL_BLRP_EXPORT_TIMEOUT", "-1", "30000");
    }
}

mod otel_metric_export_interval {
    use super::*;

    #[tokio::test]
    async fn is_how_often_metrics_are_collected() {
        let (often, rarely) = (Sink::start(), Sink::start());
        let first = wholly(&often, &[("OTEL_METRIC_EXPORT_INTERVAL", "100")]);
        let second = wholly(&rarely, &[]);
        serve(&first, Request::new(())).await;
        serve(&second, Request::new(())).await;
        for _ in 0..500 {
            if !metrics(&often).is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!metrics(&often).is_empty());
        assert!(metrics(&rarely).is_empty());
        assert!(second.flush(PATIENCE).await);
        assert!(!metrics(&rarely).is_empty(), "a flush collects");
    }

    #[test]
    fn a_bad_one_is_a_minute() {
        for value in ["0", "1m"] {
            let variables = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_METRIC_EXPORT_INTERVAL", value)];
            assert!(warnings(&variables)[0].contains("OTEL_METRIC_EXPORT_INTERVAL"));
            assert!(warnings(&variables)[0].contains("using 60000"));
        }
    }
}

mod otel_metric_export_timeout {
    use super::*;

    #[tokio::test]
    async fn bounds_one_request() {
        let sink = Sink::start();
        sink.silence();
        let variables = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRIC_EXPORT_TIMEOUT", "200")];
        let belvedere = wholly(&sink, &variables);
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(PATIENCE).await;
        assert_eq!(sink.received().len(), 2);
    }

    #[test]
    fn a_bad_one_is_thirty_seconds() {
        let variables = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_METRIC_EXPORT_TIMEOUT", "soon")];
        assert!(warnings(&variables)[0].contains("using 30000"));
    }
}

mod otel_exporter_otlp_metrics_temporality_preference {
    use super::*;

    const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

    #[tokio::test]
    async fn says_whether_what_was_told_is_told_again() {
        for (preference, expected) in [
            ("", AggregationTemporality::Cumulative),
            ("cumulative", AggregationTemporality::Cumulative),
            ("DELTA", AggregationTemporality::Delta),
            ("lowmemory", AggregationTemporality::Delta),
        ] {
            let sink = Sink::start();
            let belvedere = wholly(&sink, &[(NAME, preference)]);
            serve(&belvedere, Request::new(())).await;
            belvedere.shutdown(PATIENCE).await;
            let duration = metrics(&sink).remove("http.server.request.duration").unwrap();
            let Some(Data::Histogram(histogram)) = duration.data else { panic!("{duration:?}") };
            assert_eq!(histogram.aggregation_temporality(), expected, "{preference}");
        }
    }

    #[test]
    fn a_bad_one_is_cumulative() {
        let variables = [("OTEL_METRICS_EXPORTER", "otlp"), (NAME, "sometimes")];
        assert!(warnings(&variables)[0].contains("using cumulative"));
    }
}

/// What the span of a `PURGE /carts` is called and says.
async fn purge(variables: Pairs<'_>) -> (String, HashMap<String, String>) {
    let sink = Sink::start();
    let belvedere = towards(&sink, variables);
    serve(&belvedere, Request::builder().method("PURGE").uri("/carts").body(()).unwrap()).await;
    belvedere.shutdown(PATIENCE).await;
    let span = sink.spans().remove(0);
    let attributes = span.attributes.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value)));
    (span.name, attributes.collect())
}

mod otel_instrumentation_http_known_methods {
    use super::*;

    #[tokio::test]
    async fn takes_the_place_of_the_conventions_own() {
        for (methods, expected, name) in
            [("", "_OTHER", "HTTP"), ("GET, PURGE", "PURGE", "PURGE"), ("GET,purge", "_OTHER", "HTTP")]
        {
            let (named, attributes) = purge(&[("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", methods)]).await;
            assert_eq!((&*named, &*attributes["http.request.method"]), (name, expected), "{methods}");
        }
    }
}

mod otel_semconv_stability_opt_in {
    use super::*;

    #[tokio::test]
    async fn adds_the_old_names_if_both_are_wanted() {
        for (words, expected) in [
            ("", false),
            ("http", false),
            ("database/dup", false),
            ("http/dup", true),
            ("rpc, HTTP/dup", true),
        ] {
            let (_, attributes) = purge(&[("OTEL_SEMCONV_STABILITY_OPT_IN", words)]).await;
            assert_eq!(attributes.contains_key("http.status_code"), expected, "{words}");
            assert_eq!(attributes["http.response.status_code"], "200");
        }
    }
}

mod otel_semconv_exception_signal_opt_in {
    use super::*;

    #[tokio::test]
    async fn says_where_exceptions_are_told() {
        for (words, expected) in [
            ("", (1, 0)),
            ("unheard/of", (1, 0)),
            ("logs", (0, 1)),
            ("LOGS/dup", (1, 1)),
            ("logs/dup,logs", (1, 1)),
        ] {
            let told = exceptions(&[("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", words)]).await;
            assert_eq!(told, expected, "{words}");
        }
    }

    #[test]
    fn a_bad_word_is_told() {
        warns("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "log", "rest");
        let dup = warnings(&[("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs/dup,log")]);
        assert!(dup.len() == 1 && dup[0].contains("\"log\""), "{dup:?}");
    }
}

mod honeycomb_metrics_dataset {
    use super::*;

    #[tokio::test]
    async fn is_where_metrics_go() {
        let sink = Sink::start();
        let belvedere = start(&[
            ("HONEYCOMB_API_KEY", INGEST),
            ("HONEYCOMB_API_ENDPOINT", &sink.base()),
            ("HONEYCOMB_METRICS_DATASET", "numbers"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
        ])
        .unwrap();
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(PATIENCE).await;
        for received in sink.received() {
            let dataset = received.headers.get("x-honeycomb-dataset").map(|value| value.to_str().unwrap());
            assert_eq!(dataset, received.is_metrics().then_some("numbers"), "{}", received.path);
        }
        assert!(!metrics(&sink).is_empty());
    }
}

/// [`warns`] for a variable that is only read where there are logs.
#[track_caller]
fn warns_with_logs(name: &str, value: &str, used: &str) {
    let warnings = warnings(&[LOGS, (name, value)]);
    assert_eq!(warnings.len(), 1, "{name}={value}: {warnings:?}");
    assert!(warnings[0].contains(name) && warnings[0].contains(used), "{warnings:?}");
}

const LOGS: (&str, &str) = ("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs");
const NO_PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const INGEST: &str = "hcaik_0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const CLASSIC: &str = "0123456789abcdef0123456789abcdef";

/// A file of sampling rules, as long as it is kept.
struct Rules(std::path::PathBuf);

// ===== impl Rules =====

impl Rules {
    /// One rule for all requests, which keeps this share of them.
    fn keep(rate: f64) -> Self {
        Self::of(&format!(r#"{{"version": 2, "default": {{"fixed_target": 0, "rate": {rate}}}}}"#))
    }

    fn of(json: &str) -> Self {
        let name = format!("belvedere-{}.json", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, json).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Everything about segments, and no spans.
fn only_segments(variables: Pairs<'_>) -> Result<Belvedere, belvedere::Error> {
    start(&[&[("OTEL_TRACES_EXPORTER", "none")], variables].concat())
}

/// Where segments, items and lines go.
#[track_caller]
fn ways(variables: Pairs<'_>) -> Vec<String> {
    let report = only_segments(variables).unwrap().outbox().report();
    report.lanes.iter().map(|lane| lane.name.to_string()).collect()
}

/// The line that says what becomes of segments.
#[track_caller]
fn told(variables: Pairs<'_>) -> String {
    let log = log::Log::default();
    let belvedere = tracing::subscriber::with_default(log.subscriber(), || only_segments(variables));
    drop(belvedere.unwrap());
    let lines = log.lines().into_iter().filter(|line| line.contains("segments: "));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.concat()
}

/// The names of the segments of one request.
async fn names(variables: Pairs<'_>, by_code: Option<&str>) -> Vec<String> {
    let daemon = Daemon::large().await;
    let address = daemon.address.to_string();
    let set = [("OTEL_TRACES_EXPORTER", "none"), ("AWS_XRAY_DAEMON_ADDRESS", &*address)];
    let setup = setup(&[&set, variables].concat());
    let belvedere = match by_code {
        Some(name) => setup.service_name(name).start(),
        None => setup.start(),
    };
    let belvedere = belvedere.unwrap();
    serve(&belvedere, Request::new(())).await;
    assert_eq!(belvedere.shutdown(PATIENCE).await.lost(), 0);
    let name = |document: &String| {
        let segment: belvedere::xray::Segment = serde_json::from_str(document).unwrap();
        segment.entity.name.as_str().to_owned()
    };
    daemon.arrived(1).await.iter().map(name).collect()
}

/// The first segment that is as wished, of requests that are made until there is one.
async fn segment(variables: Pairs<'_>, wished: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let daemon = Daemon::large().await;
    let address = daemon.address.to_string();
    let rules = Rules::keep(1.0);
    let path = rules.path();
    let set = [("AWS_XRAY_DAEMON_ADDRESS", &*address), ("BELVEDERE_XRAY_SAMPLING_RULES", &*path)];
    let belvedere = only_segments(&[&set, variables].concat()).unwrap();
    for made in 1..=200 {
        serve(&belvedere, Request::new(())).await;
        belvedere.flush(PATIENCE).await;
        let documents = daemon.arrived(made).await;
        let document = serde_json::from_str(&documents[made - 1]).unwrap();
        if wished(&document) {
            return document;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("none of 200 segments is as wished");
}

/// Whether each of some requests is recorded, when nobody has decided about it.
async fn recorded(variables: Pairs<'_>, requests: usize) -> usize {
    let belvedere = only_segments(variables).unwrap();
    let mut recorded = 0;
    for _ in 0..requests {
        let request = Request::get("/").header("x-amzn-trace-id", "Sampled=?").body(()).unwrap();
        let answer = serve(&belvedere, request).await.headers()["x-amzn-trace-id"].clone();
        recorded += usize::from(answer.to_str().unwrap().contains("Sampled=1"));
    }
    belvedere.shutdown(Duration::ZERO).await;
    recorded
}

mod aws_xray_sdk_enabled {
    use super::*;

    const NAME: &str = "AWS_XRAY_SDK_ENABLED";

    #[test]
    fn turns_segments_on_and_off_before_anything_else_in_these_words() {
        for word in ["y", "Yes", "t", "TRUE", "on", "1"] {
            assert_eq!(ways(&[(NAME, word)]), ["xray 127.0.0.1:2000"], "{word}");
        }
        for word in ["n", "No", "f", "FALSE", "off", "0"] {
            assert_eq!(ways(&[(NAME, word), ("AWS_XRAY_TRACING_NAME", "checkout")]), [""; 0], "{word}");
        }
    }

    #[test]
    fn empty_or_not_set_it_leaves_that_to_what_else_is_said() {
        for (variables, expected) in [
            (&[][..], 0),
            (&[(NAME, "")], 0),
            (&[(NAME, " "), ("AWS_XRAY_TRACING_NAME", "checkout")], 1),
            (&[("AWS_XRAY_DAEMON_ADDRESS", "localhost:2000")], 1),
            (&[("AWS_XRAY_DAEMON_ADDRESS", ""), ("AWS_XRAY_TRACING_NAME", " ")], 0),
        ] {
            assert_eq!(ways(variables).len(), expected, "{variables:?}");
        }
    }

    #[test]
    fn one_line_says_whether_they_are_on_or_what_is_missing() {
        let on = told(&[(NAME, "true"), ("AWS_XRAY_TRACING_NAME", "checkout")]);
        assert!(on.contains("to=xray 127.0.0.1:2000") && on.contains("checkout"), "{on}");
        let off = told(&[(NAME, "f"), ("AWS_XRAY_TRACING_NAME", "checkout")]);
        assert!(off.contains("off, because AWS_XRAY_SDK_ENABLED is false"), "{off}");
        let unsaid = told(&[]);
        assert!(
            unsaid
                .contains("off; AWS_XRAY_SDK_ENABLED=true, AWS_XRAY_DAEMON_ADDRESS or AWS_XRAY_TRACING_NAME"),
            "{unsaid}"
        );
    }

    #[test]
    fn where_it_is_off_nothing_else_is_read() {
        let bad = [("AWS_XRAY_DAEMON_ADDRESS", "nowhere"), ("BELVEDERE_XRAY_EXPORTER", "pigeon")];
        drop(start(&[&bad[..], &[(NAME, "no")]].concat()).unwrap());
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_says_what_to_do() {
        let message = refusal(&[(NAME, "perhaps")]);
        assert_eq!(message, r#"AWS_XRAY_SDK_ENABLED is "perhaps": write true or false"#);
    }
}

mod aws_xray_sdk_disabled {
    use super::*;

    const NAME: &str = "AWS_XRAY_SDK_DISABLED";

    #[test]
    fn turns_segments_off_and_never_on() {
        let named = ("AWS_XRAY_TRACING_NAME", "checkout");
        for (variables, expected) in [
            (&[(NAME, "TRUE"), named][..], 0),
            (&[(NAME, "true"), ("AWS_XRAY_SDK_ENABLED", "true")], 0),
            (&[(NAME, "false"), named], 1),
            (&[(NAME, ""), named], 1),
            (&[(NAME, "false")], 0),
        ] {
            assert_eq!(ways(variables).len(), expected, "{variables:?}");
        }
        assert!(told(&[(NAME, "true")]).contains("off, because AWS_XRAY_SDK_DISABLED is true"));
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        assert!(refusal(&[(NAME, "perhaps")]).starts_with(NAME));
    }
}

mod aws_xray_daemon_address {
    use super::*;

    const NAME: &str = "AWS_XRAY_DAEMON_ADDRESS";

    #[tokio::test]
    async fn is_where_segments_go_and_turns_them_on() {
        assert_eq!(names(&[("OTEL_SERVICE_NAME", "checkout")], None).await, ["checkout"]);
        for (value, expected) in [
            ("xray-daemon:3000", "xray xray-daemon:3000"),
            ("tcp:127.0.0.1:2000 udp:[::1]:3000", "xray [::1]:3000"),
        ] {
            assert_eq!(ways(&[(NAME, value)]), [expected]);
        }
    }

    #[tokio::test]
    async fn is_where_samplers_ask() {
        let proxy = Endpoint::start(|_| aws::answer(200, "{}")).await;
        let address = format!("tcp:{} udp:127.0.0.1:9", proxy.address);
        let belvedere = only_segments(&[(NAME, &address)]).unwrap();
        serve(&belvedere, Request::new(())).await;
        for _ in 0..1000 {
            if !proxy.received().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(proxy.received()[0].path, "/GetSamplingRules");
        belvedere.shutdown(Duration::ZERO).await;
    }

    #[test]
    fn is_the_usual_one_where_segments_are_on_and_it_is_not_set_or_empty() {
        let on = ("AWS_XRAY_SDK_ENABLED", "true");
        assert_eq!(ways(&[on]), ["xray 127.0.0.1:2000"]);
        assert_eq!(ways(&[on, (NAME, " ")]), ["xray 127.0.0.1:2000"]);
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_says_what_to_do() {
        let message = refusal(&[(NAME, "127.0.0.1")]);
        assert!(message.contains(NAME) && message.contains("write it as host:port"), "{message}");
    }
}

mod aws_xray_tracing_name {
    use super::*;

    #[tokio::test]
    async fn comes_before_every_other_name_that_the_service_has() {
        let (own, name) = (("AWS_XRAY_TRACING_NAME", "by X-Ray"), ("OTEL_SERVICE_NAME", "by OpenTelemetry"));
        let attribute = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=by%20attribute");
        for (variables, expected) in [
            (&[own, name, attribute][..], "by X-Ray"),
            (&[("AWS_XRAY_TRACING_NAME", " "), name, attribute], "by OpenTelemetry"),
            (&[attribute], "by attribute"),
            (&[], "by code"),
        ] {
            assert_eq!(names(variables, Some("by code")).await, [expected]);
        }
        let program = names(&[], None).await.remove(0);
        assert!(program.starts_with("unknown_service:variables"), "{program}");
    }

    #[test]
    fn turns_segments_on() {
        assert_eq!(ways(&[("AWS_XRAY_TRACING_NAME", "checkout")]), ["xray 127.0.0.1:2000"]);
    }

    #[tokio::test]
    async fn one_that_x_ray_does_not_take_is_made_such_which_is_told() {
        let odd = [("AWS_XRAY_TRACING_NAME", "shop (west)?")];
        assert_eq!(names(&odd, None).await, ["shop west"]);
        assert!(told(&odd).contains("name=shop west"), "{}", told(&odd));
        warns("AWS_XRAY_TRACING_NAME", "shop (west)?", "shop west");
        assert_eq!(warnings(&[("AWS_XRAY_TRACING_NAME", " shop west ")]), [""; 0]);
    }
}

mod aws_xray_context_missing {
    use super::*;

    const NAME: &str = "AWS_XRAY_CONTEXT_MISSING";

    /// How many lines there are of two facts that have no segment. What happens to them holds for the whole process, so that
    /// this is asked in one test alone.
    fn lines(variables: Pairs<'_>, global: bool) -> usize {
        let log = log::Log::default();
        tracing::subscriber::with_default(log.subscriber(), || {
            let set = [("OTEL_SDK_DISABLED", "true"), ("AWS_XRAY_SDK_ENABLED", "true")];
            let belvedere = bare(&[&set, variables].concat()).global(global).start().unwrap();
            (0..2).for_each(|_| belvedere::xray::annotate("lost", true));
            drop(belvedere);
        });
        log.lines().iter().filter(|line| line.contains("no segment here")).count()
    }

    #[test]
    fn says_whether_what_has_no_segment_is_logged_unless_the_setup_leaves_the_process_alone() {
        assert_eq!(lines(&[], true), 0);
        assert_eq!(lines(&[(NAME, "LOG_ERROR")], false), 0);
        assert!(lines(&[(NAME, "log_error")], true) > 0);
        assert_eq!(lines(&[(NAME, "IGNORE_ERROR")], true), 0);
        assert_eq!(lines(&[(NAME, "")], true), 0);
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        assert!(refusal(&[(NAME, "PANIC"), ("AWS_XRAY_SDK_ENABLED", "true")]).starts_with(NAME));
    }
}

mod belvedere_xray_exporter {
    use super::*;

    const NAME: &str = "BELVEDERE_XRAY_EXPORTER";
    const ON: (&str, &str) = ("AWS_XRAY_SDK_ENABLED", "true");

    #[test]
    fn sends_to_a_daemon_to_x_ray_itself_or_nowhere() {
        let region = ("AWS_REGION", "eu-west-1");
        for (variables, expected) in [
            (&[ON, (NAME, "daemon")][..], &["xray 127.0.0.1:2000"][..]),
            (&[ON, (NAME, "")], &["xray 127.0.0.1:2000"]),
            (&[ON, (NAME, "API"), region], &["xray xray.eu-west-1.amazonaws.com"]),
            (&[ON, (NAME, "none")], &[]),
        ] {
            assert_eq!(ways(variables), expected, "{variables:?}");
        }
        assert!(told(&[ON, (NAME, "none")]).contains("to=nowhere"));
    }

    #[tokio::test]
    async fn none_still_decides_and_answers() {
        assert_eq!(recorded(&[ON, (NAME, "none")], 1).await, 1);
    }

    #[test]
    fn where_segments_are_off_it_is_told_that_it_does_nothing() {
        let warnings = warnings(&[(NAME, "api")]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(NAME) && warnings[0].contains("AWS_XRAY_SDK_ENABLED=true"));
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        let message = refusal(&[ON, (NAME, "pigeon")]);
        assert_eq!(message, r#"BELVEDERE_XRAY_EXPORTER is "pigeon": write daemon, api or none"#);
    }
}

mod belvedere_xray_sampling_rules {
    use super::*;

    const NAME: &str = "BELVEDERE_XRAY_SAMPLING_RULES";
    const ON: (&str, &str) = ("AWS_XRAY_SDK_ENABLED", "true");

    #[tokio::test]
    async fn decide_in_place_of_the_account_s() {
        for (rate, expected) in [(0.0, 0), (1.0, 20)] {
            let rules = Rules::keep(rate);
            assert_eq!(recorded(&[ON, (NAME, &rules.path())], 20).await, expected);
            assert!(told(&[ON, (NAME, &rules.path())]).contains("local rules"));
        }
    }

    #[tokio::test]
    async fn without_them_the_account_s_count_and_until_they_are_had_one_in_a_second() {
        assert!((1..20).contains(&recorded(&[ON, (NAME, "")], 20).await));
        assert!(told(&[ON]).contains("the account's rules"));
    }

    #[test]
    fn bad_ones_are_an_error_that_names_the_variable_the_file_and_the_place() {
        let (no_json, no_rate) =
            (Rules::of("{"), Rules::of(r#"{"version": 2, "default": {"fixed_target": 1}}"#));
        for (path, why) in [
            ("/nowhere/rules.json".to_owned(), "cannot be read"),
            (no_json.path(), "it is not JSON"),
            (no_rate.path(), "default in the sampling rules file"),
        ] {
            let message = refusal(&[ON, (NAME, &path)]);
            assert!(message.contains(NAME) && message.contains(&path) && message.contains(why), "{message}");
        }
    }
}

mod belvedere_xray_plugins {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Json, Router, routing};

    use super::*;

    const NAME: &str = "BELVEDERE_XRAY_PLUGINS";

    /// An instance's metadata, and how often it was asked for.
    async fn instance() -> (Server, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let document = async || Json(serde_json::json!({ "instanceId": "i-0a1b2c" }));
        let router = Router::new()
            .route("/latest/api/token", routing::put(async || "t0ken"))
            .route("/latest/dynamic/instance-identity/document", routing::get(document))
            .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
                counted.fetch_add(1, Ordering::SeqCst);
                async move { request }
            }));
        (Server::axum(router).await, asked)
    }

    #[tokio::test]
    async fn are_asked_what_the_service_runs_on() {
        let (instance, _) = instance().await;
        let url = format!("http://{}", instance.address);
        let variables = [(NAME, "EC2, ecs"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)];
        let found = segment(&variables, |segment| segment["origin"].is_string()).await;
        assert_eq!(found["origin"], "AWS::EC2::Instance");
        assert_eq!(found["aws"]["ec2"]["instance_id"], "i-0a1b2c");
    }

    #[tokio::test]
    async fn are_not_asked_unless_they_are_named() {
        let (instance, asked) = instance().await;
        let url = format!("http://{}", instance.address);
        let variables = [(NAME, ""), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)];
        let segment = segment(&variables, |_| true).await;
        assert!(segment.get("origin").is_none() && segment["aws"].get("ec2").is_none());
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn one_that_there_is_not_is_an_error() {
        let message = refusal(&[("AWS_XRAY_SDK_ENABLED", "true"), (NAME, "ec2,azure")]);
        assert!(message.contains(NAME) && message.contains("azure") && message.contains("ecs"), "{message}");
    }
}

mod belvedere_xray_log_groups {
    use super::*;

    const NAME: &str = "BELVEDERE_XRAY_LOG_GROUPS";

    #[tokio::test]
    async fn are_in_each_segment() {
        let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/shop/all";
        let segment = segment(&[(NAME, &*format!("/shop/checkout, {arn},"))], |_| true).await;
        let groups = segment["aws"]["cloudwatch_logs"].as_array().unwrap();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0]["log_group"], "/shop/checkout");
        assert_eq!(groups[1]["arn"], arn);
    }

    #[tokio::test]
    async fn the_version_of_the_resource_is_in_each_segment() {
        let variables = [(NAME, ""), ("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.2.3,team=shop")];
        assert_eq!(segment(&variables, |_| true).await["service"]["version"], "1.2.3");
    }

    #[tokio::test]
    async fn there_are_none_by_default() {
        let segment = segment(&[(NAME, "")], |_| true).await;
        assert!(segment["aws"].get("cloudwatch_logs").is_none());
    }
}

mod aws_region {
    use super::*;

    const API: [(&str, &str); 2] = [("AWS_XRAY_SDK_ENABLED", "true"), ("BELVEDERE_XRAY_EXPORTER", "api")];
    const GROUP: (&str, &str) = ("CLOUDWATCH_LOG_GROUP", "/shop");

    #[test]
    fn is_where_x_ray_is() {
        for (variables, expected) in [
            (&[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "us-east-1")][..], "eu-west-1"),
            (&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-east-1")], "us-east-1"),
        ] {
            let expected = format!("xray xray.{expected}.amazonaws.com");
            assert_eq!(ways(&[&API, variables].concat()), [expected]);
        }
    }

    #[test]
    fn without_one_or_with_a_bad_one_there_is_an_error_that_names_it() {
        assert!(refusal(&API).starts_with("AWS_REGION"));
        assert!(refusal(&[&API[..], &[("AWS_REGION", "eu west")]].concat()).starts_with("AWS_REGION"));
        let bad = ("AWS_DEFAULT_REGION", "eu west");
        assert!(refusal(&[&API[..], &[bad]].concat()).starts_with("AWS_DEFAULT_REGION"));
    }

    #[test]
    fn is_where_cloudwatch_logs_is_which_needs_one() {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let ways = ways(&[GROUP, (name, "eu-west-1")]);
            assert_eq!(ways, ["cloudwatch logs.eu-west-1.amazonaws.com /shop"]);
            assert!(refusal(&[GROUP, (name, "eu west")]).starts_with(name));
        }
        assert!(refusal(&[GROUP]).starts_with("AWS_REGION"));
    }

    #[test]
    fn a_daemon_needs_none() {
        assert_eq!(ways(&API[..1]), ["xray 127.0.0.1:2000"]);
    }
}

mod aws_endpoint_url_xray {
    use super::*;

    const API: [(&str, &str); 3] =
        [("AWS_XRAY_SDK_ENABLED", "true"), ("BELVEDERE_XRAY_EXPORTER", "api"), ("AWS_REGION", "eu-west-1")];

    #[test]
    fn is_where_x_ray_is_and_comes_before_the_one_for_all_services() {
        let (own, all) =
            (("AWS_ENDPOINT_URL_XRAY", "http://own.example"), ("AWS_ENDPOINT_URL", "http://all.example"));
        for (variables, expected) in [
            (&[own, all][..], "xray own.example"),
            (&[("AWS_ENDPOINT_URL_XRAY", ""), all], "xray all.example"),
            (&[], "xray xray.eu-west-1.amazonaws.com"),
        ] {
            assert_eq!(ways(&[&API, variables].concat()), [expected]);
        }
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        for name in ["AWS_ENDPOINT_URL_XRAY", "AWS_ENDPOINT_URL"] {
            assert!(refusal(&[&API[..], &[(name, "/nowhere")]].concat()).starts_with(name));
        }
    }
}

/// The only item of a request that fails, and what came with it.
async fn item(variables: Pairs<'_>) -> rollbar::Received {
    let rollbar = Rollbar::content();
    let url = rollbar.url();
    let set =
        [("OTEL_TRACES_EXPORTER", "none"), ("ROLLBAR_ACCESS_TOKEN", "token"), ("ROLLBAR_ENDPOINT", &*url)];
    let belvedere = start(&[&set, variables].concat()).unwrap();
    fail(&belvedere).await;
    assert_eq!(belvedere.shutdown(PATIENCE).await.lost(), 0);
    let mut received = rollbar.received();
    assert_eq!(received.len(), 1, "{received:?}");
    received.remove(0)
}

/// Where items go.
#[track_caller]
fn items_go(variables: Pairs<'_>) -> Vec<String> {
    let report = only_segments(variables).unwrap().outbox().report();
    report.lanes.iter().map(|lane| lane.name.to_string()).collect()
}

/// The line that says what becomes of items.
#[track_caller]
fn said_of_items(variables: Pairs<'_>) -> String {
    let log = log::Log::default();
    let belvedere = tracing::subscriber::with_default(log.subscriber(), || only_segments(variables));
    drop(belvedere.unwrap());
    let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains("items: ")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.concat()
}

mod rollbar_access_token {
    use super::*;

    const NAME: &str = "ROLLBAR_ACCESS_TOKEN";

    #[tokio::test]
    async fn is_sent_in_the_header_without_what_is_around_it() {
        assert_eq!(item(&[(NAME, " canary\n")]).await.header("x-rollbar-access-token"), "canary");
    }

    #[test]
    fn turns_items_on_and_without_one_nothing_is_reported() {
        assert_eq!(items_go(&[(NAME, "canary")]), ["rollbar api.rollbar.com"]);
        for none in [&[(NAME, " ")][..], &[]] {
            assert_eq!(items_go(none), [""; 0]);
            assert!(start(none).unwrap().rollbar_layer().is_none());
        }
    }

    #[test]
    fn one_line_says_whether_items_are_sent_and_never_shows_it() {
        let on = said_of_items(&[(NAME, "canary")]);
        assert!(on.contains("on to=rollbar api.rollbar.com environment=production"), "{on}");
        assert!(!on.contains("canary"), "{on}");
        let off = said_of_items(&[]);
        assert!(off.contains("off; ROLLBAR_ACCESS_TOKEN turns them on"), "{off}");
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_does_not_show_it() {
        let message = refusal(&[(NAME, "can ary")]);
        assert!(message.starts_with(r#"ROLLBAR_ACCESS_TOKEN is "...""#), "{message}");
        assert!(!message.contains("can ary"), "{message}");
    }

    #[test]
    fn a_url_is_none_and_the_token_that_stands_in_its_place_is_not_shown() {
        let message =
            refusal(&[(NAME, "https://api.rollbar.com/api/1/item/"), ("ROLLBAR_ENDPOINT", "canary")]);
        assert!(message.starts_with(r#"ROLLBAR_ACCESS_TOKEN is "...""#), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

mod rollbar_environment {
    use super::*;

    const NAME: &str = "ROLLBAR_ENVIRONMENT";

    #[tokio::test]
    async fn comes_before_the_attributes_of_the_resource_and_is_production_without_any() {
        let own = (NAME, "own");
        let new = "deployment.environment.name=new";
        let both = "deployment.environment=old,deployment.environment.name=new";
        for (variables, expected) in [
            (&[own, ("OTEL_RESOURCE_ATTRIBUTES", new)][..], "own"),
            (&[("OTEL_RESOURCE_ATTRIBUTES", both)], "new"),
            (&[("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=old")], "old"),
            (&[(NAME, " ")], "production"),
            (&[], "production"),
        ] {
            assert_eq!(item(variables).await.data()["environment"], expected, "{variables:?}");
        }
    }
}

mod rollbar_code_version {
    use super::*;

    #[tokio::test]
    async fn comes_before_the_version_of_the_resource_and_there_is_none_without_any() {
        let attribute = ("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.2.3");
        for (variables, expected) in [
            (&[("ROLLBAR_CODE_VERSION", "a1b2c3d"), attribute][..], Some("a1b2c3d")),
            (&[attribute], Some("1.2.3")),
            (&[], None),
        ] {
            let data = item(variables).await.data();
            assert_eq!(data["code_version"].as_str(), expected, "{variables:?}");
            assert_eq!(data["server"]["code_version"].as_str(), expected, "{variables:?}");
        }
    }
}

mod rollbar_endpoint {
    use super::*;

    const NAME: &str = "ROLLBAR_ENDPOINT";
    const TOKEN: (&str, &str) = ("ROLLBAR_ACCESS_TOKEN", "canary");

    #[tokio::test]
    async fn is_the_whole_url_that_items_are_posted_to() {
        assert_eq!(item(&[]).await.path, "/api/1/item/");
    }

    #[test]
    fn is_rollbar_s_own_by_default() {
        assert_eq!(items_go(&[TOKEN, (NAME, "")]), ["rollbar api.rollbar.com"]);
    }

    #[test]
    fn without_a_token_or_with_another_end_it_is_told_and_stays_as_it_is() {
        let unused = warnings(&[(NAME, "http://localhost:1/api/1/item/")]);
        assert_eq!(unused, ["ROLLBAR_ENDPOINT is not used, because there is no ROLLBAR_ACCESS_TOKEN"]);
        let base = start(&[TOKEN, (NAME, "https://api.rollbar.com/api/1/")]).unwrap();
        assert_eq!(base.warnings().len(), 1);
        assert!(base.warnings()[0].contains("does not end in /item/"), "{:?}", base.warnings());
        for whole in ["http://localhost:1/api/1/item/", "http://localhost:1/item"] {
            assert_eq!(warnings(&[TOKEN, (NAME, whole)]), [""; 0]);
        }
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_shows_no_secret() {
        for bad in ["localhost:4567", "ftp://localhost/item/", "https:///item/", "pigeon"] {
            assert!(refusal(&[TOKEN, (NAME, bad)]).starts_with(NAME), "{bad}");
        }
        for secret in ["http://user:canary@localhost/item/", "localhost/item/?access_token=canary"] {
            let message = refusal(&[TOKEN, (NAME, secret)]);
            assert!(message.starts_with(NAME) && !message.contains("canary"), "{message}");
        }
    }
}

/// The only line of one request.
async fn line(variables: Pairs<'_>) -> Line {
    let lines = Lines::start().await;
    let url = lines.url();
    let set = [("CLOUDWATCH_LOG_GROUP", "/shop"), ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &*url)];
    let belvedere = only_segments(&[&set, &ACCOUNT[..], variables].concat()).unwrap();
    serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
    assert_eq!(belvedere.shutdown(PATIENCE).await.lost(), 0);
    let mut all = lines.all();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The line of the log that says what becomes of lines.
#[track_caller]
fn said_of_lines(variables: Pairs<'_>) -> String {
    let log = log::Log::default();
    let belvedere = tracing::subscriber::with_default(log.subscriber(), || only_segments(variables));
    drop(belvedere.unwrap());
    let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains("lines: ")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.concat()
}

/// A region and keys, of nobody.
const ACCOUNT: [(&str, &str); 3] =
    [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "canary")];

mod cloudwatch_log_group {
    use super::*;

    const NAME: &str = "CLOUDWATCH_LOG_GROUP";

    #[tokio::test]
    async fn is_where_lines_go_and_turns_them_on() {
        assert_eq!(line(&[(NAME, " /shop/checkout ")]).await.group, "/shop/checkout");
        assert_eq!(
            ways(&[&[(NAME, "/shop")], &ACCOUNT[..]].concat()),
            ["cloudwatch logs.eu-west-1.amazonaws.com /shop"]
        );
        for none in [&[(NAME, " ")][..], &[]] {
            assert_eq!(ways(&[none, &ACCOUNT].concat()), [""; 0]);
            assert!(start(none).unwrap().cloudwatch_layer().is_none());
        }
    }

    #[test]
    fn one_line_says_whether_lines_are_on_or_what_is_missing() {
        let on = said_of_lines(&[&[(NAME, "/shop")], &ACCOUNT[..]].concat());
        assert!(on.contains("on to=cloudwatch logs.eu-west-1.amazonaws.com /shop"), "{on}");
        assert!(!on.contains("canary"), "{on}");
        let off = said_of_lines(&[]);
        assert!(off.contains("off; CLOUDWATCH_LOG_GROUP turns them on"), "{off}");
    }

    #[tokio::test]
    async fn segments_name_it_too_so_that_their_lines_are_found() {
        let group = [&[(NAME, "/shop")], &ACCOUNT[..]].concat();
        let groups = async |more: Pairs<'_>| {
            let segment = segment(&[&group[..], more].concat(), |_| true).await;
            let groups = segment["aws"]["cloudwatch_logs"].as_array().unwrap().iter();
            groups.map(|group| group["log_group"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(groups(&[]).await, ["/shop"]);
        assert_eq!(groups(&[("BELVEDERE_XRAY_LOG_GROUPS", "/other,/shop")]).await, ["/other", "/shop"]);
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_says_what_to_do() {
        for bad in ["a shop", "aws/shop", "shop:1", &"a".repeat(513)] {
            let message = refusal(&[&[(NAME, bad)], &ACCOUNT[..]].concat());
            assert!(message.starts_with(&format!("{NAME} is {bad:?}: use up to 512")), "{message}");
        }
    }
}

mod cloudwatch_log_stream {
    use super::*;

    const NAME: &str = "CLOUDWATCH_LOG_STREAM";

    #[tokio::test]
    async fn is_a_name_or_a_pattern() {
        let pid = std::process::id();
        assert_eq!(line(&[(NAME, "web-1")]).await.stream, "web-1");
        assert_eq!(line(&[(NAME, "web/{pid}")]).await.stream, format!("web/{pid}"));
        assert!(line(&[(NAME, "")]).await.stream.ends_with(&format!("/{pid}")));
    }

    #[test]
    fn without_a_group_it_is_told_that_it_does_nothing() {
        let unused = warnings(&[(NAME, "web-1")]);
        assert_eq!(unused, ["CLOUDWATCH_LOG_STREAM is not used, because there is no CLOUDWATCH_LOG_GROUP"]);
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        for bad in ["web:1", "web*", &"a".repeat(513)] {
            let message =
                refusal(&[&[("CLOUDWATCH_LOG_GROUP", "/shop"), (NAME, bad)], &ACCOUNT[..]].concat());
            assert!(message.starts_with(&format!("{NAME} is {bad:?}: ")), "{message}");
        }
    }
}

mod belvedere_cloudwatch_format {
    use super::*;

    const NAME: &str = "BELVEDERE_CLOUDWATCH_FORMAT";

    #[tokio::test]
    async fn is_json_or_the_line_of_the_course() {
        for json in [&[(NAME, "JSON")][..], &[(NAME, "")], &[]] {
            let message = line(json).await.message;
            let record: serde_json::Value = serde_json::from_str(&message).unwrap();
            assert_eq!(record["path"], "/carts", "{json:?}");
        }
        let text = line(&[(NAME, "Text")]).await.message;
        assert!(text.ends_with("] - GET http /carts? 200 OK"), "{text}");
    }

    #[test]
    fn without_a_group_it_is_told_that_it_does_nothing() {
        assert!(warnings(&[(NAME, "text")]).concat().starts_with(NAME));
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        let message = refusal(&[&[("CLOUDWATCH_LOG_GROUP", "/shop"), (NAME, "xml")], &ACCOUNT[..]].concat());
        assert_eq!(message, r#"BELVEDERE_CLOUDWATCH_FORMAT is "xml": write json or text"#);
    }
}

mod belvedere_cloudwatch_retention_days {
    use super::*;

    const NAME: &str = "BELVEDERE_CLOUDWATCH_RETENTION_DAYS";

    /// The bodies of the requests of one line into a group that is not there, which ask for a retention.
    async fn asked(variables: Pairs<'_>) -> Vec<serde_json::Value> {
        let logs = Endpoint::start(|received| {
            let is_first = received.number == 0;
            if is_first { aws::refusal(400, "ResourceNotFoundException") } else { answer(received) }
        });
        let logs = logs.await;
        let url = logs.url();
        let set = [("CLOUDWATCH_LOG_GROUP", "/shop"), ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &*url)];
        let belvedere = only_segments(&[&set, &ACCOUNT[..], variables].concat()).unwrap();
        serve(&belvedere, Request::new(())).await;
        assert_eq!(belvedere.shutdown(PATIENCE).await.lost(), 0);
        let received = logs.received().into_iter();
        let asked = received.filter(|one| one.header("x-amz-target").ends_with(".PutRetentionPolicy"));
        asked.map(|one| serde_json::from_slice(&one.body).unwrap()).collect()
    }

    /// The group comes before its stream.
    fn answer(received: &aws::Received) -> aws::Answer {
        let is_stream = received.header("x-amz-target").ends_with(".CreateLogStream");
        if is_stream && received.number == 1 {
            return aws::refusal(400, "ResourceNotFoundException");
        }
        aws::answer(200, "{}")
    }

    #[tokio::test]
    async fn is_how_long_a_group_that_is_made_keeps_its_lines() {
        let asked_for = asked(&[(NAME, "30")]).await;
        assert_eq!(asked_for, [serde_json::json!({"logGroupName": "/shop", "retentionInDays": 30})]);
        assert!(asked(&[(NAME, "")]).await.is_empty(), "for ever is CloudWatch's own");
    }

    #[test]
    fn without_a_group_it_is_told_that_it_does_nothing() {
        assert!(warnings(&[(NAME, "30")]).concat().starts_with(NAME));
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it_and_those_there_are() {
        for bad in ["31", "-1", "for ever"] {
            let message =
                refusal(&[&[("CLOUDWATCH_LOG_GROUP", "/shop"), (NAME, bad)], &ACCOUNT[..]].concat());
            assert!(
                message.starts_with(&format!("{NAME} is {bad:?}: its days are one of 1, 3")),
                "{message}"
            );
        }
    }
}

mod belvedere_cloudwatch_stdout {
    use super::*;

    const NAME: &str = "BELVEDERE_CLOUDWATCH_STDOUT";

    #[test]
    fn prints_lines_beside_what_is_sent_or_alone() {
        let group = [&[("CLOUDWATCH_LOG_GROUP", "/shop")], &ACCOUNT[..]].concat();
        let to_aws = "cloudwatch logs.eu-west-1.amazonaws.com /shop";
        assert_eq!(ways(&[&group[..], &[(NAME, "true")]].concat()), [to_aws, "stdout"]);
        assert_eq!(ways(&[&group[..], &[(NAME, "off")]].concat()), [to_aws]);
        assert_eq!(ways(&[&group[..], &[(NAME, "")]].concat()), [to_aws]);
        assert_eq!(ways(&[(NAME, "1")]), ["stdout"]);
        assert_eq!(ways(&[(NAME, "false")]), [""; 0]);
        assert!(said_of_lines(&[(NAME, "true")]).contains("lines: on to=stdout"));
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        assert_eq!(refusal(&[(NAME, "perhaps")]), format!(r#"{NAME} is "perhaps": write true or false"#));
    }
}

mod belvedere_spool {
    use super::*;

    const NAME: &str = "BELVEDERE_SPOOL";

    #[tokio::test]
    async fn keeps_what_a_dead_endpoint_does_not_take_for_the_next_process() {
        let (folder, (_socket, nobody)) = (Folder::new(), dead());
        let path = folder.path().join("spool").display().to_string();
        let log = log::Log::default();
        let belvedere = tracing::subscriber::with_default(log.subscriber(), || {
            start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &nobody), (NAME, &path)]).unwrap()
        });
        assert!(log.lines().iter().any(|line| line.contains("spool: on") && line.contains(&path)));
        serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
        let report = belvedere.shutdown(Duration::from_millis(500)).await;
        assert_eq!((report.lost(), report.lanes[0].spooled), (0, 1), "{report}");
        let text = folder.bytes();
        assert!(text.windows(6).any(|part| part == b"/carts"));
    }

    #[tokio::test]
    async fn a_bad_one_costs_nothing() {
        let folder = Folder::new().file("file", "not a folder");
        let path = folder.path().join("file/spool").display().to_string();
        let sink = through(&[(NAME, &path)]).await;
        assert_eq!(sink.spans().len(), 1);
    }
}

mod belvedere_budget {
    use super::*;

    const NAME: &str = "BELVEDERE_BUDGET";

    #[tokio::test]
    async fn free_is_no_more_than_is_free() {
        // A thousandth of what a start may use before any trickles in.
        let thousandth = ("BELVEDERE_BUDGET_PROCESSES", "1000");
        for (variables, is_bounded) in
            [(&[(NAME, "Free"), thousandth][..], true), (&[(NAME, "none"), thousandth], false), (&[], false)]
        {
            assert_eq!(thinned(variables, 500).await > 0, is_bounded, "{variables:?}");
        }
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        assert_eq!(refusal(&[(NAME, "cheap")]), format!(r#"{NAME} is "cheap": write free or none"#));
    }
}

mod belvedere_budget_folder {
    use super::*;

    const NAME: &str = "BELVEDERE_BUDGET_FOLDER";

    #[tokio::test]
    async fn is_where_a_restart_finds_what_was_used() {
        let folder = Folder::new();
        let path = folder.path().display().to_string();
        let variables =
            [("BELVEDERE_BUDGET", "free"), ("BELVEDERE_BUDGET_PROCESSES", "20000"), (NAME, &*path)];
        thinned(&variables, 100).await;
        assert!(!folder.bytes().is_empty());
        assert!(thinned(&variables, 60).await > 50, "what was used is used");
    }
}

mod belvedere_budget_processes {
    use super::*;

    const NAME: &str = "BELVEDERE_BUDGET_PROCESSES";

    #[tokio::test]
    async fn each_has_its_part() {
        let free = ("BELVEDERE_BUDGET", "free");
        assert_eq!(thinned(&[free], 300).await, 0);
        assert!(thinned(&[free, (NAME, "2000")], 300).await > 100);
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        for bad in ["0", "-1", "many"] {
            let told = format!("{NAME} is {bad:?}: write how many processes share the budget, such as 3");
            assert_eq!(refusal(&[("BELVEDERE_BUDGET", "free"), (NAME, bad)]), told);
        }
    }
}

/// How many spans of so many requests a budget leaves out.
async fn thinned(variables: Pairs<'_>, requests: u32) -> u64 {
    let sink = Sink::start();
    let belvedere = towards(&sink, variables);
    for _ in 0..requests {
        serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
    }
    let report = belvedere.shutdown(PATIENCE).await;
    report.lanes[0].lost.get("budget").copied().unwrap_or_default()
}

mod aws_endpoint_url_cloudwatch_logs {
    use super::*;

    #[test]
    fn is_where_cloudwatch_logs_is_and_comes_before_the_one_for_all_services() {
        let group = [&[("CLOUDWATCH_LOG_GROUP", "/shop")], &ACCOUNT[..]].concat();
        let (own, all) = (
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://own.example"),
            ("AWS_ENDPOINT_URL", "http://all.example:4566"),
        );
        for (variables, expected) in [
            (&[own, all][..], "own.example"),
            (&[("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", ""), all], "all.example:4566"),
            (&[], "logs.eu-west-1.amazonaws.com"),
        ] {
            let ways = ways(&[&group[..], variables].concat());
            assert_eq!(ways, [format!("cloudwatch {expected} /shop")]);
        }
    }

    #[test]
    fn a_bad_one_is_an_error_that_names_it() {
        for name in ["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "AWS_ENDPOINT_URL"] {
            let group = [("CLOUDWATCH_LOG_GROUP", "/shop"), (name, "/nowhere")];
            assert!(refusal(&[&group, &ACCOUNT[..]].concat()).starts_with(name));
        }
    }
}
