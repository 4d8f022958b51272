//! The script, the style and the mark, each under a name that changes with its content.

use std::sync::LazyLock;

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::console::page::missing;
use crate::console::reply::{self, Reply};

#[derive(Debug)]
pub(in crate::console) struct Asset {
    pub(super) path: String,
    content_type: &'static str,
    content: &'static str,
}

pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::new("js", "text/javascript", APP_JS));
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::new("css", "text/css", APP_CSS));
pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("svg", "image/svg+xml", MARK));

// ===== impl Asset =====

impl Asset {
    fn new(extension: &str, content_type: &'static str, content: &'static str) -> Self {
        Self { path: format!("/belvedere.{:016x}.{extension}", hash(content)), content_type, content }
    }
}

pub(in crate::console) fn find(path: &str) -> Option<&'static Asset> {
    [&*SCRIPT, &*STYLE, &*ICON].into_iter().find(|asset| asset.path == path)
}

pub(in crate::console) fn reply(path: &str) -> Reply {
    let Some(Asset { content_type, content, .. }) = find(path) else { return missing::json() };
    let mut reply = reply::full(StatusCode::OK, content_type, *content);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    reply.headers_mut().insert(CACHE_CONTROL, forever);
    reply
}

/// FNV-1a.
fn hash(content: &str) -> u64 {
    content
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

const APP_JS: &str = include_str!("../assets/app.js");
const APP_CSS: &str = include_str!("../assets/app.css");
pub(super) const MARK: &str = include_str!("../assets/mark.svg");
