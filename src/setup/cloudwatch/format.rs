use super::env::Env;
use crate::{Error, cloudwatch::Format};

/// How an access record is written, by `BELVEDERE_CLOUDWATCH_FORMAT`.
///
/// # Errors
///
/// When it is neither word.
pub(super) fn format(env: &Env) -> Result<Format, Error> {
    let Some(text) = env.text(FORMAT) else { return Ok(Format::json()) };
    match text.to_ascii_lowercase().as_str() {
        "json" => Ok(Format::json()),
        "text" => Ok(Format::text()),
        _ => Err(Error::invalid(FORMAT, &text, "write json or text")),
    }
}

pub(super) const FORMAT: &str = "BELVEDERE_CLOUDWATCH_FORMAT";
