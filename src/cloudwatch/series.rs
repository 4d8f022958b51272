use std::time::Duration;

use http::StatusCode;
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::histogram::{Counts, Distribution, Histogram};
use crate::exchange::{Code, End};

/// What is counted of one operation.
#[derive(Debug)]
pub(super) struct Series {
    operation: String,
    /// Each exchange is in one bucket of one of them: one atomic for all that is told of it, so that an interval which ends
    /// meanwhile has it whole or not at all.
    latencies: [Histogram; 4],
}

/// How an exchange went, for those who count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Neither of them.
    Good,
    /// The client's fault.
    Error,
    /// The client came too often: a kind of error.
    Throttle,
    /// The service's fault.
    Fault,
}

/// What a series has seen in an interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) throttles: u64,
    pub(super) faults: u64,
    pub(super) latency: Distribution,
}

// ===== impl Series =====

impl Series {
    pub(super) fn new(operation: &str) -> Self {
        let mut operation = utf8_percent_encode(operation, CONTROLS).to_string();
        operation.truncate(LONGEST);
        Self { operation, latencies: [(); 4].map(|()| Histogram::new()) }
    }

    /// Its name, as a dimension may have it.
    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    pub(super) fn record(&self, class: Class, duration: Duration) {
        self.latencies[class as usize].record(duration);
    }

    /// Takes what there is, if there is anything.
    pub(super) fn drain(&self) -> Option<Seen> {
        let mut counts = Counts::default();
        let [good, errors, throttles, faults] =
            self.latencies.each_ref().map(|latencies| latencies.drain(&mut counts));
        let requests = good + errors + throttles + faults;
        (requests > 0).then(|| Seen {
            requests,
            errors: errors + throttles,
            throttles,
            faults,
            latency: counts.distribution(),
        })
    }
}

// ===== impl Class =====

impl Class {
    /// By gRPC's code, if it is a call of gRPC, else by the status.
    pub(super) fn of(end: End<'_>, status: Option<StatusCode>, code: Option<Code>) -> Self {
        match (end, code) {
            (End::Failed { .. } | End::Panicked { .. }, _) => Self::Fault,
            (_, Some(Code::OK)) => Self::Good,
            (_, Some(code)) if code.number() == RESOURCE_EXHAUSTED => Self::Throttle,
            (_, Some(code)) if code.is_server_error() => Self::Fault,
            (_, Some(_)) => Self::Error,
            (_, None) => status.map_or(Self::Good, Self::of_status),
        }
    }

    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            500.. => Self::Fault,
            429 => Self::Throttle,
            400.. => Self::Error,
            _ => Self::Good,
        }
    }
}

/// Of a dimension's value: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html>
pub(super) const LONGEST: usize = 1024;

const RESOURCE_EXHAUSTED: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_dimension_takes() {
        assert_eq!(Series::new("GET /k\u{e4}se/{id}\n").operation(), "GET /k%C3%A4se/{id}%0A");
        assert_eq!(Series::new(&"\u{e4}".repeat(1024)).operation().len(), LONGEST);
    }

    #[test]
    fn what_is_seen_is_taken_once() {
        let series = Series::new("GET /");
        assert_eq!(series.drain(), None);
        for class in [Class::Good, Class::Good, Class::Error, Class::Throttle, Class::Fault] {
            series.record(class, Duration::from_millis(7));
        }
        let Seen { requests, errors, throttles, faults, .. } = series.drain().unwrap();
        assert_eq!((requests, errors, throttles, faults), (5, 2, 1, 1));
        assert_eq!(series.drain(), None);
    }

    #[test]
    fn a_class_is_by_the_code_or_by_the_status() {
        let complete = End::Complete { trailers: None };
        let class = |end, status: u16| Class::of(end, StatusCode::from_u16(status).ok(), None);
        for (status, expected) in [
            (200, Class::Good),
            (302, Class::Good),
            (404, Class::Error),
            (429, Class::Throttle),
            (503, Class::Fault),
            (999, Class::Fault),
        ] {
            assert_eq!(class(complete, status), expected, "{status}");
        }
        assert_eq!(class(End::Canceled, 200), Class::Good);
        assert_eq!(class(End::Canceled, 500), Class::Fault);
        assert_eq!(class(End::Panicked { message: "" }, 200), Class::Fault);
        assert_eq!(Class::of(End::Canceled, None, None), Class::Good);
        for (number, expected) in
            [("0", Class::Good), ("5", Class::Error), ("8", Class::Throttle), ("13", Class::Fault)]
        {
            let headers = http::HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                number.parse().unwrap(),
            )]);
            let code = Code::read(&headers);
            assert_eq!(Class::of(complete, Some(StatusCode::OK), code), expected, "{number}");
        }
    }
}
