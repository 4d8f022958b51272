use http::HeaderValue;

/// What is asked of CloudWatch Logs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cloudwatch) enum Action {
    PutLogEvents,
    CreateLogStream,
    CreateLogGroup,
    PutRetentionPolicy,
}

// ===== impl Action =====

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PutLogEvents => "PutLogEvents",
            Self::CreateLogStream => "CreateLogStream",
            Self::CreateLogGroup => "CreateLogGroup",
            Self::PutRetentionPolicy => "PutRetentionPolicy",
        }
    }

    /// The `x-amz-target` of its requests.
    pub(super) fn target(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::PutLogEvents => "Logs_20140328.PutLogEvents",
            Self::CreateLogStream => "Logs_20140328.CreateLogStream",
            Self::CreateLogGroup => "Logs_20140328.CreateLogGroup",
            Self::PutRetentionPolicy => "Logs_20140328.PutRetentionPolicy",
        })
    }
}
