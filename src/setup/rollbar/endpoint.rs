use http::Uri;

use super::env::Env;
use crate::Error;

/// The whole URL of items, if the environment says it.
///
/// # Errors
///
/// When it is no URL, or has a user and a password in it.
pub(super) fn endpoint(env: &Env) -> Result<Option<Uri>, Error> {
    let Some(text) = env.text(ENDPOINT) else { return Ok(None) };
    let uri = parse(ENDPOINT, &text)?;
    if !uri.path().trim_end_matches('/').ends_with("/item") {
        env.note(format!(
            "{ENDPOINT} does not end in /item/: it is used as it is, and must be the whole URL of items"
        ));
    }
    Ok(Some(uri))
}

/// # Errors
///
/// When it is no URL, or has a user and a password in it. The message names `name`, and shows neither those nor a query.
pub(super) fn parse(name: &str, text: &str) -> Result<Uri, Error> {
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let shown = if text.contains('@') { "a URL with credentials" } else { path };
    let usable = |uri: &Uri| {
        let has_credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")) && !has_credentials
    };
    text.parse().ok().filter(usable).ok_or_else(|| Error::invalid(name, shown, ADVICE))
}

pub(super) const ENDPOINT: &str = "ROLLBAR_ENDPOINT";
const ADVICE: &str = "give the whole URL of items, such as https://api.rollbar.com/api/1/item/";
