use std::fmt;

use http::{HeaderMap, HeaderName, StatusCode};
#[cfg(any(feature = "cloudwatch", feature = "rollbar"))]
use percent_encoding::percent_decode;

use super::{Failure, Fault};

/// The status of a gRPC call, <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Code(u8);

// ===== impl Code =====

impl Code {
    /// The call went well.
    pub const OK: Self = Self(0);
    /// The caller gave up.
    pub const CANCELLED: Self = Self(1);
    /// Nobody said why.
    pub const UNKNOWN: Self = Self(2);
    /// The caller's deadline passed.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// The method does not exist here.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// The service broke.
    pub const INTERNAL: Self = Self(13);
    /// The service could not be reached.
    pub const UNAVAILABLE: Self = Self(14);

    /// The status of a finished call: from the trailers when all is well, from the head for an answer of trailers alone,
    /// else by the [mapping from HTTP](https://grpc.github.io/grpc/core/md_doc_http-grpc-status-mapping.html).
    pub fn of(status: StatusCode, head: Option<Self>, trailers: Option<&HeaderMap>) -> Self {
        trailers.and_then(Self::read).or(head).unwrap_or_else(|| Self::mapped(status))
    }

    /// The status of a call that got no answer, or not all of it, as a client sees it:
    /// [`DEADLINE_EXCEEDED`](Self::DEADLINE_EXCEEDED) when its time was over, [`UNAVAILABLE`](Self::UNAVAILABLE) when
    /// the network failed in another way; where a rule of HTTP was broken what HTTP/2 says of the reset, as it is when a
    /// handler panics; else [`UNKNOWN`](Self::UNKNOWN).
    pub fn unanswered(error: Failure<'_>) -> Self {
        match error.fault() {
            Some(Fault::Timeout) => Self::DEADLINE_EXCEEDED,
            Some(Fault::Protocol) | None => error.reset().unwrap_or(Self::UNKNOWN),
            Some(_) => Self::UNAVAILABLE,
        }
    }

    /// By the name of an error code of HTTP/2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors>.
    pub(super) fn of_reset(name: &str) -> Option<Self> {
        match name {
            "NO_ERROR" | "PROTOCOL_ERROR" | "INTERNAL_ERROR" | "FLOW_CONTROL_ERROR" | "SETTINGS_TIMEOUT"
            | "FRAME_SIZE_ERROR" | "COMPRESSION_ERROR" | "CONNECT_ERROR" => Some(Self::INTERNAL),
            "REFUSED_STREAM" => Some(Self::UNAVAILABLE),
            "CANCEL" => Some(Self::CANCELLED),
            "ENHANCE_YOUR_CALM" => Some(Self(8)),
            "INADEQUATE_SECURITY" => Some(Self(7)),
            _ => None,
        }
    }

    /// The `grpc-status` among these headers or trailers. A number that is no code reads as [`UNKNOWN`](Self::UNKNOWN).
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(&GRPC_STATUS)?.to_str().ok()?;
        Some(value.parse().ok().filter(|code| usize::from(*code) < NAMES.len()).map_or(Self::UNKNOWN, Self))
    }

    /// What these headers or trailers say about it, in words:
    /// [`grpc-message`](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses).
    #[cfg(any(feature = "cloudwatch", feature = "rollbar"))]
    pub(crate) fn message(headers: &HeaderMap) -> Option<String> {
        let message = percent_decode(headers.get(&GRPC_MESSAGE)?.as_bytes());
        Some(message.decode_utf8_lossy().into_owned())
    }

    /// The code's number, 0 to 16.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The code's name, as the conventions spell it: `OK`, `DEADLINE_EXCEEDED`.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// Whether a server counts the code as its own failure.
    ///
    /// By the [conventions](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/): `UNKNOWN`, `DEADLINE_EXCEEDED`,
    /// `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`.
    pub fn is_server_error(self) -> bool {
        matches!(self.0, 2 | 4 | 12 | 13 | 14 | 15)
    }

    /// Whether a client counts the code as a failure: all but `OK`.
    pub fn is_client_error(self) -> bool {
        self != Self::OK
    }

    fn mapped(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::INTERNAL,
            401 => Self(16),
            403 => Self(7),
            404 => Self::UNIMPLEMENTED,
            429 | 502 | 503 | 504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
#[cfg(any(feature = "cloudwatch", feature = "rollbar"))]
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(status: &'static str) -> HeaderMap {
        HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())])
    }

    #[test]
    fn trailers_decide_before_the_head() {
        let head = Code::read(&headers("0"));
        assert_eq!(Code::of(StatusCode::OK, head, Some(&headers("5"))).name(), "NOT_FOUND");
    }

    #[test]
    fn an_answer_of_trailers_alone_is_read_from_the_head() {
        let head = Code::read(&headers("16"));
        assert_eq!(Code::of(StatusCode::OK, head, None).name(), "UNAUTHENTICATED");
    }

    #[test]
    fn an_answer_without_a_status_is_unknown_and_never_ok() {
        assert_eq!(Code::of(StatusCode::OK, None, None), Code::UNKNOWN);
        assert_eq!(Code::of(StatusCode::OK, None, Some(&HeaderMap::new())), Code::UNKNOWN);
        assert_eq!(Code::of(StatusCode::SERVICE_UNAVAILABLE, None, None).name(), "UNAVAILABLE");
    }

    #[test]
    fn a_status_that_is_no_code_is_unknown() {
        for status in ["17", "-1", "256", "x", ""] {
            assert_eq!(Code::read(&headers(status)), Some(Code::UNKNOWN), "{status}");
        }
    }
}
