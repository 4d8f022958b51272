use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};

use crate::app::App;

/// The one page, which knows where the console is.
#[derive(Debug)]
pub(crate) struct Page {
    html: String,
}

// ===== impl Page =====

impl Page {
    pub(crate) fn new(console: Option<&str>) -> Self {
        Self { html: include_str!("../page/page.html").replace(CONSOLE, console.unwrap_or_default()) }
    }
}

/// The page and its files. They make no spans.
pub(crate) fn files() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(page))
        .route("/page.css", get(async || file("text/css; charset=utf-8", include_str!("../page/page.css"))))
        .route(
            "/page.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("../page/page.js"))),
        )
        .route("/favicon.svg", get(icon))
        .route("/favicon.ico", get(icon))
}

pub(crate) fn is_file(path: &str) -> bool {
    matches!(path, "/" | "/page.css" | "/page.js" | "/favicon.svg" | "/favicon.ico")
}

async fn page(State(app): State<Arc<App>>) -> impl IntoResponse {
    file("text/html; charset=utf-8", app.page.html.clone())
}

async fn icon() -> impl IntoResponse {
    file("image/svg+xml", include_str!("../page/favicon.svg"))
}

fn file<T>(content_type: &'static str, text: T) -> ([(HeaderName, &'static str); 4], T) {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text)
}

const CONSOLE: &str = "{{console}}";
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
