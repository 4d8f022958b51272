use std::{
    error::Error,
    fmt::{self, Write},
};

use serde::{Deserialize, Serialize};

use super::{
    http::is_false,
    ids, lenient,
    text::{Text, Texts, texts},
};
use crate::{
    exchange::{Blamed, Failure, known_name, said},
    scrub::{Scrubber, beginning},
    trace::SpanId,
};

/// Why it failed: exceptions, or the id of one that another part of the trace tells of.
///
/// ```
/// use belvedere::xray::Cause;
///
/// let error = std::io::Error::other("the disk is gone");
/// let Cause::Exceptions(cause) = Cause::error(&error) else { unreachable!() };
/// assert_eq!(cause.exceptions[0].message.as_deref(), Some("the disk is gone"));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cause {
    /// The id of an exception that another segment or subsegment of the trace tells of.
    Id(#[serde(with = "ids::span")] SpanId),
    /// The exceptions themselves.
    Exceptions(Box<Exceptions>),
}

/// Exceptions, each of which may have another for its cause.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Exceptions {
    /// Where the process ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<Text>,
    /// Where it has its libraries from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Text>,
    /// The exceptions, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// An error, or a panic.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exception {
    /// Its id, by which others refer to it.
    #[serde(with = "ids::span")]
    pub id: SpanId,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Text>,
    /// Its type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<Text>,
    /// Whether a service that was called told of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub remote: bool,
    /// How many frames of the stack were left out.
    #[serde(default, skip_serializing_if = "is_none")]
    pub truncated: u64,
    /// How many exceptions were left out between this one and the one that it caused.
    #[serde(default, skip_serializing_if = "is_none")]
    pub skipped: u64,
    /// The id of the exception that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ids::optional")]
    pub cause: Option<SpanId>,
    /// Where it happened, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
}

/// One place of a stack.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StackFrame {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Text>,
    /// The line in it, from 1.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
}

/// What of an error is said.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    scrubber: Option<&'a Scrubber>,
}

/// Keeps the letters and digits that a text begins with.
struct Word(String);

// ===== impl Cause =====

impl Cause {
    /// An error and all that caused it.
    ///
    /// The outermost 31 and the innermost are told, if there are more. Types are known by what the errors show for
    /// debugging.
    pub fn error(error: &(dyn Error + 'static)) -> Self {
        Said::WHOLE.error(error)
    }

    /// Whatever is to blame.
    pub fn of(blamed: Blamed<'_>) -> Self {
        Said::WHOLE.of(blamed)
    }

    /// What ended an exchange: the whole chain where the error's type is known, else what it says.
    pub fn failure(failure: Failure<'_>) -> Self {
        Said::WHOLE.failure(failure)
    }

    /// A panic with this message, as an exception of type `panic`.
    pub fn panic(message: &str) -> Self {
        Said::WHOLE.panic(message)
    }

    /// The id of its outermost exception, by which an outer segment or subsegment may refer to it.
    pub fn id(&self) -> Option<SpanId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Exceptions(exceptions) => exceptions.exceptions.first().map(|exception| exception.id),
        }
    }

    pub(super) fn exceptions(&self) -> &[Exception] {
        match self {
            Self::Id(_) => &[],
            Self::Exceptions(exceptions) => &exceptions.exceptions,
        }
    }

    pub(super) fn exceptions_mut(&mut self) -> Option<&mut Vec<Exception>> {
        match self {
            Self::Id(_) => None,
            Self::Exceptions(exceptions) => Some(&mut exceptions.exceptions),
        }
    }
}

impl From<Exception> for Cause {
    fn from(exception: Exception) -> Self {
        Self::Exceptions(Box::new(Exceptions { exceptions: vec![exception], ..Exceptions::default() }))
    }
}

impl Texts for Cause {
    fn each(&self, visit: &mut dyn FnMut(&Text)) {
        if let Self::Exceptions(exceptions) = self {
            exceptions.each(visit);
        }
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        if let Self::Exceptions(exceptions) = self {
            exceptions.each_mut(visit);
        }
    }
}

// ===== impl Exception =====

impl Exception {
    /// An exception of a type, with what it says, and a new id.
    pub fn new(type_name: impl Into<Text>, message: impl Into<Text>) -> Self {
        Self {
            id: SpanId::generate(),
            message: Some(message.into()),
            type_name: Some(type_name.into()),
            remote: false,
            truncated: 0,
            skipped: 0,
            cause: None,
            stack: Vec::new(),
        }
    }

    /// Keeps the innermost frames and counts the others.
    pub fn truncate(&mut self, frames: usize) {
        self.truncated += self.stack.len().saturating_sub(frames) as u64;
        self.stack.truncate(frames);
    }
}

// ===== impl Said =====

impl<'a> Said<'a> {
    /// All of it.
    const WHOLE: Said<'static> = Said { scrubber: None };

    /// All of it but its secrets.
    pub(super) fn scrubbed(scrubber: &'a Scrubber) -> Self {
        Self { scrubber: Some(scrubber) }
    }

    pub(super) fn error(self, error: &(dyn Error + 'static)) -> Cause {
        Cause::Exceptions(Box::new(Exceptions { exceptions: self.chain(error), ..Exceptions::default() }))
    }

    pub(super) fn of(self, blamed: Blamed<'_>) -> Cause {
        match blamed {
            Blamed::Error { error, .. } => self.error(error),
            Blamed::Text(text) => Exception::new(UNKNOWN, self.message(text)).into(),
        }
    }

    pub(super) fn failure(self, failure: Failure<'_>) -> Cause {
        let mut exceptions = failure.as_error().map_or_else(Vec::new, |error| self.chain(error));
        if exceptions.is_empty() {
            exceptions.push(Exception::new(failure.type_name(), self.message(&failure.message())));
        }
        Cause::Exceptions(Box::new(Exceptions { exceptions, ..Exceptions::default() }))
    }

    pub(super) fn panic(self, message: &str) -> Cause {
        let message = if message.is_empty() { PANIC } else { message };
        Exception::new(PANIC, self.message(message)).into()
    }

    fn exception(self, error: &(dyn Error + 'static)) -> Exception {
        let message = self.message(&said(error));
        match known_name(error) {
            Some(name) => Exception::new(name, message),
            None => Exception::new(shown_name(error), message),
        }
    }

    /// Whoever passes an exception on says the same, so that it is scrubbed here and not when it is written.
    fn message(self, message: &str) -> Text {
        match self.scrubber {
            Some(scrubber) => Text::from(scrubber.text(beginning(message, LONGEST_MESSAGE)).into_owned()),
            None => Text::from(message.to_owned()),
        }
    }

    /// The error and its causes, each with the id of the next.
    fn chain(self, error: &(dyn Error + 'static)) -> Vec<Exception> {
        let mut errors: Vec<_> =
            std::iter::successors(Some(error), |&error| error.source()).take(FURTHEST).collect();
        let skipped = errors.len().saturating_sub(MOST);
        if skipped > 0 {
            errors.drain(MOST - 1..MOST - 1 + skipped);
        }
        let mut exceptions: Vec<_> = errors.into_iter().map(|error| self.exception(error)).collect();
        link(&mut exceptions);
        if let Some(last) = exceptions.last_mut() {
            last.skipped = skipped as u64;
        }
        exceptions
    }
}

// ===== impl StackFrame =====

impl StackFrame {
    /// A place in a file.
    pub fn new(label: impl Into<Text>, path: impl Into<Text>, line: u32) -> Self {
        Self { path: Some(path.into()), line: Some(line), label: Some(label.into()) }
    }
}

// ===== impl Word =====

impl Write for Word {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.0.len() >= LONGEST || !(char.is_ascii_alphanumeric() || "_:".contains(char)) {
                // It stops the error from showing more of itself.
                return Err(fmt::Error);
            }
            self.0.push(char);
        }
        Ok(())
    }
}

texts! {
    Exceptions: working_directory, paths, exceptions;
    Exception: message, type_name, stack;
    StackFrame: path, label;
}

/// Keeps so many exceptions, the innermost among them, and tells how many it dropped.
pub(super) fn shorten(exceptions: &mut Vec<Exception>, most: usize) -> u64 {
    let dropped = exceptions.len().saturating_sub(most.max(1));
    if dropped > 0 {
        let kept = most.saturating_sub(1);
        exceptions.drain(kept..kept + dropped);
        exceptions[kept].skipped += dropped as u64;
        // Ids that exceptions of other parts have for their causes stay as they are.
        link(&mut exceptions[kept.saturating_sub(1)..]);
    }
    dropped as u64
}

/// Gives each exception the id of the next for its cause.
fn link(exceptions: &mut [Exception]) {
    for at in 1..exceptions.len() {
        exceptions[at - 1].cause = Some(exceptions[at].id);
    }
}

/// The name of an error's type, as far as it shows it for debugging.
fn shown_name(error: &(dyn Error + 'static)) -> String {
    let mut word = Word(String::new());
    // It is an error if there is more to show than a name.
    let _ = write!(word, "{error:?}");
    let is_name = word.0.starts_with(|char: char| char.is_ascii_uppercase());
    if is_name { word.0 } else { UNKNOWN.to_owned() }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// How many exceptions of a chain are told.
pub(super) const MOST: usize = 32;

/// A chain may be a ring.
const FURTHEST: usize = 1_000;

const LONGEST: usize = 100;

const UNKNOWN: &str = "Error";

const PANIC: &str = "panic";

/// How much of a message is read.
const LONGEST_MESSAGE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Nested(usize);

    #[derive(Debug)]
    struct Ring;

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

    fn messages(cause: &Cause) -> Vec<&str> {
        cause.exceptions().iter().map(|exception| exception.message.as_deref().unwrap()).collect()
    }

    #[test]
    fn every_error_of_a_chain_is_told_and_names_its_cause() {
        let cause = Cause::error(&Nested(2));
        assert_eq!(messages(&cause), ["level 2", "level 1", "level 0"]);
        let exceptions = cause.exceptions();
        assert_eq!(exceptions[0].cause, Some(exceptions[1].id));
        assert_eq!(exceptions[1].cause, Some(exceptions[2].id));
        assert_eq!(exceptions[2].cause, None);
        assert_eq!(exceptions[1].type_name.as_deref(), Some("Nested"));
    }

    #[test]
    fn of_a_long_chain_the_innermost_is_kept_and_the_others_are_counted() {
        let cause = Cause::error(&Nested(99));
        let messages = messages(&cause);
        assert_eq!((messages.len(), messages[30], messages[31]), (32, "level 69", "level 0"));
        assert_eq!(cause.exceptions()[31].skipped, 68);
    }

    #[test]
    fn a_chain_that_is_a_ring_ends() {
        assert_eq!(Cause::error(&Ring).exceptions().len(), MOST);
    }

    #[test]
    fn types_are_known_by_name_and_never_by_what_they_hold() {
        let name =
            |error: &(dyn Error + 'static)| Said::WHOLE.exception(error).type_name.unwrap().to_string();
        assert_eq!(name(&io::Error::other("x")), "std::io::error::Error");
        assert_eq!(name(&"x".parse::<u8>().unwrap_err()), "ParseIntError");
        assert_eq!(name(&*Box::<dyn Error>::from("4111 1111")), "Error");
    }

    #[test]
    fn a_failure_of_an_unknown_type_tells_its_message() {
        let cause = Cause::failure(Failure::new(&fmt::Error));
        assert_eq!(cause.exceptions()[0].type_name.as_deref(), Some("core::fmt::Error"));
        assert_eq!(cause.exceptions().len(), 1);
    }

    #[test]
    fn a_panic_without_a_message_is_told_too() {
        assert_eq!(messages(&Cause::panic("")), ["panic"]);
        assert_eq!(messages(&Cause::panic("index out of bounds")), ["index out of bounds"]);
    }

    #[test]
    fn frames_that_are_left_out_are_counted() {
        let mut exception = Exception::new("A", "b");
        exception.stack = vec![StackFrame::new("main", "src/main.rs", 7); 40];
        exception.truncate(32);
        exception.truncate(10);
        assert_eq!((exception.stack.len(), exception.truncated), (10, 30));
    }

    #[test]
    fn an_id_alone_is_a_cause() {
        let cause: Cause = serde_json::from_str(r#""bb41ad0e5cc49561""#).unwrap();
        assert!(matches!(cause, Cause::Id(_)));
        assert_eq!(serde_json::to_string(&cause).unwrap(), r#""bb41ad0e5cc49561""#);
    }
}
