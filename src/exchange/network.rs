use std::{
    error,
    fmt::{self, Write as _},
    io, iter,
};

use super::Code;

/// What of the network failed when a request got no answer, or not all of it.
///
/// Read from the types of an error and its causes, and, since many of these are private to the crate that made them,
/// from the names that their `Debug` shows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The host's name led to no address.
    NameResolution,
    /// Nobody listened there.
    ConnectionRefused,
    /// The other end, or something on the way, broke the connection.
    ConnectionReset,
    /// There is no way to the host, or to its network.
    HostUnreachable,
    /// No connection came about, for another reason.
    Connection,
    /// TLS failed: most often, a certificate was not accepted.
    SecureConnection,
    /// The other end closed the connection before it had answered in full.
    ResponseEnded,
    /// The other end broke a rule of HTTP, or reset the stream or the connection of HTTP/2.
    Protocol,
    /// A limit of time was over, for connecting or for the whole.
    Timeout,
}

// ===== impl Fault =====

impl Fault {
    /// What of the network failed, if it was the network.
    pub fn of(error: &(dyn error::Error + 'static)) -> Option<Self> {
        let typed = chain(error).filter_map(Self::typed).last();
        match typed {
            Some(typed) if typed != Self::Connection => Some(typed),
            _ => Self::shown(error).or(typed),
        }
    }

    /// The same for an error of which nothing is known but what its `Debug` shows.
    pub(super) fn shown(error: &dyn fmt::Debug) -> Option<Self> {
        let named = words(&Shown::of(error).0).filter_map(Self::named).last();
        named.or_else(|| reset(error).map(|_| Self::Protocol))
    }

    /// A word for it. Meant for `error.type`, which has few values; where the conventions name none, most words are
    /// [those of .NET](https://learn.microsoft.com/en-us/dotnet/core/diagnostics/built-in-metrics-system-net).
    pub fn name(self) -> &'static str {
        match self {
            Self::NameResolution => "name_resolution_error",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionReset => "connection_reset",
            Self::HostUnreachable => "host_unreachable",
            Self::Connection => "connection_error",
            Self::SecureConnection => "secure_connection_error",
            Self::ResponseEnded => "response_ended",
            Self::Protocol => "http_protocol_error",
            Self::Timeout => "timeout",
        }
    }

    /// By the type of one error, without its causes.
    fn typed(error: &(dyn error::Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Self::kind(error.kind());
        }
        #[cfg(feature = "transport")]
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return error.is_connect().then_some(Self::Connection);
        }
        #[cfg(feature = "transport")]
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return match () {
                () if error.is_timeout() => Some(Self::Timeout),
                () if error.is_incomplete_message() => Some(Self::ResponseEnded),
                () if error.is_parse() => Some(Self::Protocol),
                () => None,
            };
        }
        #[cfg(feature = "transport")]
        if error.is::<rustls::Error>() || error.is::<rustls::pki_types::InvalidDnsNameError>() {
            return Some(Self::SecureConnection);
        }
        error.is::<tokio::time::error::Elapsed>().then_some(Self::Timeout)
    }

    fn kind(kind: io::ErrorKind) -> Option<Self> {
        match kind {
            io::ErrorKind::ConnectionRefused => Some(Self::ConnectionRefused),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Some(Self::ConnectionReset)
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Self::HostUnreachable),
            io::ErrorKind::UnexpectedEof => Some(Self::ResponseEnded),
            io::ErrorKind::TimedOut => Some(Self::Timeout),
            _ => None,
        }
    }

    /// By the name of a type or of a variant, or by a text, in quotes, that is always the same.
    fn named(word: &str) -> Option<Self> {
        match word {
            "\"dns error\"" | "DnsError" => Some(Self::NameResolution),
            "ConnectionRefused" => Some(Self::ConnectionRefused),
            "ConnectionReset" | "ConnectionAborted" | "BrokenPipe" => Some(Self::ConnectionReset),
            "HostUnreachable" | "NetworkUnreachable" => Some(Self::HostUnreachable),
            "ConnectError" => Some(Self::Connection),
            "InvalidCertificate" | "AlertReceived" => Some(Self::SecureConnection),
            "UnexpectedEof" | "IncompleteMessage" => Some(Self::ResponseEnded),
            "TimedOut" | "Elapsed" | "TimeoutExpired" => Some(Self::Timeout),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error and what lies beneath it. `io::Error` gives as its source what its inner error has as source, and hides
/// the inner error itself.
pub(super) fn chain<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    let next = |error: &&'a (dyn error::Error + 'static)| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    };
    iter::successors(Some(error), next).take(CHAIN)
}

/// What the reset of a stream of HTTP/2, or of all of them, means for a call of gRPC. The crate that tells of it is a
/// private matter of hyper, so this too is read from what `Debug` shows: `Reset(StreamId(1), CANCEL, Remote)`.
pub(super) fn reset(error: &dyn fmt::Debug) -> Option<Code> {
    let shown = Shown::of(error);
    words(&shown.0).skip_while(|word| !matches!(*word, "Reset" | "GoAway")).find_map(Code::of_reset)
}

/// The beginning of what `Debug` shows.
#[derive(Default)]
struct Shown(String);

// ===== impl Shown =====

impl Shown {
    fn of(error: &dyn fmt::Debug) -> Self {
        let mut shown = Self::default();
        // It fails where there is no more room, which is no reason not to read the beginning.
        _ = write!(shown, "{error:?}");
        shown
    }
}

impl fmt::Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > SHOWN {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The names in a text of `Debug`, and its strings, each with its quotes: what a stranger wrote is in one of those.
fn words(mut text: &str) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        text = text.trim_start_matches(|char: char| char != '"' && !is_name(char));
        let end = match text.strip_prefix('"') {
            Some(quoted) => closing(quoted) + 1,
            None => text.find(|char| !is_name(char)).unwrap_or(text.len()),
        };
        let (word, rest) = text.split_at(end.min(text.len()));
        text = rest;
        (!word.is_empty()).then_some(word)
    })
}

/// Where a string ends, behind its closing quote.
fn closing(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.map_or(text.len(), |end| end + 1)
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// A chain longer than this is a loop.
const CHAIN: usize = 32;

/// How many bytes of a `Debug` are read. Errors may carry whole pages.
const SHOWN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Hidden(#[allow(dead_code, reason = "for its `Debug`")] io::Error);

    /// What hyper has beneath an error of HTTP/2.
    #[derive(Debug)]
    #[allow(dead_code, reason = "for its `Debug`")]
    enum Http2 {
        Reset(u32, &'static str),
        Other(&'static str),
    }

    #[test]
    fn a_reset_of_http_2_breaks_the_protocol_and_the_word_alone_does_not() {
        #[derive(Debug)]
        #[allow(dead_code, reason = "for its `Debug`")]
        struct Named(CODE);
        #[derive(Debug)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, dead_code, reason = "for its `Debug`")]
        enum CODE {
            Reset,
            GoAway(Cancel),
        }
        #[derive(Debug)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "for its `Debug`")]
        enum Cancel {
            CANCEL,
        }
        assert_eq!(Fault::shown(&Named(CODE::GoAway(Cancel::CANCEL))), Some(Fault::Protocol));
        assert_eq!(Fault::shown(&Named(CODE::Reset)), None);
        assert_eq!(Fault::shown(&Http2::Reset(1, "CANCEL")), None, "what is in quotes a stranger wrote");
        assert_eq!(Fault::shown(&Http2::Other("Reset")), None);
    }

    fn of_kind(kind: io::ErrorKind) -> Option<Fault> {
        Fault::of(&io::Error::from(kind))
    }

    #[test]
    fn kinds_have_words() {
        for (kind, name) in [
            (io::ErrorKind::ConnectionRefused, "connection_refused"),
            (io::ErrorKind::ConnectionReset, "connection_reset"),
            (io::ErrorKind::BrokenPipe, "connection_reset"),
            (io::ErrorKind::NetworkUnreachable, "host_unreachable"),
            (io::ErrorKind::UnexpectedEof, "response_ended"),
            (io::ErrorKind::TimedOut, "timeout"),
        ] {
            assert_eq!(of_kind(kind).map(Fault::name), Some(name));
            assert_eq!(Fault::shown(&Hidden(kind.into())).map(Fault::name), Some(name), "by its `Debug`");
        }
        assert_eq!(of_kind(io::ErrorKind::NotFound), None);
    }

    #[test]
    fn the_innermost_cause_decides_also_where_an_io_error_hides_it() {
        let inner = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(Fault::of(&io::Error::other(io::Error::other(inner))), Some(Fault::ConnectionRefused));
    }

    #[test]
    fn what_a_stranger_wrote_is_not_read_as_a_name() {
        for text in ["Elapsed", "\" Elapsed", "\\\" TimedOut \\", "ConnectError(\"dns error\")"] {
            assert_eq!(Fault::shown(&text), None, "{text}");
            assert_eq!(Fault::of(&io::Error::other(text)), None, "{text}");
        }
    }

    #[test]
    fn a_reset_is_read_from_its_name_and_not_from_what_a_stranger_wrote() {
        let read = |text: &str| reset(&format_args!("{text}"));
        assert_eq!(read("kind: Reset(StreamId(1), CANCEL, Remote)"), Some(Code::CANCELLED));
        assert_eq!(read(r#"kind: GoAway(b"CANCEL", REFUSED_STREAM, Remote)"#), Some(Code::UNAVAILABLE));
        assert_eq!(read(r#"kind: Io("Reset(StreamId(1), CANCEL, Remote)")"#), None);
        assert_eq!(read("CANCEL"), None);
    }

    #[test]
    fn a_text_that_never_ends_is_read_from_its_beginning() {
        assert_eq!(
            Fault::shown(&("Elapsed", Hidden(io::ErrorKind::TimedOut.into()), "x".repeat(100_000))),
            Some(Fault::Timeout)
        );
        assert_eq!(words("a \"b").collect::<Vec<_>>(), ["a", "\"b"]);
    }
}
