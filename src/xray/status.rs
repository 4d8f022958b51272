use std::ops::{BitOr, BitOrAssign};

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::exchange::{Code, End};

/// What went wrong, as X-Ray colors it: nothing, an error of the caller, a throttled call, a fault of the service.
///
/// Several may be true; `|` joins them. See [the guide], and for gRPC what AWS's SDK for Go does.
///
/// ```
/// use belvedere::xray::Status;
/// use http::StatusCode;
///
/// assert_eq!(Status::http(StatusCode::TOO_MANY_REQUESTS), Status::ERROR | Status::THROTTLE);
/// assert_eq!(Status::http(StatusCode::FOUND), Status::OK);
/// ```
///
/// [the guide]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Status {
    /// The caller's error: 4xx.
    pub error: bool,
    /// The call was throttled: 429.
    pub throttle: bool,
    /// The service's fault: 5xx, an exception, a panic.
    pub fault: bool,
}

// ===== impl Status =====

impl Status {
    /// Nothing went wrong.
    pub const OK: Self = Self { error: false, throttle: false, fault: false };
    /// The caller's error.
    pub const ERROR: Self = Self { error: true, ..Self::OK };
    /// The call was throttled.
    pub const THROTTLE: Self = Self { throttle: true, ..Self::OK };
    /// The service's fault.
    pub const FAULT: Self = Self { fault: true, ..Self::OK };

    /// By the status of an answer: 4xx is an error, 429 a throttled one, 5xx a fault.
    pub fn http(status: StatusCode) -> Self {
        match status.as_u16() {
            429 => Self::ERROR | Self::THROTTLE,
            400..=499 => Self::ERROR,
            500..=599 => Self::FAULT,
            _ => Self::OK,
        }
    }

    /// By the code of a gRPC call: those that a server counts as its own failure are faults, `RESOURCE_EXHAUSTED` is a
    /// throttled call, all others but `OK` are errors.
    pub fn grpc(code: Code) -> Self {
        match code.number() {
            0 => Self::OK,
            8 => Self::THROTTLE,
            _ if code.is_server_error() => Self::FAULT,
            _ => Self::ERROR,
        }
    }

    /// By how an exchange ended: a failure or a panic is a fault, a caller that left is an error.
    pub fn end(end: End<'_>) -> Self {
        match end {
            End::Complete { .. } => Self::OK,
            End::Canceled => Self::ERROR,
            End::Failed { .. } | End::Panicked { .. } => Self::FAULT,
        }
    }
}

impl BitOr for Status {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            error: self.error || other.error,
            throttle: self.throttle || other.throttle,
            fault: self.fault || other.fault,
        }
    }
}

impl BitOrAssign for Status {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::exchange::Failure;

    #[test]
    fn the_status_of_an_answer_sets_the_flags() {
        let flags = |status| Status::http(StatusCode::from_u16(status).unwrap());
        for (status, expected) in [
            (101, Status::OK),
            (200, Status::OK),
            (399, Status::OK),
            (400, Status::ERROR),
            (429, Status::ERROR | Status::THROTTLE),
            (499, Status::ERROR),
            (500, Status::FAULT),
            (599, Status::FAULT),
            (600, Status::OK),
        ] {
            assert_eq!(flags(status), expected, "{status}");
        }
    }

    #[test]
    fn the_code_of_a_call_sets_the_flags_as_the_sdk_for_go_does() {
        for (code, expected) in (0..17).zip([
            Status::OK,       // OK
            Status::ERROR,    // CANCELLED
            Status::FAULT,    // UNKNOWN
            Status::ERROR,    // INVALID_ARGUMENT
            Status::FAULT,    // DEADLINE_EXCEEDED
            Status::ERROR,    // NOT_FOUND
            Status::ERROR,    // ALREADY_EXISTS
            Status::ERROR,    // PERMISSION_DENIED
            Status::THROTTLE, // RESOURCE_EXHAUSTED
            Status::ERROR,    // FAILED_PRECONDITION
            Status::ERROR,    // ABORTED
            Status::ERROR,    // OUT_OF_RANGE
            Status::FAULT,    // UNIMPLEMENTED
            Status::FAULT,    // INTERNAL
            Status::FAULT,    // UNAVAILABLE
            Status::FAULT,    // DATA_LOSS
            Status::ERROR,    // UNAUTHENTICATED
        ]) {
            let headers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.into())]);
            assert_eq!(Status::grpc(Code::read(&headers).unwrap()), expected, "{code}");
        }
    }

    #[test]
    fn panics_and_failures_are_faults_and_a_caller_that_left_is_an_error() {
        let error = std::io::Error::other("gone");
        assert_eq!(Status::end(End::Complete { trailers: None }), Status::OK);
        assert_eq!(Status::end(End::Canceled), Status::ERROR);
        assert_eq!(Status::end(End::Panicked { message: "" }), Status::FAULT);
        assert_eq!(Status::end(End::Failed { error: Failure::new(&error) }), Status::FAULT);
    }
}
