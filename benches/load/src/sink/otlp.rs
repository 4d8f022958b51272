use anyhow::Result;
use bytes::Bytes;
use http::{Response, header, request::Parts};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

/// All was taken.
pub(super) fn answer(_: &Parts) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-protobuf"));
    response
}

pub(super) fn count(post: &Bytes) -> Result<usize> {
    let request = ExportTraceServiceRequest::decode(post.clone())?;
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    Ok(scopes.map(|scope| scope.spans.len()).sum())
}

/// Each span, with its resource and its scope.
pub(super) fn records(post: &Bytes) -> Result<Vec<Value>> {
    let request = ExportTraceServiceRequest::decode(post.clone())?;
    let mut records = Vec::new();
    for resource in request.resource_spans {
        for scope in resource.scope_spans {
            for span in scope.spans {
                records.push(json!({
                    "resource": resource.resource,
                    "resourceSchemaUrl": resource.schema_url,
                    "scope": scope.scope,
                    "scopeSchemaUrl": scope.schema_url,
                    "span": span,
                }));
            }
        }
    }
    Ok(records)
}
