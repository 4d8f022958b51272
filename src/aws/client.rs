//! Signed requests.

#[cfg(feature = "cloudwatch")]
use std::time::SystemTime;
use std::{sync::Arc, time::Duration};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::{
    ClientError, CredentialsChain, Region, Service, ServiceError, below,
    cache::Cache,
    sign::{Signature, Unsigned},
    skew::Skew,
    variables::Variables,
};
use crate::{
    Error,
    transport::{Answer, HttpClient},
};

/// Posts to one service of AWS in one region, and signs what it posts. Clones share credentials and connections.
///
/// See [the module](super) for an example.
#[derive(Clone, Debug)]
pub struct Client {
    service: Service,
    region: Region,
    endpoint: Uri,
    timeout: Duration,
    http: HttpClient,
    credentials: Arc<Cache>,
    skew: Arc<Skew>,
}

/// How to reach a service. Made by [`Client::builder`].
#[derive(Clone, Debug)]
#[must_use = "call `.build()` to have a client"]
pub struct ClientBuilder {
    service: Service,
    region: Region,
    credentials: SharedCredentialsProvider,
    endpoint: Option<Uri>,
    timeout: Duration,
    http: Option<HttpClient>,
}

// ===== impl Client =====

impl Client {
    /// A service in a region, with credentials from any provider: a [`CredentialsChain`], one of the crate `aws-config`, or
    /// fixed [`Credentials`].
    pub fn builder(
        service: Service,
        region: Region,
        credentials: impl ProvideCredentials + 'static,
    ) -> ClientBuilder {
        let credentials = SharedCredentialsProvider::new(credentials);
        let timeout = Duration::from_secs(10);
        ClientBuilder { service, region, credentials, endpoint: None, timeout, http: None }
    }

    /// Everything by the variables of the environment, which are looked up by `lookup`: the [`Region`], the
    /// [`CredentialsChain`] and the [endpoint](ClientBuilder::lookup).
    ///
    /// # Errors
    ///
    /// When one has a value that cannot be used, or none says the region.
    pub fn lookup(service: Service, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let region = Region::lookup(&lookup)?;
        let region = region.ok_or_else(|| {
            let service = service.name();
            let advice = format!("set it or AWS_DEFAULT_REGION, as in eu-central-1, for AWS's {service}");
            Error::invalid("AWS_REGION", "", advice)
        })?;
        let credentials = CredentialsChain::lookup(&lookup)?;
        Self::builder(service, region, credentials).lookup(lookup)?.build()
    }

    /// Signs `body` and posts it to `path`, which begins with a slash; every one of `headers` is signed too.
    ///
    /// Where the service says that the signature's time is wrong, its own time is taken from the answer for this and all
    /// later requests; where it does not take the credentials, the provider is asked for others. If either is news, the
    /// request is sent once more; nothing else is sent twice.
    ///
    /// # Errors
    ///
    /// When there were no credentials or no answer was had; see [`ClientError`]. An answer with a bad status is none.
    pub async fn post(&self, path: &str, headers: &HeaderMap, body: Bytes) -> Result<Answer, ClientError> {
        let credentials = self.credentials().await?;
        let answer = self.send(&credentials, path, headers, &body).await?;
        if !self.is_remedied(&answer, &credentials).await {
            return Ok(answer);
        }
        self.send(&self.credentials().await?, path, headers, &body).await
    }

    /// Where it posts to.
    pub fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    /// The region that it signs for.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The service's time, as far as its answers have told it.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn now(&self) -> SystemTime {
        self.skew.now()
    }

    /// How many seconds that is ahead of the own clock.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn ahead(&self) -> i64 {
        self.skew.seconds()
    }

    async fn credentials(&self) -> Result<Credentials, ClientError> {
        self.credentials.credentials().await.map_err(ClientError::credentials)
    }

    async fn send(
        &self,
        credentials: &Credentials,
        path: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, ClientError> {
        let Self { service, region, endpoint, timeout, http, skew, .. } = self;
        let uri = below(endpoint, path).map_err(|error| ClientError::signature(error.into()))?;
        let request = Unsigned { method: &Method::POST, uri: &uri, headers, body };
        let signature = Signature { service: service.name(), region, credentials, time: skew.now() };
        let headers = signature.sign(request).map_err(ClientError::signature)?;
        http.post(&uri, &headers, body.clone(), *timeout).await.map_err(ClientError::http)
    }

    /// Whether what the service found wrong is better now.
    async fn is_remedied(&self, answer: &Answer, used: &Credentials) -> bool {
        let Some(error) = ServiceError::of(answer) else { return false };
        if error.is_about_time() && self.skew.learn(&answer.headers) {
            return true;
        }
        error.is_about_keys() && self.credentials.replace(used).await
    }
}

// ===== impl ClientBuilder =====

impl ClientBuilder {
    /// Reads `AWS_ENDPOINT_URL_<SERVICE>`, or else `AWS_ENDPOINT_URL`, by way of `lookup`. Empty is not set, and with
    /// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true` neither counts.
    ///
    /// # Errors
    ///
    /// When the one that counts is no URL; the message names it.
    pub fn lookup(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        self.endpoint = self.service.configured(Variables(&lookup))?.or(self.endpoint);
        Ok(self)
    }

    /// Where the service is, by a URL with a host: a proxy, a VPC endpoint, a double. Default: where AWS has it in the
    /// region.
    pub fn endpoint(mut self, uri: Uri) -> Self {
        self.endpoint = Some(uri);
        self
    }

    /// How long one request may take. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What connects. Default: an [`HttpClient`] that reads 1 MiB of an answer.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = Some(http);
        self
    }

    /// Makes the client. It asks for credentials and connects when it is first used.
    ///
    /// # Errors
    ///
    /// When the endpoint has no host, or the process cannot do TLS.
    pub fn build(self) -> Result<Client, Error> {
        let Self { service, region, credentials, endpoint, timeout, http } = self;
        let endpoint = endpoint.unwrap_or_else(|| service.endpoint(&region));
        if endpoint.host().is_none() {
            let advice = "give a whole URL, such as http://localhost:4566";
            return Err(Error::invalid("endpoint", &endpoint.to_string(), advice));
        }
        let http = http.map_or_else(|| HttpClient::builder().answer_bytes(ANSWER_BYTES).build(), Ok)?;
        let (credentials, skew) = (Arc::new(Cache::new(credentials)), Arc::default());
        Ok(Client { service, region, endpoint, timeout, http, credentials, skew })
    }
}

/// A page of sampling rules may pass the client's own 64 KiB.
const ANSWER_BYTES: usize = 1024 * 1024;
