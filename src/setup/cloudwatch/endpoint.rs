use aws_credential_types::Credentials;

use super::env::Env;
use crate::{
    Error,
    aws::{Client, Region, Service, url},
    cloudwatch::GroupName,
};

/// What posts to a further endpoint: signed, because that is what is spoken there, with keys that are nobody's.
///
/// # Errors
///
/// When it is no URL, or the process cannot do TLS.
pub(super) fn client(env: &Env, endpoint: &str) -> Result<Client, Error> {
    let region = Region::lookup(env.lookup())?.map_or_else(|| REGION.parse(), Ok)?;
    let credentials = Credentials::new(MADE_UP, MADE_UP, None, None, MADE_UP);
    let endpoint = url("an endpoint of CloudWatch Logs", endpoint)?;
    Client::builder(Service::LOGS, region, credentials).endpoint(endpoint).build()
}

/// A group where none is named: that of the service.
pub(super) fn group(service: &str) -> GroupName {
    let is_taken = |letter: char| letter.is_ascii_alphanumeric() || "_-/.#".contains(letter);
    let letters = service.chars().map(|letter| if is_taken(letter) { letter } else { '_' });
    let name: String = letters.take(LONGEST).collect();
    name.parse().unwrap_or_else(|_| MADE_UP.parse().expect("it is a name"))
}

const REGION: &str = "us-east-1";
const MADE_UP: &str = "local";
const LONGEST: usize = 512;
