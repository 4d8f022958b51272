//! What comes from outside, in any shape: the properties that `fuzz/` asks for with more patience.
#![cfg(all(feature = "console", feature = "full"))]

#[path = "support/answers.rs"]
mod answers;
#[path = "support/inputs.rs"]
mod inputs;
#[path = "support/posts.rs"]
mod posts;

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::select};

proptest! {
    #[test]
    fn an_amzn_header_says_what_a_simple_reader_finds_in_it(bytes in made_of(AMZN, 24)) {
        inputs::amzn(&bytes);
    }

    #[test]
    fn trace_context_is_sent_on_as_it_was_read(bytes in made_of(W3C, 24)) {
        inputs::w3c(&bytes);
    }

    #[test]
    fn an_address_is_written_as_it_is_read(bytes in made_of(ADDRESS, 9)) {
        inputs::address(&bytes);
    }

    #[test]
    fn a_rules_file_is_taken_or_refused(bytes in changed("fuzz/seeds/rules", RULES)) {
        inputs::rules(&bytes);
    }

    #[test]
    fn a_document_is_read_written_and_split(bytes in changed("tests/golden/xray", DOCUMENT)) {
        inputs::document(&bytes);
    }

    #[test]
    fn a_text_is_scrubbed_in_every_way(bytes in made_of(SCRUB, 24)) {
        inputs::scrub(&bytes);
    }

    #[test]
    fn an_item_is_read_and_written(bytes in changed("tests/golden/rollbar", ITEM)) {
        inputs::item(&bytes);
    }

    #[test]
    fn b3_is_sent_on_as_it_was_read(bytes in changed("fuzz/seeds/b3", B3)) {
        inputs::b3(&bytes);
    }

    #[test]
    fn baggage_is_the_same_one_service_further(bytes in made_of(BAGGAGE, 24)) {
        inputs::baggage(&bytes);
    }

    #[test]
    fn a_proxy_is_believed_whatever_a_client_wrote_before_it(bytes in changed("fuzz/seeds/forwarded", FORWARDED)) {
        inputs::forwarded(&bytes);
    }

    #[test]
    fn a_timeout_is_one_or_none(bytes in made_of(TIMEOUT, 5)) {
        inputs::timeout(&bytes);
    }

    #[test]
    fn a_sampler_goes_on_whatever_it_is_answered(bytes in changed("fuzz/seeds/sampling", SAMPLING)) {
        inputs::sampling(&bytes);
    }

    #[test]
    fn a_service_is_set_up_by_any_variables_or_says_why_not(bytes in variables()) {
        inputs::environment(&bytes);
    }

    #[test]
    fn a_console_answers_whatever_it_is_sent(bytes in changed("fuzz/seeds/post", POST)) {
        posts::post(&bytes);
    }
}

proptest! {
    // Some of these have a backend tried again until the end.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_a_backend_answers_each_record_is_delivered_or_counted(bytes in changed("fuzz/seeds/answer", ANSWER)) {
        answers::answer(&bytes);
    }
}

/// Bytes that are put together of these pieces and of others.
fn made_of(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20),
        1 => "[ -~]{0,20}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

/// Some of the variables, each with a value that may be none of its own.
fn variables() -> impl Strategy<Value = Vec<u8>> {
    let value =
        prop_oneof![6 => select(VALUES).prop_map(str::to_owned), 1 => "[ -~]{0,12}", 1 => "\\PC{0,4}"];
    let pair = (select(VARIABLES), vec(value, 0..3));
    vec(pair.prop_map(|(name, values)| format!("{name}={}\n", values.concat()).into_bytes()), 0..8)
        .prop_map(|lines| lines.concat())
}

/// A file of the folder in which one of these pieces, or nothing, stands in some places of what was there.
fn changed(folder: &str, pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files =
        fs::read_dir(folder).into_iter().flatten().map(|file| fs::read(file.unwrap().path()).unwrap());
    let mut files: Vec<_> = files.collect();
    files.push(pieces.concat().into_bytes());
    files.sort();
    let change = (any::<prop::sample::Index>(), 0..12_usize, select(pieces));
    (select(files), vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
        for (at, length, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

const AMZN: &[&str] = &[
    "Root",
    "root",
    "ROOT",
    "Parent",
    "pArEnT",
    "Sampled",
    "sampled",
    "Self",
    "Lineage",
    "CalledFrom",
    "=",
    "=",
    "=",
    ";",
    ";",
    ";",
    " ",
    "\t",
    "\n",
    "1-5759e988-bd862e3fe1be46a994272793",
    "1-5759E988-BD862E3FE1BE46A994272793",
    "1-00000000-000000000000000000000000",
    "53995c3f42cd8ad8",
    "0000000000000000",
    "0",
    "1",
    "?",
    "25:a87bd80c:0|68fd508a:5",
    "Root=1-5759e988-bd862e3fe1be46a994272793",
    "Parent=53995c3f42cd8ad8",
    "Sampled=1",
];

const W3C: &[&str] = &[
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
    "00",
    "cc",
    "ff",
    "-",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "01",
    "02",
    "\n",
    ",",
    "=",
    "foo=1",
    "bar@baz=2",
    "a-b*c/d=3",
    " ",
    "\t",
];

const ADDRESS: &[&str] = &[
    "tcp:",
    "udp:",
    "TCP:",
    "127.0.0.1",
    "[::1]",
    "::1",
    "xray-daemon",
    "localhost",
    ":",
    "2000",
    "65536",
    "0",
    " ",
    "\n",
    "[",
    "]",
    "/",
    "@",
    "://",
    "ü",
];

const RULES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "1",
    "2",
    "-1",
    "0.5",
    "1e400",
    "null",
    "\"*\"",
    "\"host\":",
    "\"service_name\":",
    "\"rules\":",
    "\"default\":",
    "\"version\":2,",
    "\\u0000",
];

const DOCUMENT: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "1",
    "-1",
    "1e308",
    "null",
    "true",
    "{}",
    "[]",
    "\"subsegments\":[",
    "\"id\":",
    "\"cause\":",
    "\"annotations\":{",
    "\"metadata\":{",
    "\"type\":\"subsegment\",",
    "\\u0000",
    "\\ud800",
    "ü",
];

const SCRUB: &[&str] = &[
    "password",
    "token=",
    "Authorization: ",
    "Bearer ",
    "Basic ",
    "https://me:x@h/",
    "%3A%2F%2F",
    "%2540",
    "-----BEGIN PRIVATE KEY-----",
    "{\"pass\\u0077ord\": ",
    "Some(",
    "\"",
    "\\",
    "=",
    ":",
    "&",
    ";",
    "\n",
    "4111111111111111",
];

const ITEM: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "1",
    "-1",
    "1e308",
    "null",
    "true",
    "{}",
    "[]",
    "\"body\":{",
    "\"trace_chain\":[",
    "\"frames\":",
    "\"level\":",
    "\"access_token\":",
    "\"custom\":{",
    "\\u0000",
    "\\ud800",
    "ü",
];

const B3: &[&str] = &[
    "b3: ",
    "x-b3-traceid: ",
    "x-b3-spanid: ",
    "x-b3-sampled: ",
    "x-b3-flags: ",
    "x-b3-parentspanid: ",
    "\n",
    "-",
    "0",
    "1",
    "d",
    "true",
    "463ac35c9f6413ad48485a3953bb6124",
    "a2fb4a1d1a96d312",
    "0000000000000000",
];

const BAGGAGE: &[&str] =
    &["a", "b=1", ";", "=", ",", "\n", " ", "\t", "%", "%2C", "%3B", "%25", "%FF", "%C3%A9", "p=1", "\""];

const FORWARDED: &[&str] = &[
    "forwarded: ",
    "x-forwarded-for: ",
    "x-forwarded-host: ",
    "x-forwarded-proto: ",
    "\n",
    "for=",
    "host=",
    "proto=",
    "6.6.6.6",
    "[::1]:4711",
    "192.0.2.1",
    "\"",
    "\\",
    ";",
    ",",
    " ",
    "=",
    "unknown",
    "_a",
    "https",
];

const TIMEOUT: &[&str] = &["0", "1", "99999999", "H", "M", "S", "m", "u", "n", "+", "-", " "];

const SAMPLING: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "0",
    "-1",
    "1e308",
    "18446744073709551616",
    "null",
    "true",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "ü",
    "\n",
    "\"FixedRate\":",
    "\"Interval\":",
    "\"ReservoirQuota\":",
    "\"ReservoirQuotaTTL\":",
    "\"NextToken\":\"a\"",
    "\"ErrorCode\":\"400\"",
    "\"LastRuleModification\":",
];

const POST: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "0",
    "-1",
    "1e308",
    "18446744073709551616",
    "null",
    "true",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "ü",
    "\n",
    "\"attributes\":",
    "\"subsegments\":[",
    "\"trace_id\":",
    "\"logEvents\":",
    "\"timestamp\":",
];

const ANSWER: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "0",
    "-1",
    "1e308",
    "18446744073709551616",
    "null",
    "true",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "ü",
    "\n",
    "\n\n",
    "200",
    "400",
    "401",
    "413",
    "429",
    "500",
    "503",
    "retry-after: ",
    "x-amz-retry-after: ",
    "x-amzn-errortype: ",
    "date: ",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "18446744073709551615",
    "ThrottlingException",
    "ResourceNotFoundException",
    "InvalidParameterException",
];

const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "AWS_ENDPOINT_URL_XRAY",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "AWS_XRAY_SDK_ENABLED",
    "AWS_XRAY_TRACING_NAME",
    "BELVEDERE_CLOUDWATCH_FORMAT",
    "BELVEDERE_CLOUDWATCH_RETENTION_DAYS",
    "BELVEDERE_XRAY_EXPORTER",
    "BELVEDERE_XRAY_LOG_GROUPS",
    "CLOUDWATCH_LOG_GROUP",
    "CLOUDWATCH_LOG_STREAM",
    "HONEYCOMB_API_ENDPOINT",
    "HONEYCOMB_DATASET",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_PROPAGATORS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
    "OTEL_SERVICE_NAME",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "ROLLBAR_ACCESS_TOKEN",
    "ROLLBAR_ENDPOINT",
    "ROLLBAR_ENVIRONMENT",
];

const VALUES: &[&str] = &[
    "",
    "0",
    "-1",
    "0.5",
    "1e400",
    "nan",
    "18446744073709551616",
    "true",
    "none",
    "otlp",
    "console",
    "always_on",
    "traceidratio",
    "parentbased_traceidratio",
    "xray",
    "b3",
    "tracecontext,baggage",
    "http/protobuf",
    "gzip",
    "a=b",
    "a=b,c=%20",
    "%FF",
    "/shop",
    "{instance}",
    "eu-west-1",
    "http://127.0.0.1:9",
    "https://",
    "127.0.0.1:9",
    "udp:127.0.0.1:9 tcp:127.0.0.1:9",
    "ü",
    " ",
    ",",
];
