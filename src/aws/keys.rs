//! Credentials as AWS's endpoints hand them out.

use std::time::SystemTime;

use aws_credential_types::{Credentials, provider::error::CredentialsError};
use aws_smithy_types::{DateTime, date_time::Format};
use serde::Deserialize;

/// What the endpoints of containers and instances answer. It has no `Debug`: it is all secrets.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
    expiration: Option<String>,
    #[serde(alias = "code")]
    code: Option<String>,
}

/// The credentials in an answer, which are called by `provider`. No error shows a part of it.
pub(super) fn read(answer: &[u8], provider: &'static str) -> Result<Credentials, CredentialsError> {
    // The errors of the parser show what they stumbled over.
    let keys: Keys = serde_json::from_slice(answer).map_err(|_| wrong("not the JSON of credentials"))?;
    let Keys { access_key_id, secret_access_key, token, expiration, code } = keys;
    if let Some(code) = code.filter(|code| code != "Success") {
        return Err(CredentialsError::provider_error(format!("the endpoint answered {:?}", short(&code))));
    }
    let access_key_id = access_key_id.ok_or_else(|| wrong("no AccessKeyId in the answer"))?;
    let secret_access_key = secret_access_key.ok_or_else(|| wrong("no SecretAccessKey in the answer"))?;
    let expiry = expiration.map(|text| time(&text)).transpose()?;
    Ok(Credentials::new(access_key_id, secret_access_key, token, expiry, provider))
}

fn time(text: &str) -> Result<SystemTime, CredentialsError> {
    let time = DateTime::from_str(text, Format::DateTime).ok();
    time.and_then(|time| time.try_into().ok()).ok_or_else(|| wrong("the Expiration is not a time"))
}

fn wrong(what: &'static str) -> CredentialsError {
    CredentialsError::unhandled(what)
}

fn short(code: &str) -> String {
    code.chars().take(LONGEST_CODE).collect()
}

const LONGEST_CODE: usize = 64;

#[cfg(test)]
mod tests {
    use std::{error::Error as _, time::UNIX_EPOCH};

    use super::*;

    #[test]
    fn what_an_instance_answers_is_read() {
        let answer = br#"{"Code":"Success","LastUpdated":"2021-09-17T20:57:08Z","Type":"AWS-HMAC",
            "AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"secret","Token":"token","Expiration":"2021-09-18T03:31:56Z"}"#;
        let credentials = read(answer, "test").unwrap();
        assert_eq!(credentials.access_key_id(), "ASIAEXAMPLE");
        assert_eq!(credentials.secret_access_key(), "secret");
        assert_eq!(credentials.session_token(), Some("token"));
        let seconds = credentials.expiry().unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(seconds, 1_631_935_916);
    }

    #[test]
    fn what_never_expires_has_no_expiration() {
        let credentials = read(br#"{"AccessKeyId":"a","SecretAccessKey":"b"}"#, "test").unwrap();
        assert_eq!((credentials.expiry(), credentials.session_token()), (None, None));
    }

    #[test]
    fn what_is_wrong_is_said_without_a_secret() {
        for (answer, expected) in [
            ("s3cret", "not the JSON"),
            (r#"{"AccessKeyId":["s3cret"]}"#, "not the JSON"),
            (r#"{"SecretAccessKey":"s3cret"}"#, "no AccessKeyId"),
            (r#"{"AccessKeyId":"s3cret"}"#, "no SecretAccessKey"),
            (r#"{"AccessKeyId":"a","SecretAccessKey":"s3cret","Expiration":"s3cret"}"#, "not a time"),
            (r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"s3cret"}"#, "AssumeRoleUnauthorizedAccess"),
        ] {
            let error = read(answer.as_bytes(), "test").unwrap_err();
            let text = format!("{error:?} {error} {:?}", error.source());
            assert!(text.contains(expected) && !text.contains("s3cret"), "{answer}: {text}");
        }
    }
}
