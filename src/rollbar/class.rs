use std::{
    env::VarError,
    error::Error,
    fmt::{self, Write},
    io, net, num, str, string, sync, time,
};

use super::name;

/// The class of an error whose type is known, by its name: that, and which variant it is of an enum, as in
/// `AppError::NotFound`.
pub(super) fn typed(error: &(dyn Error + 'static), type_name: &str) -> String {
    if is_stand_in(type_name) {
        return of(error);
    }
    known(error).unwrap_or_else(|| match (short(type_name), shown(error)) {
        (name, Some(variant)) if name.rsplit("::").next() != Some(&variant) => {
            cut(format!("{name}::{variant}"))
        }
        (name, _) => cut(name),
    })
}

/// The class of an error of any type: its name if it is a usual one, or else what it shows for debugging up to its first
/// bracket. Never what it holds: texts that are errors are of the class `Error`.
pub(super) fn of(error: &(dyn Error + 'static)) -> String {
    known(error).or_else(|| shown(error)).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The class of what is known by the name of its type alone.
pub(super) fn named(type_name: &str) -> String {
    cut(short(type_name))
}

/// Whether a type only stands for what is in it, and has no name of its own to tell.
fn is_stand_in(type_name: &str) -> bool {
    type_name.contains("dyn ") || STAND_INS.into_iter().any(|name| type_name.starts_with(name))
}

/// Whether an error only stands for its source: it says nothing of its own, and is the same for whatever went wrong.
pub(super) fn is_wrapper(error: &(dyn Error + 'static)) -> bool {
    #[cfg(feature = "axum")]
    if error.is::<axum::Error>() {
        return error.source().is_some();
    }
    let _ = error;
    false
}

/// What a `Debug` that is derived begins with: the name of a struct or of a variant.
fn shown(error: &(dyn Error + 'static)) -> Option<String> {
    let (debug, display) = (Beginning::of(format_args!("{error:?}")), Beginning::of(format_args!("{error}")));
    // What shows the same for debugging as to its readers shows a text, of which the first word may be anything.
    if debug == display {
        return None;
    }
    let is_name = |char: char| char.is_ascii_alphanumeric() || "_:".contains(char);
    let end = debug.find(|char| !is_name(char)).unwrap_or(debug.len());
    let (word, rest) = debug.split_at(end);
    let is_derived = rest.is_empty() || rest.starts_with('(') || rest.starts_with(" {");
    let is_type = word.starts_with(|char: char| char.is_ascii_uppercase()) && word.len() <= LONGEST;
    (is_derived && is_type).then(|| word.to_owned())
}

/// The name of a type without its modules and arguments; `Error` has its crate before it.
fn short(name: &str) -> String {
    let name = name::plain(name);
    let last = name.rsplit("::").next().unwrap_or(&name);
    match name.split_once("::") {
        Some((package, _)) if last == UNKNOWN => format!("{package}::{last}"),
        _ => last.to_owned(),
    }
}

fn cut(mut class: String) -> String {
    class.truncate(class.floor_char_boundary(LONGEST));
    class
}

/// The beginning of what a value shows.
struct Beginning(String);

impl Beginning {
    fn of(value: fmt::Arguments<'_>) -> String {
        let mut beginning = Self(String::new());
        // It is an error if there is more to show.
        let _ = beginning.write_fmt(value);
        beginning.0
    }
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (2 * LONGEST).saturating_sub(self.0.len());
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The usual types, some of which say what kind of error they are.
fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(format!("io::Error::{:?}", error.kind()));
    }
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        return Some(format!("serde_json::Error::{:?}", error.classify()));
    }
    if let Some(error) = error.downcast_ref::<tokio::task::JoinError>() {
        return Some(if error.is_panic() { "JoinError::Panic" } else { "JoinError::Cancelled" }.to_owned());
    }
    name_of(error).map(str::to_owned)
}

macro_rules! names {
    ($($(#[$feature:meta])? $known:ty = $name:literal),+ $(,)?) => {
        fn name_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
            $($(#[$feature])? if error.is::<$known>() {
                return Some($name);
            })+
            None
        }
    };
}

names! {
    fmt::Error = "fmt::Error",
    net::AddrParseError = "AddrParseError",
    num::ParseFloatError = "ParseFloatError",
    num::ParseIntError = "ParseIntError",
    num::TryFromIntError = "TryFromIntError",
    str::ParseBoolError = "ParseBoolError",
    str::Utf8Error = "Utf8Error",
    string::FromUtf8Error = "FromUtf8Error",
    sync::mpsc::RecvError = "RecvError",
    time::SystemTimeError = "SystemTimeError",
    VarError = "VarError",
    http::Error = "http::Error",
    hyper::Error = "hyper::Error",
    hyper_util::client::legacy::Error = "hyper_util::Error",
    tokio::sync::oneshot::error::RecvError = "RecvError",
    tokio::time::error::Elapsed = "Elapsed",
    #[cfg(feature = "axum")]
    axum::Error = "axum::Error",
    #[cfg(feature = "reqwest")]
    reqwest::Error = "reqwest::Error",
}

/// Besides boxes: texts, and what is known of an error in a box.
const STAND_INS: [&str; 4] = ["&str", "alloc::string::String", "alloc::borrow::Cow<", "_OTHER"];

const UNKNOWN: &str = "Error";

const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "shown for debugging alone")]
    enum AppError {
        NotFound,
        Database(String),
        Denied { user: String },
    }

    #[derive(Debug)]
    struct Refused;

    /// Shows a text for debugging.
    struct Says(&'static str);

    impl fmt::Debug for Says {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    macro_rules! say {
        ($($error:ty),+) => {$(
            impl fmt::Display for $error {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("it did not work")
                }
            }

            impl Error for $error {}
        )+};
    }

    say!(AppError, Refused, Says);

    const SECRET: &str = "hunter2";

    fn typed<E: Error + 'static>(error: &E) -> String {
        super::typed(error, std::any::type_name::<E>())
    }

    #[test]
    fn a_class_names_the_type_and_the_variant_and_nothing_else() {
        assert_eq!(typed(&AppError::NotFound), "AppError::NotFound");
        assert_eq!(typed(&AppError::Database(SECRET.into())), "AppError::Database");
        assert_eq!(typed(&AppError::Denied { user: SECRET.into() }), "AppError::Denied");
        assert_eq!(typed(&Refused), "Refused");
        assert_eq!(of(&AppError::Denied { user: SECRET.into() }), "Denied");
        assert_eq!(of(&Refused), "Refused");
    }

    #[test]
    fn texts_are_no_classes() {
        for text in ["Hunter2 is wrong", "hunter2", "\"Hunter2\"", "", "4111 1111", "it did not work"] {
            assert_eq!(typed(&Says(text)), "Says", "{text}");
            assert_eq!(of(&Says(text)), "Error", "{text}");
        }
        assert_eq!(of(&*Box::<dyn Error>::from("Hunter2")), "Error");
        assert_eq!(of(anyhow::anyhow!("Hunter2").as_ref()), "Error");
        assert_eq!(of(anyhow::Error::from(Refused).context("Hunter2").as_ref()), "Error");
    }

    #[test]
    fn what_only_stands_for_an_error_is_no_class() {
        fn stands<E: Into<Box<dyn Error + Send + Sync>>>(error: E) -> String {
            super::typed(&*error.into(), std::any::type_name::<E>())
        }
        for class in
            [stands::<Box<dyn Error + Send + Sync>>(Refused.into()), super::typed(&Refused, "_OTHER")]
        {
            assert_eq!(class, "Refused");
        }
        for class in [stands(SECRET), stands(SECRET.to_owned()), stands(std::borrow::Cow::from(SECRET))] {
            assert_eq!(class, "Error");
        }
    }

    #[test]
    fn usual_errors_say_their_kind() {
        assert_eq!(of(&io::Error::new(io::ErrorKind::NotFound, SECRET)), "io::Error::NotFound");
        assert_eq!(typed(&serde_json::from_str::<u8>("").unwrap_err()), "serde_json::Error::Eof");
        assert_eq!(of(&"x".parse::<u8>().unwrap_err()), "ParseIntError");
    }

    #[test]
    fn a_type_that_is_called_error_has_its_crate_before_it() {
        assert_eq!(short("serde_json::error::Error"), "serde_json::Error");
        assert_eq!(short("shop::carts::Failed<alloc::string::String>"), "Failed");
        assert_eq!(short("Error"), "Error");
    }

    #[test]
    fn a_class_is_short() {
        let long: &'static str = "X".repeat(10_000).leak();
        assert_eq!(of(&Says(long)), "Error");
        assert!(typed(&Says(long)).len() <= LONGEST);
    }
}
