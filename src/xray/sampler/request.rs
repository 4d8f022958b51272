use http::{Uri, header, request};

/// What sampling rules ask of a request, borrowed from it.
///
/// What is not known matches every rule, as in AWS's own SDKs.
///
/// ```
/// use belvedere::xray::sampler::Request;
///
/// let (parts, _) = http::Request::get("https://shop.example:8443/carts/7?token=secret").body(())?.into_parts();
/// let request = Request::of(&parts).service("backend");
/// assert_eq!(request, Request::default().service("backend").host("shop.example:8443").method("GET").path("/carts/7"));
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Request<'a> {
    pub(super) service: Option<&'a str>,
    pub(super) service_type: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
}

// ===== impl Request =====

impl<'a> Request<'a> {
    /// The host with its port, as the client wrote it, the method, and the path without the query.
    pub fn of(request: &'a request::Parts) -> Self {
        Self {
            host: host(request),
            method: Some(request.method.as_str()),
            path: Some(request.uri.path()),
            ..Self::default()
        }
    }

    /// The name of the service, which is the segment's.
    #[must_use]
    pub fn service(self, service: &'a str) -> Self {
        Self { service: Some(service), ..self }
    }

    /// What the service runs on, which is the segment's origin: `AWS::ECS::Container`.
    #[must_use]
    pub fn service_type(self, service_type: &'a str) -> Self {
        Self { service_type: Some(service_type), ..self }
    }

    /// The header `Host`, with its port.
    #[must_use]
    pub fn host(self, host: &'a str) -> Self {
        Self { host: Some(host), ..self }
    }

    /// The method: `GET`.
    #[must_use]
    pub fn method(self, method: &'a str) -> Self {
        Self { method: Some(method), ..self }
    }

    /// The path of the URL, without the query.
    #[must_use]
    pub fn path(self, path: &'a str) -> Self {
        Self { path: Some(path), ..self }
    }
}

fn host(request: &request::Parts) -> Option<&str> {
    let written = authority(&request.uri).or_else(|| request.headers.get(header::HOST)?.to_str().ok())?;
    Some(written.rsplit_once('@').map_or(written, |(_user, host)| host))
}

fn authority(uri: &Uri) -> Option<&str> {
    uri.authority().map(http::uri::Authority::as_str)
}
