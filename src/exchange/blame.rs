use std::{any::type_name, error::Error};

/// What may be told as the reason of a failure: an error, one in a box, one of anyhow's or eyre's, or a text.
///
/// The marker `M` tells them apart and is always inferred.
pub trait Blame<M> {
    /// It, as backends see it.
    fn blamed(&self) -> Blamed<'_>;
}

/// The reason of a failure.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Blamed<'a> {
    /// An error, with all that caused it.
    Error {
        /// The error.
        error: &'a (dyn Error + 'static),
        /// Its type; none of an error in a box.
        type_name: Option<&'static str>,
    },
    /// A text.
    Text(&'a str),
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
    fn blamed(&self) -> Blamed<'_> {
        Blamed::Error { error: self, type_name: Some(type_name::<E>()) }
    }
}

/// A box of any error, `anyhow::Error` and `eyre::Report` among them.
impl<E: AsRef<dyn Error + Send + Sync + 'static>> Blame<OfBox> for E {
    fn blamed(&self) -> Blamed<'_> {
        Blamed::Error { error: self.as_ref(), type_name: None }
    }
}

impl Blame<OfText> for str {
    fn blamed(&self) -> Blamed<'_> {
        Blamed::Text(self)
    }
}

impl Blame<OfText> for &str {
    fn blamed(&self) -> Blamed<'_> {
        Blamed::Text(self)
    }
}

impl Blame<OfText> for String {
    fn blamed(&self) -> Blamed<'_> {
        Blamed::Text(self)
    }
}
