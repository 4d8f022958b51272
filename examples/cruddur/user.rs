use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName},
    middleware::Next,
    response::Response,
};
use belvedere::{exchange::Annotations, xray};
use serde::Deserialize;

use crate::{error::Error, extract::Query};

/// One of the people who live in this example. There are no passwords: a caller says who it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct User {
    pub(crate) handle: &'static str,
    pub(crate) display_name: &'static str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    user: Option<String>,
}

// ===== impl User =====

impl User {
    pub(crate) fn find(handle: &str) -> Option<Self> {
        USERS.into_iter().find(|user| user.handle == handle)
    }

    /// By the header, else by the query, else the first of the list.
    fn asked(headers: &HeaderMap, asked: Option<&str>) -> Result<Self, Error> {
        let header = headers.get(HEADER).map(|value| value.to_str().unwrap_or_default());
        let Some(handle) = header.or(asked) else { return Ok(USERS[0]) };
        Self::find(handle).ok_or_else(|| Error::bad_request("there is no such user"))
    }
}

/// Finds out who asks, and says so on the span and on the segment: `app.user_id`, and X-Ray's `user`. For Rollbar `user_id` and
/// `user_name` are the person.
pub(crate) async fn recognize(
    annotations: Annotations,
    Query(Asked { user }): Query<Asked>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let user = User::asked(request.headers(), user.as_deref())?;
    annotations.insert("app.user_id", user.handle);
    annotations.insert("user_id", user.handle);
    annotations.insert("user_name", user.display_name);
    xray::user(user.handle);
    request.extensions_mut().insert(user);
    Ok(next.run(request).await)
}

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-user");

pub(crate) const USERS: [User; 5] = [
    User { handle: "andrewbrown", display_name: "Andrew Brown" },
    User { handle: "worf", display_name: "Worf" },
    User { handle: "garek", display_name: "Garek" },
    User { handle: "londo", display_name: "Londo Mollari" },
    User { handle: "bayko", display_name: "Andrew Bayko" },
];
