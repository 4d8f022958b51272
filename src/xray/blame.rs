use std::error::Error;

use super::{Cause, Exception};

/// What may be told as the reason of a fault: an error, one in a box, one of anyhow's or eyre's, or a text.
///
/// The marker `M` tells them apart and is always inferred.
pub trait Blame<M> {
    /// It, and all that caused it.
    fn cause(&self) -> Cause;
}

/// Tells errors from boxes and texts. Only ever inferred.
#[derive(Debug)]
pub enum OfError {}

/// Tells boxes from errors and texts. Only ever inferred.
#[derive(Debug)]
pub enum OfBox {}

/// Tells texts from errors and boxes. Only ever inferred.
#[derive(Debug)]
pub enum OfText {}

// ===== impl Blame =====

impl<E: Error + 'static> Blame<OfError> for E {
    fn cause(&self) -> Cause {
        Cause::error(self)
    }
}

/// A box of any error, `anyhow::Error` and `eyre::Report` among them.
impl<E: AsRef<dyn Error + Send + Sync + 'static>> Blame<OfBox> for E {
    fn cause(&self) -> Cause {
        Cause::error(self.as_ref())
    }
}

impl Blame<OfText> for str {
    fn cause(&self) -> Cause {
        Exception::new(ERROR, self.to_owned()).into()
    }
}

impl Blame<OfText> for &str {
    fn cause(&self) -> Cause {
        (**self).cause()
    }
}

impl Blame<OfText> for String {
    fn cause(&self) -> Cause {
        self.as_str().cause()
    }
}

const ERROR: &str = "Error";
