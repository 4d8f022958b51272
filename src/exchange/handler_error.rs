use std::{
    any::type_name,
    error::Error,
    fmt,
    panic::Location,
    sync::{Arc, OnceLock},
};

/// An error that a handler leaves in the extensions of its response, so that every backend can say why the exchange failed.
///
/// A response has a status and no error. Whoever makes a response of an error puts it in:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod shop {
/// use axum::{http::StatusCode, response::{IntoResponse, Response}};
/// use belvedere::exchange::HandlerError;
///
/// struct CartError(std::io::Error);
///
/// impl IntoResponse for CartError {
///     fn into_response(self) -> Response {
///         let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
///         response.extensions_mut().insert(HandlerError::new(self.0));
///         response
///     }
/// }
/// # }
/// ```
///
/// Clones are the same one.
#[derive(Clone)]
pub struct HandlerError {
    inner: Arc<Inner>,
}

struct Inner {
    error: Box<dyn Error + Send + Sync>,
    type_name: &'static str,
    place: &'static Location<'static>,
    backtrace: OnceLock<Box<str>>,
}

// ===== impl HandlerError =====

impl HandlerError {
    /// Any error, also one in a box, one of anyhow's, or a text. It notes where it was called.
    #[track_caller]
    pub fn new<E: Into<Box<dyn Error + Send + Sync>>>(error: E) -> Self {
        let (type_name, place) = (type_name::<E>(), Location::caller());
        let inner = Inner { error: error.into(), type_name, place, backtrace: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// What was running when the error was made, as a [`Backtrace`](std::backtrace::Backtrace) prints it. Errors of anyhow and
    /// eyre have one where `RUST_BACKTRACE` is set, which is lost when they become boxes:
    ///
    /// ```
    /// use belvedere::exchange::HandlerError;
    ///
    /// let error = anyhow::anyhow!("no cart");
    /// let backtrace = error.backtrace().to_string();
    /// let error = HandlerError::new(error).backtrace(backtrace);
    /// ```
    ///
    /// Printing it looks names up, the first time for long. The first one counts.
    #[must_use]
    pub fn backtrace(self, shown: impl Into<String>) -> Self {
        _ = self.inner.backtrace.set(shown.into().into());
        self
    }

    /// The backtrace that it was given.
    pub fn shown_backtrace(&self) -> Option<&str> {
        self.inner.backtrace.get().map(|shown| &**shown)
    }

    /// The error itself.
    pub fn error(&self) -> &(dyn Error + 'static) {
        &*self.inner.error
    }

    /// The type that it was made of, which may be a box's.
    pub fn type_name(&self) -> &'static str {
        self.inner.type_name
    }

    /// Where it was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.inner.place
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { error, type_name, place, backtrace: _ } = &*self.inner;
        f.debug_struct("HandlerError")
            .field("error", error)
            .field("type_name", type_name)
            .field("place", &format_args!("{place}"))
            .finish_non_exhaustive()
    }
}
