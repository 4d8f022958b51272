use std::time::SystemTime;

use serde::Serialize;

use super::{
    event::{LogEvent, milliseconds},
    histogram::Distribution,
    series::Seen,
};

/// A log line that CloudWatch makes metrics of, by its
/// [Embedded Metric Format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Emf<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    operation: &'a str,
    request: u64,
    error: u64,
    throttle: u64,
    fault: u64,
    latency: &'a Distribution,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [&'static [&'static str]; 1],
    metrics: [Metric; 5],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

/// Whose metrics these are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) namespace: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) operation: &'a str,
}

// ===== impl Subject =====

impl Subject<'_> {
    /// The line of an interval that has ended at this time.
    pub(super) fn line(self, at: SystemTime, seen: &Seen) -> LogEvent {
        let Self { namespace, service, operation } = self;
        let Seen { requests, errors, throttles, faults, latency } = seen;
        let dimensions = [if service.is_some() { DIMENSIONS } else { &DIMENSIONS[1..] }];
        let line = Emf {
            metadata: Metadata {
                timestamp: milliseconds(at),
                cloud_watch_metrics: [Directive { namespace, dimensions, metrics: METRICS }],
            },
            service,
            operation,
            request: *requests,
            error: *errors,
            throttle: *throttles,
            fault: *faults,
            latency,
        };
        LogEvent::new(at, serde_json::to_string(&line).expect("names and numbers can be written as JSON"))
    }
}

// ===== impl Metric =====

impl Metric {
    const fn count(name: &'static str) -> Self {
        Self { name, unit: "Count" }
    }
}

const DIMENSIONS: &[&str] = &["Service", "Operation"];

const METRICS: [Metric; 5] = [
    Metric::count("Request"),
    Metric::count("Error"),
    Metric::count("Throttle"),
    Metric::count("Fault"),
    Metric { name: "Latency", unit: "Milliseconds" },
];

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::cloudwatch::series::{Class, Series};

    fn line(service: Option<&str>) -> LogEvent {
        let series = Series::new("GET /carts/{id}");
        series.record(Class::Good, Duration::from_micros(20));
        series.record(Class::Fault, Duration::from_millis(33));
        let subject = Subject { namespace: "Shop", service, operation: series.operation() };
        subject.line(UNIX_EPOCH + Duration::from_millis(1_795_177_563_250), &series.drain().unwrap())
    }

    #[test]
    fn a_line_is_as_the_specification_has_it() {
        let expected = concat!(
            r#"{"_aws":{"Timestamp":1795177563250,"CloudWatchMetrics":[{"Namespace":"Shop","#,
            r#""Dimensions":[["Service","Operation"]],"Metrics":[{"Name":"Request","Unit":"Count"},"#,
            r#"{"Name":"Error","Unit":"Count"},{"Name":"Throttle","Unit":"Count"},"#,
            r#"{"Name":"Fault","Unit":"Count"},{"Name":"Latency","Unit":"Milliseconds"}]}]},"#,
            r#""Service":"checkout","Operation":"GET /carts/{id}","Request":2,"Error":0,"Throttle":0,"Fault":1,"#,
            r#""Latency":{"Values":[0.0205,33.2721],"Counts":[1,1]}}"#,
        );
        let event = line(Some("checkout"));
        assert_eq!(event.timestamp, 1_795_177_563_250);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&event.message).unwrap(),
            serde_json::from_str::<serde_json::Value>(expected).unwrap()
        );
    }

    #[test]
    fn without_a_service_there_is_no_such_dimension() {
        let line: serde_json::Value = serde_json::from_str(&line(None).message).unwrap();
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([["Operation"]]));
        assert!(line.get("Service").is_none());
    }
}
