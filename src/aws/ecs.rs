use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Uri};

use super::{below, service::url, variables::Variables};
use crate::{Error, transport::HttpClient};

/// The [task metadata endpoint](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html)
/// of a container.
#[derive(Clone, Debug)]
pub(crate) struct EcsMetadata {
    uri: Uri,
    http: HttpClient,
}

// ===== impl EcsMetadata =====

impl EcsMetadata {
    /// By `ECS_CONTAINER_METADATA_URI_V4`, or else `ECS_CONTAINER_METADATA_URI`; `None` where neither is set.
    pub(crate) fn new(variables: Variables<'_>) -> Result<Option<Self>, Error> {
        let set = VARIABLES.iter().find_map(|name| variables.text(name).map(|text| (name, text)));
        let Some((name, text)) = set else { return Ok(None) };
        let http = HttpClient::builder().connect_timeout(LIMIT).build()?;
        Ok(Some(Self { uri: url(name, &text)?, http }))
    }

    /// What it tells as JSON: of the container by an empty path, of its task by `/task`.
    pub(crate) async fn get(&self, path: &str) -> Option<Bytes> {
        let uri = if path.is_empty() { self.uri.clone() } else { below(&self.uri, path).ok()? };
        let answer = self.http.get(&uri, &HeaderMap::new(), LIMIT).await.ok()?;
        answer.status.is_success().then_some(answer.body)
    }
}

const VARIABLES: [&str; 2] = ["ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI"];
const LIMIT: Duration = Duration::from_secs(2);
