//! Why a request was not taken.

use std::{error, time::Duration};

use http::StatusCode;

use crate::{
    aws::{ClientError, ServiceError, retry_after},
    outbox::Reason,
    transport::Answer,
};

/// Why a request was not taken, and what to do about it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Try it again, after a while.
    Retry(Option<Duration>, Reason),
    /// Nobody said what came of it. Try it again, too.
    Unanswered(Reason),
    /// The stream or its group is not there.
    Missing(Reason),
    /// It is there already, or about to be.
    Exists,
    /// Somebody has to allow it first.
    Denied(Reason),
    /// There is something in it that cannot be taken.
    Poison(Reason),
    /// It cannot be read: for what is in it, or for how it is encoded.
    Unreadable(Reason),
    /// It will never be taken.
    Reject(Reason),
}

// ===== impl Failure =====

impl Failure {
    /// What an answer says, unless it is a success.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let error = ServiceError::of(answer)?;
        let (code, status) = (error.code(), answer.status);
        let reason = Reason::new(code.to_owned()).detail(error.message());
        let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            || status.is_server_error()
            || TRANSIENT.contains(&code);
        if is_busy || error.is_throttling() || error.is_about_keys() || error.is_about_time() {
            return Some(Self::Retry(retry_after(&answer.headers), reason));
        }
        Some(match code {
            "ResourceNotFoundException" => Self::Missing(reason),
            "ResourceAlreadyExistsException" | "OperationAbortedException" => Self::Exists,
            "LimitExceededException" => Self::Denied(reason),
            _ if code.contains("AccessDenied") => Self::Denied(reason),
            _ if POISON.contains(&code) => Self::Poison(reason),
            _ if UNREADABLE.contains(&code) => Self::Unreadable(reason),
            _ => match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Denied(reason),
                StatusCode::PAYLOAD_TOO_LARGE => Self::Poison(reason),
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::Unreadable(reason),
                // What AWS says has a code: this is somebody in between.
                _ if code.starts_with("http ") => Self::Retry(retry_after(&answer.headers), reason),
                _ => Self::Reject(reason),
            },
        })
    }

    /// That there was no answer.
    pub(super) fn no_answer(error: &ClientError) -> Self {
        let reason = Reason::new(error.reason()).detail(chain(error));
        if error.is_http() {
            return Self::Unanswered(reason);
        }
        Self::Retry(None, if error.is_credentials() { reason.told() } else { reason })
    }
}

/// What an error and those beneath it say.
pub(super) fn chain(error: &dyn error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What AWS's SDKs try again, besides [throttling](ServiceError::is_throttling), and what AWS
/// [says](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/CommonErrors.html) of a request that broke off.
const TRANSIENT: [&str; 10] = [
    "EC2ThrottledException",
    "InternalError",
    "InternalFailure",
    "PriorRequestNotComplete",
    "RequestAbortedException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailableException",
];

/// What is said of a request that has something in it.
const POISON: [&str; 4] =
    ["InvalidParameterException", "InvalidRequestException", "ValidationError", "ValidationException"];

/// What is said of one that cannot be read; `http 400` says nothing.
const UNREADABLE: [&str; 3] = ["MalformedHttpRequestException", "SerializationException", "http 400"];
