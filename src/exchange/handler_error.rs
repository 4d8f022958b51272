use std::{any::type_name, error::Error, fmt, panic::Location, sync::Arc};

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
}

// ===== impl HandlerError =====

impl HandlerError {
    /// Any error, also one in a box, one of anyhow's, or a text. It notes where it was called.
    #[track_caller]
    pub fn new<E: Into<Box<dyn Error + Send + Sync>>>(error: E) -> Self {
        let inner = Inner { error: error.into(), type_name: type_name::<E>(), place: Location::caller() };
        Self { inner: Arc::new(inner) }
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
        let Inner { error, type_name, place } = &*self.inner;
        f.debug_struct("HandlerError")
            .field("error", error)
            .field("type_name", type_name)
            .field("place", &format_args!("{place}"))
            .finish()
    }
}
