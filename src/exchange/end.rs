use std::{
    any::{Any, type_name},
    error, fmt, io,
};

use http::HeaderMap;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
use http::StatusCode;

use super::{
    Code,
    network::{self, Fault},
};

/// How an exchange ended.
///
/// Every watched exchange ends once, with one of these.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum End<'a> {
    /// All of the response is out: the last byte, the trailers, or the head alone where no body may follow.
    Complete {
        /// The trailers, if the body ended with some. gRPC puts its status there.
        trailers: Option<&'a HeaderMap>,
    },
    /// The service or the body gave an error.
    Failed {
        /// What it said.
        error: Failure<'a>,
    },
    /// The future or the body was dropped before its end: on a server the client left, on a client nobody read on.
    Canceled,
    /// The call, a poll of the future or a poll of the body unwound. The panic goes on after the exchange has ended.
    Panicked {
        /// The panic's message; empty where its payload was no string.
        message: &'a str,
    },
}

/// An error that ended an exchange, whatever its type.
///
/// Services and bodies give errors of any type, so this tells what can be told of all of them, and the chain of causes
/// where the type is known to be an [`Error`](error::Error): boxed errors, [`io::Error`], and those of axum, hyper,
/// hyper-util and reqwest. It never tells the URL that an error of reqwest carries, be it this one or among its causes.
#[derive(Clone, Copy)]
pub struct Failure<'a> {
    told: &'a dyn Told,
}

/// What a [`Failure`] keeps of the type it was made from.
trait Told {
    fn message(&self) -> String;
    fn type_name(&self) -> &'static str;
    fn as_error(&self) -> Option<&(dyn error::Error + 'static)>;
    fn fault(&self) -> Option<Fault>;
    fn reset(&self) -> Option<Code>;
}

// ===== impl End =====

#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
impl End<'_> {
    /// The end of a call of gRPC. Where the head has said how it went, by its own status or by one that is not HTTP's 200,
    /// the call was over then: who drops the rest unread cancels nothing.
    pub(crate) fn of_call(self, status: Option<StatusCode>, code: Option<Code>) -> Self {
        let told = code.is_some() || status.is_some_and(|status| status != StatusCode::OK);
        if told && matches!(self, Self::Canceled) { Self::Complete { trailers: None } } else { self }
    }
}

// ===== impl Failure =====

impl<'a> Failure<'a> {
    /// Wraps any error that can be printed.
    pub fn new<E: fmt::Debug + fmt::Display + 'static>(error: &'a E) -> Self {
        Self { told: error }
    }

    /// What the error says at its own level.
    pub fn message(&self) -> String {
        self.told.message()
    }

    /// What the error and its causes say, outermost first, without what one of them repeats of the next.
    pub fn messages(&self) -> String {
        self.as_error().map_or_else(|| self.message(), messages)
    }

    /// A name with few values: the error's type where it is known, else `_OTHER`.
    ///
    /// Meant for `error.type`, see <https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/>.
    pub fn type_name(&self) -> &'static str {
        self.told.type_name()
    }

    /// The error itself, where its type is known to be one.
    pub fn as_error(&self) -> Option<&'a (dyn error::Error + 'static)> {
        self.told.as_error()
    }

    /// The error and its causes, outermost first; empty where the type is not known to be an error.
    pub fn chain(&self) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
        self.as_error().into_iter().flat_map(network::chain)
    }

    /// What of the network failed, if it was the network: on a client, why there was no answer.
    pub fn fault(&self) -> Option<Fault> {
        self.told.fault()
    }

    /// What it means for a call of gRPC that HTTP/2 was reset, if it was.
    pub(super) fn reset(&self) -> Option<Code> {
        self.told.reset()
    }
}

impl fmt::Debug for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failure").field(&self.message()).finish()
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

// ===== impl Told =====

impl<E: fmt::Debug + fmt::Display + 'static> Told for E {
    fn message(&self) -> String {
        self.as_error().map_or_else(|| self.to_string(), said)
    }

    fn type_name(&self) -> &'static str {
        boxed(self).map_or_else(type_name::<E>, |error| known_name(error).unwrap_or(OTHER))
    }

    fn as_error(&self) -> Option<&(dyn error::Error + 'static)> {
        boxed(self).or_else(|| known(self))
    }

    fn fault(&self) -> Option<Fault> {
        self.as_error().map_or_else(|| Fault::shown(self), Fault::of)
    }

    fn reset(&self) -> Option<Code> {
        network::reset(self)
    }
}

fn boxed(error: &dyn Any) -> Option<&(dyn error::Error + 'static)> {
    if let Some(error) = error.downcast_ref::<Box<dyn error::Error + Send + Sync>>() {
        return Some(&**error);
    }
    if let Some(error) = error.downcast_ref::<Box<dyn error::Error + Send>>() {
        return Some(&**error);
    }
    error.downcast_ref::<Box<dyn error::Error>>().map(|error| &**error)
}

/// What an error and its causes say, outermost first, without what one of them repeats of the next.
pub(crate) fn messages(error: &(dyn error::Error + 'static)) -> String {
    let mut all = said(error);
    for cause in network::chain(error).skip(1).map(said) {
        if !all.contains(&cause) {
            all += &format!(": {cause}");
        }
    }
    all
}

/// What an error says at its own level, without a URL, whose query may hold secrets.
pub(crate) fn said(error: &(dyn error::Error + 'static)) -> String {
    let said = error.to_string();
    #[cfg(feature = "reqwest")]
    let said = without_urls(said, error);
    said
}

/// Errors around one of reqwest's, such as `io::Error` and axum's, say what that says.
#[cfg(feature = "reqwest")]
fn without_urls(said: String, error: &(dyn error::Error + 'static)) -> String {
    let url =
        |error: &'_ (dyn error::Error + 'static)| error.downcast_ref::<reqwest::Error>()?.url().cloned();
    network::chain(error).filter_map(url).fold(said, |said, url| {
        said.replace(&format!(" for url ({url})"), "").replace(url.as_str(), REDACTED)
    })
}

macro_rules! known {
    ($($(#[$feature:meta])? $known:ty),+ $(,)?) => {
        /// The error, where its type is one of these.
        fn known(error: &dyn Any) -> Option<&(dyn error::Error + 'static)> {
            $($(#[$feature])? if let Some(error) = error.downcast_ref::<$known>() {
                return Some(error);
            })+
            None
        }

        /// The name of the error's type, where it is one of these.
        pub(crate) fn known_name(error: &(dyn error::Error + 'static)) -> Option<&'static str> {
            $($(#[$feature])? if error.is::<$known>() {
                return Some(type_name::<$known>());
            })+
            None
        }
    };
}

known! {
    io::Error,
    tokio::time::error::Elapsed,
    #[cfg(feature = "axum")]
    axum::Error,
    #[cfg(feature = "transport")]
    hyper_util::client::legacy::Error,
    #[cfg(feature = "transport")]
    hyper::Error,
    #[cfg(feature = "reqwest")]
    reqwest::Error,
}

const OTHER: &str = "_OTHER";

#[cfg(feature = "reqwest")]
const REDACTED: &str = "REDACTED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boxed_error_tells_its_chain() {
        let cause = io::Error::other("the disk is gone");
        let error: Box<dyn error::Error + Send + Sync> = Box::new(io::Error::other(cause));
        let messages: Vec<_> = Failure::new(&error).chain().map(ToString::to_string).collect();
        assert_eq!(messages.first().map(String::as_str), Some("the disk is gone"));
        assert_eq!(Failure::new(&error).type_name(), "std::io::error::Error");
    }

    #[test]
    fn an_io_error_tells_what_it_hides() {
        let hidden: Box<dyn error::Error + Send + Sync> = "the disk is gone".into();
        let failure = io::Error::new(io::ErrorKind::TimedOut, hidden);
        assert_eq!(Failure::new(&failure).chain().count(), 2);
        assert_eq!(Failure::new(&failure).messages(), "the disk is gone");
    }

    #[test]
    fn an_error_of_an_unknown_type_tells_its_message_and_its_type() {
        let failure = Failure::new(&fmt::Error);
        assert_eq!(failure.type_name(), "core::fmt::Error");
        assert!(failure.message().contains("error"));
        assert!(failure.as_error().is_none());
    }

    #[test]
    #[cfg(all(feature = "axum", feature = "reqwest"))]
    fn no_error_around_one_of_reqwest_tells_its_url() {
        let url = "http://user:hunter2@shop.example/carts?token=hunter2";
        let builder =
            || reqwest::Client::new().get("ftp:").build().unwrap_err().with_url(url.parse().unwrap());
        assert!(builder().to_string().contains("hunter2"));
        let io = io::Error::other(builder());
        let axum = axum::Error::new(builder());
        let boxed: Box<dyn error::Error + Send + Sync> = io::Error::other(axum::Error::new(builder())).into();
        let quoted: Box<dyn error::Error + Send + Sync> = Box::new(Quoted(builder()));
        for failure in [Failure::new(&io), Failure::new(&axum), Failure::new(&boxed), Failure::new(&quoted)] {
            let said = format!("{} {} {failure:?}", failure.message(), failure.messages());
            assert!(said.contains("builder error") && !said.contains("hunter2"), "{said}");
        }
        assert_eq!(Failure::new(&quoted).message(), "builder error at REDACTED");
    }

    #[cfg(all(feature = "axum", feature = "reqwest"))]
    #[derive(Debug)]
    struct Quoted(reqwest::Error);

    #[cfg(all(feature = "axum", feature = "reqwest"))]
    impl fmt::Display for Quoted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "builder error at {}", self.0.url().expect("it was given one"))
        }
    }

    #[cfg(all(feature = "axum", feature = "reqwest"))]
    impl error::Error for Quoted {
        fn source(&self) -> Option<&(dyn error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_boxed_error_of_an_unknown_type_has_no_name_that_a_stranger_could_choose() {
        let error: Box<dyn error::Error + Send + Sync> = "4111 1111 1111 1111".into();
        assert_eq!(Failure::new(&error).type_name(), "_OTHER");
    }
}
