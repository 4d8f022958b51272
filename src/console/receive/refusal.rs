//! Why a post was not taken, and how the sender is told.

use std::fmt;

use http::StatusCode;
use prost::Message;

use crate::console::receive::otlp::Encoding;
use crate::console::reply::{self, Reply};

#[derive(Clone, Debug)]
pub(super) enum Refusal {
    Broken(String),
    ContentEncoding(String),
    ContentType(String),
    Garbage(String),
    TooLarge,
    TooMany,
    TooSlow,
}

/// `google.rpc.Status`, the body of an OTLP error: <https://opentelemetry.io/docs/specs/otlp/#failures-1>.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

// ===== impl Refusal =====

impl Refusal {
    pub(super) fn reply(&self, encoding: Encoding) -> Reply {
        let (status, code) = self.status();
        let message = self.to_string();
        let body = match encoding {
            Encoding::Protobuf => Status { code, message }.encode_to_vec(),
            Encoding::Json => serde_json::json!({ "code": code, "message": message }).to_string().into(),
        };
        reply::full(status, encoding.content_type(), body)
    }

    /// The status of HTTP, and the code of gRPC: <https://grpc.io/docs/guides/status-codes/>.
    pub(super) fn status(&self) -> (StatusCode, i32) {
        match self {
            Self::Broken(_) | Self::Garbage(_) => (StatusCode::BAD_REQUEST, 3),
            Self::ContentEncoding(_) | Self::ContentType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 3),
            Self::TooLarge | Self::TooMany => (StatusCode::PAYLOAD_TOO_LARGE, 8),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, 4),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "the body broke off: {error}"),
            Self::ContentEncoding(given) => {
                write!(f, "content-encoding {given:?} is not read; use gzip or none")
            }
            Self::ContentType(given) => {
                write!(
                    f,
                    "content-type {given:?} is not read; use application/x-protobuf or application/json"
                )
            }
            Self::Garbage(error) => write!(f, "the body cannot be read: {error}"),
            Self::TooLarge => {
                f.write_str("the body is larger than 16 MiB as sent or 64 MiB unpacked; send less at once")
            }
            Self::TooMany => f.write_str("the body holds more than is read at once; send less at once"),
            Self::TooSlow => f.write_str("the body took longer than 20 seconds"),
        }
    }
}
