//! Whether a call was signed by who it says, for `logs`, now.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use http::{HeaderMap, request};
use time::{PrimitiveDateTime, format_description::FormatItem, macros::format_description};

use super::rules::{Refusal, Ruling, refused};

/// The time that it was signed at must be within five minutes of `now`.
pub(super) fn check(
    head: &request::Parts,
    body: &[u8],
    keys: &Credentials,
    region: &str,
    now: SystemTime,
) -> Ruling<()> {
    let header = |name: &str| text(&head.headers, name);
    let authorization = header("authorization")
        .ok_or_else(|| refused("MissingAuthenticationTokenException", "Missing Authentication Token"))?;
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(incomplete)?;
    let part = |name: &str| {
        let found = parts.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(incomplete)
    };
    let scope: Vec<_> = part("Credential")?.split('/').collect();
    let [key, date, of, service, "aws4_request"] = scope[..] else { return Err(incomplete()) };
    if key != keys.access_key_id() || header("x-amz-security-token") != keys.session_token() {
        let message = "The security token included in the request is invalid.";
        return Err(refused("UnrecognizedClientException", message));
    }
    if (of, service) != (region, "logs") {
        let message = format!("Credential should be scoped to a valid region and service: {of} {service}");
        return Err(refused("InvalidSignatureException", message));
    }
    let signed_at = header("x-amz-date").ok_or_else(incomplete)?;
    let time = PrimitiveDateTime::parse(signed_at, DATE).map_err(|_| incomplete())?.assume_utc();
    let time = SystemTime::from(time);
    let apart = now.duration_since(time).unwrap_or_else(|error| error.duration());
    if apart > Duration::from_secs(300) {
        let message = "The difference between the request time and the current time is too large.";
        return Err(refused("RequestTimeTooSkewed", message));
    }
    let signed: Vec<_> = part("SignedHeaders")?.split(';').collect();
    let expected = signature(head, body, &signed, keys, region, time);
    if !signed_at.starts_with(date) || part("Signature")? != expected {
        let message = "The request signature we calculated does not match the signature you provided.";
        return Err(refused("InvalidSignatureException", message));
    }
    Ok(())
}

fn signature(
    head: &request::Parts,
    body: &[u8],
    signed: &[&str],
    keys: &Credentials,
    region: &str,
    time: SystemTime,
) -> String {
    // These the signer adds by itself.
    let own = ["host", "x-amz-date", "x-amz-security-token"];
    let others = signed.iter().filter(|name| !own.contains(*name));
    let headers = others.map(|name| (*name, text(&head.headers, name).unwrap_or_default()));
    let uri = format!("http://{}{}", text(&head.headers, "host").unwrap_or_default(), head.uri);
    let identity = keys.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("logs")
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let request =
        SignableRequest::new(head.method.as_str(), uri, headers, SignableBody::Bytes(body)).unwrap();
    sign(request, &params).unwrap().into_parts().1
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn incomplete() -> Refusal {
    refused("IncompleteSignatureException", "The request signature does not conform to AWS standards.")
}

const DATE: &[FormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
