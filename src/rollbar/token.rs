use std::{fmt, str::FromStr};

use http::HeaderValue;

use crate::Error;

/// An access token of a project, with the scope `post_server_item`. It is never shown.
///
/// ```
/// use belvedere::rollbar::Token;
///
/// let token: Token = "0123456789abcdef0123456789abcdef".parse()?;
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// # Ok::<(), belvedere::Error>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Token(HeaderValue);

// ===== impl Token =====

impl Token {
    /// As the header of a request.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// A text without the token, should somebody have repeated it.
    pub(super) fn redact(&self, text: &str) -> String {
        let token = self.0.to_str().unwrap_or_default();
        text.replace(token, "...")
    }
}

/// Space around it is not a part of it.
///
/// # Errors
///
/// When nothing is there, something that a header cannot hold, or a URL.
impl FromStr for Token {
    type Err = Error;

    fn from_str(token: &str) -> Result<Self, Error> {
        let token = token.trim();
        let is_word = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        // As others' keys are, or where the endpoint should be: it would be refused only when something fails.
        let is_word = is_word && !token.contains("://");
        let header = is_word.then(|| HeaderValue::from_str(token).ok()).flatten();
        // What it was may be a token with a blank in it.
        let mut header = header.ok_or_else(|| {
            let value = if token.is_empty() { "" } else { "..." };
            Error::invalid(
                "Rollbar's access token",
                value,
                "give a project's token that may post_server_item",
            )
        })?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_word_and_no_error_shows_it() {
        let token: Token = " canary\n".parse().unwrap();
        assert_eq!(token.header(), "canary");
        assert_eq!(token.redact("unknown token canary."), "unknown token ....");
        assert!(!format!("{token:?} {:?}", token.header()).contains("canary"));
        for bad in ["", "  ", "can ary", "canary\0", "canäry", "https://rollbar.com/canary"] {
            let error = bad.parse::<Token>().unwrap_err().to_string();
            assert!(!error.contains("can"), "{error}");
        }
    }
}
