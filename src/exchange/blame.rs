use std::{any::type_name, error::Error};

/// What may be told as the reason of a failure: an error of a known type or of any, one in a box, one of anyhow's or eyre's, or a
/// text.
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

macro_rules! unsized_errors {
    ($($error:ty),+) => {$(
        impl Blame<OfBox> for $error {
            fn blamed(&self) -> Blamed<'_> {
                Blamed::Error { error: self, type_name: None }
            }
        }
    )+};
}

unsized_errors!(dyn Error, dyn Error + Send, dyn Error + Send + Sync);

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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn is_blamed<M>(blame: &(impl Blame<M> + ?Sized)) -> String {
        match blame.blamed() {
            Blamed::Error { error, type_name } => format!("{error} {}", type_name.unwrap_or_default()),
            Blamed::Text(text) => text.to_owned(),
        }
    }

    #[test]
    fn errors_of_known_and_of_unknown_types_boxes_and_texts_are_reasons() {
        let error = io::Error::other("x");
        let sent: Box<dyn Error + Send + Sync> = "x".into();
        let kept: Box<dyn Error> = "x".into();
        assert_eq!(is_blamed(&error), "x std::io::error::Error");
        assert_eq!(is_blamed(&error as &dyn Error), "x ");
        assert_eq!(
            (is_blamed(&sent), is_blamed(&*sent), is_blamed(&*kept)),
            ("x ".into(), "x ".into(), "x ".into())
        );
        assert_eq!(is_blamed(&anyhow::anyhow!("x")), "x ");
        assert_eq!(
            (is_blamed("x"), is_blamed(&"x"), is_blamed(&"x".to_owned())),
            ("x".into(), "x".into(), "x".into())
        );
    }
}
