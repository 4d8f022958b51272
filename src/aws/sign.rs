//! Signature Version 4.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use ring::digest::{SHA256, digest};

use super::Region;

/// A request that is to be signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    /// All of them are signed.
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// What it is signed with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a Region,
    pub(super) credentials: &'a Credentials,
    pub(super) time: SystemTime,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

// ===== impl Signature =====

impl Signature<'_> {
    /// The headers of the request, signed. Those that are secrets are marked as such.
    pub(super) fn sign(self, request: Unsigned<'_>) -> Result<HeaderMap, Source> {
        let Self { service, region, credentials, time } = self;
        let identity = credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region.as_str())
            .name(service)
            .time(time)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let (signed, _) = sign(request.signable()?, &params)?.into_parts();
        let mut headers = request.headers.clone();
        // Not `apply_to_request_http1x`, which panics where a key cannot be a header's value.
        for header in signed.into_parts().0 {
            let mut value = HeaderValue::from_str(header.value())?;
            value.set_sensitive(header.name() != "x-amz-date");
            headers.insert(HeaderName::from_static(header.name()), value);
        }
        Ok(headers)
    }
}

// ===== impl Unsigned =====

impl<'a> Unsigned<'a> {
    fn signable(self) -> Result<SignableRequest<'a>, Source> {
        let Self { method, uri, headers, body } = self;
        let mut texts = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            texts.push((name.as_str(), value.to_str()?));
        }
        let body = SignableBody::Precomputed(hash(body));
        Ok(SignableRequest::new(method.as_str(), uri.to_string(), texts.into_iter(), body)?)
    }
}

/// By what encrypts anyway. Where a processor has no instructions for it, that is faster than what `aws-sigv4` has.
fn hash(body: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    digest(&SHA256, body).as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// 2015-08-30 12:36:00 UTC, the time of AWS's examples.
    const TIME: Duration = Duration::from_secs(1_440_938_160);

    /// The [example](https://docs.aws.amazon.com/general/latest/gr/sigv4-create-canonical-request.html) of the AWS
    /// General Reference.
    #[test]
    fn the_example_of_the_reference_has_its_signature() {
        let uri = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        assert_eq!(
            authorization("iam", &Method::GET, uri, &headers, "", None),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    /// Three of AWS's Signature Version 4 test suite.
    #[test]
    fn the_cases_of_the_test_suite_have_their_signatures() {
        let uri = "https://example.amazonaws.com/";
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo\
                     IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5V\
                     SXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yj\
                     c8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        for (method, headers, body, token, expected) in [
            (
                Method::GET,
                &[][..],
                "",
                None,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (Method::POST, &[], "", None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                Method::POST,
                &form,
                "Param1=value1",
                None,
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                Method::POST,
                &[],
                "",
                Some(token),
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let signed = authorization("service", &method, uri, headers, body, token);
            assert!(signed.ends_with(&format!("Signature={expected}")), "{method} {body}: {signed}");
        }
    }

    #[test]
    fn what_is_secret_is_marked_and_what_cannot_be_sent_is_an_error() {
        let (uri, headers) = (Uri::from_static("https://example.amazonaws.com/"), HeaderMap::new());
        let request = Unsigned { method: &Method::POST, uri: &uri, headers: &headers, body: b"" };
        let region = "us-east-1".parse().unwrap();
        let sign = |id: &str, token: &str| {
            let credentials = Credentials::new(id, "secret", Some(token.to_owned()), None, "test");
            let time = UNIX_EPOCH + TIME;
            Signature { service: "xray", region: &region, credentials: &credentials, time }.sign(request)
        };
        let signed = sign("AKIDEXAMPLE", "t0ken").unwrap();
        assert!(signed["authorization"].is_sensitive() && signed["x-amz-security-token"].is_sensitive());
        assert!(!format!("{signed:?}").contains("t0ken"));
        for (id, token) in [("AKID\nEXAMPLE", "t0ken"), ("AKIDEXAMPLE", "t0\nken")] {
            let error = sign(id, token).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("ken"), "{error:?}");
        }
    }

    fn authorization(
        service: &str,
        method: &Method,
        uri: &'static str,
        headers: &[(&'static str, &'static str)],
        body: &str,
        token: Option<&str>,
    ) -> String {
        let uri = Uri::from_static(uri);
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers = headers.iter().map(pair).collect();
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test");
        let region = "us-east-1".parse().unwrap();
        let signature =
            Signature { service, region: &region, credentials: &credentials, time: UNIX_EPOCH + TIME };
        let request = Unsigned { method, uri: &uri, headers: &headers, body: body.as_bytes() };
        signature.sign(request).unwrap()["authorization"].to_str().unwrap().to_owned()
    }
}
