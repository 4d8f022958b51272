use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use super::class;
use crate::{
    exchange::{Blamed, HandlerError, said},
    scrub::beginning,
};

/// One error of a chain: what it is, and what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Caused {
    /// A name with few values, of at most 128 bytes, without any of its data.
    pub(super) class: String,
    /// At most 4 KiB, and without the URL that an error of reqwest carries.
    pub(super) message: String,
}

/// Whatever is to blame, and all that caused it, the outermost first.
///
/// At most eight: the seven outermost and the innermost. Where the errors are a ring, each is told once. It never panics,
/// whatever their code does.
pub(super) fn of(blamed: Blamed<'_>) -> Vec<Caused> {
    let (error, type_name) = match blamed {
        Blamed::Error { error, type_name } => (error, type_name),
        Blamed::Text(text) => return vec![Caused::text(text)],
    };
    let mut chain = causes(error);
    if class::is_wrapper(error) {
        return chain;
    }
    if let Some(name) = type_name {
        chain[0].class = quietly(|| class::typed(error, name)).unwrap_or_else(|| class::named(name));
    }
    chain
}

/// An error that a handler left, in the same way.
pub(super) fn of_handler_error(error: &HandlerError) -> Vec<Caused> {
    of(Blamed::Error { error: error.error(), type_name: Some(error.type_name()) })
}

/// The class of it alone: it is not asked what it says.
pub(super) fn class_of_handler_error(error: &HandlerError) -> String {
    let name = error.type_name();
    quietly(|| class::typed(error.error(), name)).unwrap_or_else(|| class::named(name))
}

/// An error of any type and all that caused it, in the same way.
pub(super) fn causes(error: &(dyn Error + 'static)) -> Vec<Caused> {
    let mut errors = chain(error);
    errors.retain(|error| quietly(|| class::is_wrapper(*error)) != Some(true));
    if errors.len() > MOST {
        errors.drain(MOST - 1..errors.len() - 1);
    }
    errors.into_iter().map(Caused::of).collect()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut errors = vec![error];
    while errors.len() < FURTHEST {
        let last = errors[errors.len() - 1];
        let Some(source) = quietly(|| last.source()).flatten() else { break };
        if errors.iter().any(|error| is_same(*error, source)) {
            break;
        }
        errors.push(source);
    }
    errors
}

/// Whether it is the same error again. An error and its first field share an address, and are of different types.
fn is_same(one: &(dyn Error + 'static), other: &(dyn Error + 'static)) -> bool {
    ptr::addr_eq(one, other) && quietly(|| class::of(one)) == quietly(|| class::of(other))
}

/// Runs the code of somebody's error.
fn quietly<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

// ===== impl Caused =====

impl Caused {
    /// Of a class that is known already.
    pub(super) fn new(class: impl Into<String>, message: &str) -> Self {
        let message = beginning(message, LONGEST).to_owned();
        Self { class: class.into(), message }
    }

    fn text(text: &str) -> Self {
        Self::new(UNKNOWN, text)
    }

    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut message = quietly(|| said(error)).unwrap_or_default();
        message.truncate(beginning(&message, LONGEST).len());
        Self { class: quietly(|| class::of(error)).unwrap_or_else(|| UNKNOWN.to_owned()), message }
    }
}

const MOST: usize = 8;

const FURTHEST: usize = 1_000;

const LONGEST: usize = 4096;

const UNKNOWN: &str = "Error";

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Nested(usize);

    #[derive(Debug)]
    struct Ring;

    #[derive(Debug)]
    struct Transparent(Nested);

    struct Broken;

    impl fmt::Display for Nested {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "level {}", self.0)
        }
    }

    impl Error for Nested {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            // Nothing is dropped in a test that leaks so little.
            (self.0 > 0).then(|| &*Box::leak(Box::new(Self(self.0 - 1))) as _)
        }
    }

    impl fmt::Display for Ring {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("round")
        }
    }

    impl Error for Ring {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    impl fmt::Display for Transparent {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outside")
        }
    }

    impl Error for Transparent {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    impl fmt::Debug for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while it is shown")
        }
    }

    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while it is shown")
        }
    }

    impl Error for Broken {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("while it is asked")
        }
    }

    fn typed<E: Error + 'static>(error: &E) -> Vec<Caused> {
        of(Blamed::Error { error, type_name: Some(std::any::type_name::<E>()) })
    }

    fn messages(error: &(dyn Error + 'static)) -> Vec<String> {
        causes(error).into_iter().map(|caused| caused.message).collect()
    }

    #[test]
    fn every_error_of_a_chain_is_told_the_outermost_first() {
        assert_eq!(messages(&Nested(2)), ["level 2", "level 1", "level 0"]);
        assert_eq!(messages(&Nested(7)).len(), 8);
        assert_eq!(typed(&Nested(1))[1], Caused { class: "Nested".into(), message: "level 0".into() });
    }

    #[test]
    fn of_a_long_chain_the_innermost_is_kept() {
        for depth in [8, 9, 99, 999, 5_000] {
            let messages = messages(&Nested(depth));
            assert_eq!(messages.len(), MOST, "{depth}");
            assert_eq!(messages[6], format!("level {}", depth - 6));
            assert_eq!(messages[7], format!("level {}", depth.saturating_sub(FURTHEST - 1)));
        }
    }

    #[test]
    fn a_ring_is_told_once_and_what_shares_an_address_twice() {
        assert_eq!(messages(&Ring), ["round"]);
        assert_eq!(messages(&Transparent(Nested(0))), ["outside", "level 0"]);
    }

    #[test]
    fn an_error_whose_code_panics_is_told_as_far_as_it_goes() {
        assert_eq!(typed(&Broken), [Caused { class: "Broken".into(), message: String::new() }]);
    }

    #[test]
    fn boxes_and_errors_of_anyhow_are_told() {
        let error = anyhow::Error::from(io::Error::other("the disk is gone")).context("no cart");
        let told = causes(error.as_ref());
        assert_eq!((told[0].class.as_str(), told[0].message.as_str()), ("Error", "no cart"));
        assert_eq!(
            (told[1].class.as_str(), told[1].message.as_str()),
            ("io::Error::Other", "the disk is gone")
        );
    }

    #[test]
    fn a_message_is_cut() {
        assert_eq!(messages(&io::Error::other("é".repeat(5_000)))[0].len(), LONGEST);
    }
}
