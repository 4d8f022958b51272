//! The service that is measured: a small shop.

use std::{
    error::Error,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use belvedere::exchange::{Annotations, HandlerError};
use serde::Serialize;

/// How many requests the handlers have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<AtomicU64>);

#[derive(Serialize)]
struct Cart {
    id: u32,
    items: [&'static str; 3],
    is_gift: bool,
}

enum CartError {
    Missing,
    Shelf(ShelfError),
}

/// The shelf cannot be read.
#[derive(Debug)]
struct ShelfError {
    source: io::Error,
}

pub(crate) fn router(seen: Seen) -> Router {
    Router::new()
        .route("/carts/{id}", get(cart))
        .route("/orders/{id}", get(order))
        .fallback(nowhere)
        .with_state(seen)
}

async fn cart(State(seen): State<Seen>, Path(id): Path<u32>) -> Result<Json<Cart>, CartError> {
    seen.one();
    match id {
        404 => Err(CartError::Missing),
        500 => Err(CartError::Shelf(ShelfError { source: io::ErrorKind::NotFound.into() })),
        id => Ok(Json(Cart::of(id))),
    }
}

async fn order(State(seen): State<Seen>, annotations: Annotations, Path(id): Path<u32>) -> Json<Cart> {
    seen.one();
    annotations.insert("order", i64::from(id));
    annotations.insert("is_gift", true);
    annotations.insert("owner", "worf");
    Json(Cart::of(id))
}

async fn nowhere(State(seen): State<Seen>) -> StatusCode {
    seen.one();
    StatusCode::NOT_FOUND
}

// ===== impl Seen =====

impl Seen {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

// ===== impl Cart =====

impl Cart {
    fn of(id: u32) -> Self {
        Self { id, items: ["tea", "earl grey", "hot"], is_gift: false }
    }
}

// ===== impl CartError =====

impl IntoResponse for CartError {
    fn into_response(self) -> Response {
        match self {
            Self::Missing => StatusCode::NOT_FOUND.into_response(),
            Self::Shelf(error) => {
                let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
                response.extensions_mut().insert(HandlerError::new(error));
                response
            }
        }
    }
}

// ===== impl ShelfError =====

impl fmt::Display for ShelfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shelf cannot be read")
    }
}

impl Error for ShelfError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
