use crate::error::Error;

/// The codes of all that is wrong with what was sent.
#[derive(Debug, Default)]
pub(crate) struct Codes(Vec<&'static str>);

// ===== impl Codes =====

impl Codes {
    pub(crate) fn check(mut self, wrong: bool, code: &'static str) -> Self {
        if wrong {
            self.0.push(code);
        }
        self
    }

    /// A text that has to be there and may have so many characters.
    pub(crate) fn message(self, text: &str, most: usize) -> Self {
        self.check(is_blank(text), "message_blank")
            .check(text.chars().count() > most, "message_exceed_max_chars")
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
