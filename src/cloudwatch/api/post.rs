use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{action::Action, body::Body};
use crate::{
    aws::{Client, ClientError},
    transport::Answer,
};

/// What posts to CloudWatch Logs, and knows its time.
pub(in crate::cloudwatch) trait Post: Send + Sync + 'static {
    fn post(&self, action: Action, body: Body) -> impl Future<Output = Result<Answer, ClientError>> + Send;

    /// The service's time.
    fn now(&self) -> SystemTime;

    /// How many seconds that is ahead of the own clock.
    fn ahead(&self) -> i64;
}

// ===== impl Client =====

impl Post for Client {
    async fn post(&self, action: Action, body: Body) -> Result<Answer, ClientError> {
        let Body { bytes, is_compressed } = body;
        Self::post(self, "/", &headers(action, is_compressed), bytes).await
    }

    fn now(&self) -> SystemTime {
        Self::now(self)
    }

    fn ahead(&self) -> i64 {
        Self::ahead(self)
    }
}

fn headers(action: Action, is_compressed: bool) -> HeaderMap {
    let encoding = is_compressed.then(|| (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    let headers = [(header::CONTENT_TYPE, JSON), (TARGET, action.target())];
    headers.into_iter().chain(encoding).collect()
}

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
