//! Where a secret may be, and what becomes of it.

use std::{error::Error, fmt};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use belvedere::{
    exchange::{Annotations, HandlerError},
    rollbar::{Level, Report, report_error},
    xray::{self, Live, Sql},
};
use serde_json::json;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) at: Where,
    /// In what Rollbar gets; in the lines that CloudWatch Logs gets, which are the access record and the events of the
    /// request; in its span; in its segment.
    pub(crate) fates: [Fate; 4],
}

/// Where it is. `CANARY` stands for the secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where {
    Header(&'static str, &'static str),
    Query(&'static str),
    /// Behind the row's own path.
    Path(&'static str),
    /// A media type, and a body of it.
    Body(&'static str, &'static str),
    /// What a handler does with it.
    Handler(fn(&str) -> Response),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// It is not there, and `REDACTED` is.
    Removed,
    /// What it is in is not sent at all, for this reason.
    LeftOut(#[allow(dead_code, reason = "it is for who reads the table")] &'static str),
    /// It is there, for this reason.
    Kept(#[allow(dead_code, reason = "it is for who reads the table")] &'static str),
}

/// An error that is caused by another.
#[derive(Debug)]
struct Outer(std::io::Error);

// ===== impl Outer =====

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no cart")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn failed() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// A handler's error that says this.
fn said(message: String) -> Response {
    let mut response = failed();
    response.extensions_mut().insert(HandlerError::new(message));
    response
}

fn annotated(key: &'static str, value: String) -> Response {
    Annotations::current().insert(key, value);
    failed()
}

/// Reports by hand, as it is said how.
fn by_hand(change: impl FnOnce(Report) -> Report) -> Response {
    change(Report::error("a failure")).send();
    failed()
}

/// A body that fails when its head is sent.
fn broken(message: String) -> Response {
    let frames = [Ok(Bytes::from_static(b"a")), Err(std::io::Error::other(message))];
    Body::from_stream(futures_util::stream::iter(frames)).into_response()
}

const fn row(what: &'static str, at: Where, fates: [Fate; 4]) -> Row {
    Row { what, at, fates }
}

/// Says something to X-Ray.
fn told(tell: impl FnOnce(&Live)) -> Response {
    tell(&xray::current());
    failed()
}

/// A text with a URL's password behind so many bytes.
fn long(it: &str, bytes: usize) -> String {
    format!("{} https://me:{it}@shop.example/", "x".repeat(bytes))
}

/// It is in no id and no time.
pub(crate) const PIN: i64 = 170_117_011_701;

/// A number that nobody is to see, and a text that is looked for beside it.
fn numbered(it: &str) -> Response {
    Annotations::current().insert("pin", PIN);
    annotated("api_key", it.to_owned())
}

use Fate::{Kept, LeftOut, Removed};
use Where::{Body as InBody, Handler, Header, Path, Query};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

const PLAIN: Fate = Kept("it has neither the name nor the looks of a secret");
const PROSE: Fate = Kept("in prose nothing says where a secret begins");
const NOT_LOGGED: Fate = LeftOut("no header but the user agent, no body and nothing of the answer is logged");
const NO_HEADER: Fate = LeftOut("a segment has no header but the user agent");
const NO_QUERY: Fate = LeftOut("a segment has no query");
const NO_BODY: Fate = LeftOut("bodies are sent to Rollbar alone");
const NO_EVENTS: Fate = LeftOut("what is logged is no part of it");
const NO_ANSWER: Fate = LeftOut("of answers it has the status and the size");
const NAMED: Fate = Kept("the user agent is a part of it");
const OF_XRAY: Fate = LeftOut("it is said to X-Ray alone");
const OF_ROLLBAR: Fate = LeftOut("it is said to Rollbar alone");
const ASKED: Fate = Kept("it is said by hand, to be seen there");

pub(crate) static ROWS: &[Row] = &[
    // Headers. All of these names are on the layer's list, unless it is said.
    row(
        "authorization, bearer",
        Header("authorization", "Bearer CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "authorization, basic",
        Header("authorization", "Basic CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "authorization, of no scheme",
        Header("authorization", "CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "proxy-authorization",
        Header("proxy-authorization", "Basic CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row("x-api-key", Header("x-api-key", "CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    row("x-access-token", Header("x-access-token", "CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    row("x-auth-token", Header("x-auth-token", "CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    row("x-csrf-token", Header("x-csrf-token", "CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    row(
        "x-amz-security-token",
        Header("x-amz-security-token", "CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a header that ends in a secret's name",
        Header("x-shop-secret", "CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a header that is marked as sensitive",
        Header("x-quiet", "CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a bearer in a plain header",
        Header("x-plain", "Bearer CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a key of AWS in a plain header",
        Header("x-plain", "AKIACANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a field in a plain header",
        Header("x-plain", "a=b; password=CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "credentials of a URL in a header",
        Header("x-url", "https://me:CANARY@shop.example/"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a token in the referer",
        Header("referer", "https://shop.example/?token=CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row(
        "a plain header that is on the list",
        Header("x-plain", "CANARY"),
        [PLAIN, NOT_LOGGED, PLAIN, NO_HEADER],
    ),
    row(
        "user-agent",
        Header("user-agent", "shop/CANARY"),
        [Kept("it is on the list by default"), PLAIN, NAMED, NAMED],
    ),
    row(
        "a bearer in the user agent",
        Header("user-agent", "shop Bearer CANARY"),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a key of AWS in the user agent",
        Header("user-agent", "shop/AKIACANARY"),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a field in the user agent",
        Header("user-agent", "shop (password=CANARY)"),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a user in the host",
        Header("host", "me:CANARY@shop.example"),
        [
            LeftOut("a host is shown without its user"),
            NOT_LOGGED,
            LeftOut("a host is shown without its user"),
            LeftOut("a host is shown without its user"),
        ],
    ),
    row(
        "a header that is not on the list",
        Header("x-unlisted", "CANARY"),
        [LeftOut("not on the list"), NOT_LOGGED, LeftOut("not on the list"), NO_HEADER],
    ),
    row(
        "baggage",
        Header("baggage", "user=CANARY"),
        [LeftOut("not on the list"), NOT_LOGGED, LeftOut("it is passed on alone"), NO_HEADER],
    ),
    // Cookies.
    row("a session's cookie", Header("cookie", "session=CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    row("a cookie of any name", Header("cookie", "theme=CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    row(
        "the second cookie",
        Header("cookie", "a=b; theme=CANARY"),
        [Removed, NOT_LOGGED, Removed, NO_HEADER],
    ),
    row("a cookie without a name", Header("cookie", "CANARY"), [Removed, NOT_LOGGED, Removed, NO_HEADER]),
    // Queries and paths.
    row("a token in the query", Query("page=2&token=CANARY"), [Removed, Removed, Removed, NO_QUERY]),
    row("a code of OAuth in the query", Query("code=CANARY&state=x"), [Removed, Removed, Removed, NO_QUERY]),
    row("a signature in the query", Query("X-Amz-Signature=CANARY"), [Removed, Removed, Removed, NO_QUERY]),
    row("a secret's name with escapes", Query("p%61ssword=CANARY"), [Removed, Removed, Removed, NO_QUERY]),
    row(
        "a secret's name in brackets",
        Query("user%5Bpassword%5D=CANARY"),
        [Removed, Removed, Removed, NO_QUERY],
    ),
    row("the second value of a secret", Query("token=a&token=CANARY"), [Removed, Removed, Removed, NO_QUERY]),
    row(
        "a URL with a token in the query",
        Query("next=%2Flogin%3Ftoken%3DCANARY"),
        [Removed, Removed, Removed, NO_QUERY],
    ),
    row(
        "JSON in the query",
        Query("filter=%7B%22password%22%3A%22CANARY%22%7D"),
        [Removed, Removed, Removed, NO_QUERY],
    ),
    row("a bearer in the query", Query("q=Bearer%20CANARY"), [Removed, Removed, Removed, NO_QUERY]),
    row("a plain value in the query", Query("page=CANARY"), [PLAIN, PLAIN, PLAIN, NO_QUERY]),
    row(
        "a route parameter with a secret's name",
        Path("tokens/CANARY"),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "the rest of a path with a secret's name",
        Path("secrets/a/CANARY/b"),
        [Removed, Removed, Removed, Removed],
    ),
    row("a key of AWS in a route parameter", Path("carts/AKIACANARY"), [Removed, Removed, Removed, Removed]),
    row("a plain route parameter", Path("carts/CANARY"), [PLAIN, PLAIN, PLAIN, PLAIN]),
    // Bodies.
    row(
        "a form's password",
        InBody(FORM, "user=worf&password=CANARY"),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "a form's field in brackets",
        InBody(FORM, "user%5Bpin%5D=CANARY"),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row("a form's plain field", InBody(FORM, "cart=CANARY"), [PLAIN, NOT_LOGGED, NO_BODY, NO_BODY]),
    row(
        "a field of JSON",
        InBody(JSON, r#"{"password": "CANARY"}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "a field deep in JSON",
        InBody(JSON, r#"{"a": [{"b": {"api_key": "CANARY"}}]}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "what is below a secret's name in JSON",
        InBody(JSON, r#"{"secrets": {"a": ["CANARY"]}}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "JSON in a string of JSON",
        InBody(JSON, r#"{"raw": "{\"token\": \"CANARY\"}"}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "a name with escapes in JSON",
        InBody(JSON, r#"{"p\u0061ssword": "CANARY"}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "the first of two members in JSON",
        InBody(JSON, r#"{"a": "CANARY", "a": "Bearer 17abc"}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "a bearer in a text of JSON",
        InBody(JSON, r#"{"note": "Bearer CANARY"}"#),
        [Removed, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "a plain field of JSON",
        InBody(JSON, r#"{"cart": "CANARY"}"#),
        [PLAIN, NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "JSON that is none",
        InBody(JSON, r#"{"cart": "CANARY"#),
        [LeftOut("it cannot be read for its names"), NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    row(
        "a body of plain text",
        InBody("text/plain", "CANARY"),
        [LeftOut("of no kind that can be read"), NOT_LOGGED, NO_BODY, NO_BODY],
    ),
    // What failed.
    row(
        "a password in an error",
        Handler(|it| said(format!("refused: password={it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "JSON in an error",
        Handler(|it| said(format!("sent {{\"token\": \"{it}\"}}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a bearer in an error",
        Handler(|it| said(format!("sent Bearer {it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a JWT in an error",
        Handler(|it| said(format!("bad eyJhbGciOiJIUzI1NiJ9.{it}.{it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a key of AWS in an error",
        Handler(|it| said(format!("no access for AKIA{it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a key of GitHub in an error",
        Handler(|it| said(format!("no access for ghp_{it}{it}abcd"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a URL's password in an error",
        Handler(|it| said(format!("no postgres://me:{it}@db/shop"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a URL's user in an error",
        Handler(|it| said(format!("no https://{it}@shop.example/"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a private key in an error",
        Handler(|it| said(format!("bad -----BEGIN PRIVATE KEY-----\n{it}\n-----END PRIVATE KEY-----"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "what is derived by Debug in an error",
        Handler(|it| said(format!("Login {{ pin: {it:?} }}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a private key with a name in an error",
        Handler(|it| said(format!("private_key=-----BEGIN PRIVATE KEY-----\n{it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a plain word in an error",
        Handler(|it| said(format!("no cart {it}"))),
        [PLAIN, PLAIN, PLAIN, PLAIN],
    ),
    row(
        "a password in prose",
        Handler(|it| said(format!("the password of worf is {it}"))),
        [PROSE, PROSE, PROSE, PROSE],
    ),
    row(
        "a cause of an error",
        Handler(|it| {
            let mut response = failed();
            let cause = std::io::Error::other(format!("api_key={it}"));
            response.extensions_mut().insert(HandlerError::new(Outer(cause)));
            response
        }),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a context of anyhow",
        Handler(|it| {
            report_error(&anyhow::anyhow!("a").context(format!("token: {it}")).context("b"));
            failed()
        }),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "an error of a body",
        Handler(|it| broken(format!("refused: password={it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row("a panic", Handler(|it| panic!("refused: password={it}")), [Removed, Removed, Removed, Removed]),
    row("a panic, plain", Handler(|it| panic!("no cart {it}")), [PLAIN, PLAIN, PLAIN, PLAIN]),
    row(
        "a panic that is caught",
        Handler(|it| {
            let message = format!("secret={it}");
            let _ = std::panic::catch_unwind(|| panic!("{message}"));
            failed()
        }),
        [
            Removed,
            NOT_LOGGED,
            LeftOut("nobody is told of it but the hook"),
            LeftOut("nobody is told of it but the hook"),
        ],
    ),
    // What is said by hand.
    row(
        "an annotation with a secret's name",
        Handler(|it| annotated("api_key", it.to_owned())),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "an annotation with a name of parts",
        Handler(|it| annotated("user.password", it.to_owned())),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a bearer in an annotation",
        Handler(|it| annotated("note", format!("Bearer {it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row("a plain annotation", Handler(|it| annotated("cart", it.to_owned())), [ASKED, ASKED, ASKED, ASKED]),
    row("a person's id", Handler(|it| annotated("user_id", it.to_owned())), [ASKED, ASKED, ASKED, ASKED]),
    row(
        "a bearer as a person's id",
        Handler(|it| annotated("user_id", format!("Bearer {it}"))),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a token in a person's name",
        Handler(|it| {
            Annotations::current().insert("user_id", "worf");
            annotated("user_name", format!("token={it}"))
        }),
        [Removed, Removed, Removed, Removed],
    ),
    row(
        "a person's address",
        Handler(|it| {
            Annotations::current().insert("user_id", "worf");
            annotated("user_email", format!("{it}@shop.example"))
        }),
        [ASKED, ASKED, ASKED, ASKED],
    ),
    row(
        "a custom fact with a secret's name",
        Handler(|it| by_hand(|one| one.custom("token", it))),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a fact deep in a custom one",
        Handler(|it| by_hand(|one| one.custom("cart", json!({"a": [{"password": it}]})))),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a bearer in a custom fact",
        Handler(|it| by_hand(|one| one.custom("a", format!("Bearer {it}")))),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a plain custom fact",
        Handler(|it| by_hand(|one| one.custom("cart", it))),
        [ASKED, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a token in a title",
        Handler(|it| by_hand(|one| one.title(format!("token={it}")))),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a plain title",
        Handler(|it| by_hand(|one| one.title(format!("no {it}")))),
        [ASKED, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a token in a fingerprint",
        Handler(|it| by_hand(|one| one.fingerprint(format!("token={it}")))),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a plain fingerprint",
        Handler(|it| by_hand(|one| one.fingerprint(it))),
        [ASKED, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    row(
        "a message",
        Handler(|it| {
            // It is not the exchange's own report, and stands for it here.
            Report::error(&format!("refused: password={it}")).level(Level::Warning).send();
            failed()
        }),
        [Removed, OF_ROLLBAR, OF_ROLLBAR, OF_ROLLBAR],
    ),
    // Breadcrumbs.
    row(
        "a breadcrumb's message",
        Handler(|it| {
            tracing::info!("refused: password={it}");
            failed()
        }),
        [Removed, Removed, NO_EVENTS, NO_EVENTS],
    ),
    row(
        "a breadcrumb's field",
        Handler(|it| {
            tracing::info!(token = it, "refused");
            failed()
        }),
        [Removed, Removed, NO_EVENTS, NO_EVENTS],
    ),
    row(
        "a bearer in a breadcrumb's field",
        Handler(|it| {
            tracing::info!(sent = %format!("Bearer {it}"), "refused");
            failed()
        }),
        [Removed, Removed, NO_EVENTS, NO_EVENTS],
    ),
    row(
        "a breadcrumb's plain field",
        Handler(|it| {
            tracing::info!(cart = it, "refused");
            failed()
        }),
        [PLAIN, PLAIN, NO_EVENTS, NO_EVENTS],
    ),
    row(
        "a breadcrumb below the level",
        Handler(|it| {
            tracing::debug!(cart = it, "refused");
            failed()
        }),
        [LeftOut("the level is INFO"), LeftOut("the level is INFO"), NO_EVENTS, NO_EVENTS],
    ),
    row(
        "a field of a breadcrumb's span",
        Handler(|it| {
            tracing::info_span!("login", password = it).in_scope(|| tracing::info!("refused"));
            failed()
        }),
        [LeftOut("no spans are sent"), Removed, NO_EVENTS, NO_EVENTS],
    ),
    row(
        "a bearer that a span is told later",
        Handler(|it| {
            let span = tracing::info_span!("login", sent = tracing::field::Empty);
            span.record("sent", format!("Bearer {it}"));
            span.in_scope(|| tracing::info!("refused"));
            failed()
        }),
        [LeftOut("no spans are sent"), Removed, NO_EVENTS, NO_EVENTS],
    ),
    // What is answered.
    row(
        "a header of the answer",
        Handler(|it| {
            (StatusCode::INTERNAL_SERVER_ERROR, [("set-cookie", format!("sid={it}"))]).into_response()
        }),
        [LeftOut("of answers the status alone is sent"), NOT_LOGGED, Removed, NO_ANSWER],
    ),
    row(
        "the body of the answer",
        Handler(|it| (StatusCode::INTERNAL_SERVER_ERROR, it.to_owned()).into_response()),
        [LeftOut("of answers the status alone is sent"), NOT_LOGGED, NO_ANSWER, NO_ANSWER],
    ),
    // What is said to X-Ray by hand.
    row(
        "metadata with a secret's name",
        Handler(|it| told(|live| live.metadata("default", "password", it))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "metadata in a secret's namespace",
        Handler(|it| told(|live| live.metadata("secrets", "a", vec![it]))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "a fact deep in metadata",
        Handler(|it| told(|live| live.metadata("default", "cart", json!({"a": [{"token": it}]})))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "plain metadata",
        Handler(|it| told(|live| live.metadata("default", "cart", it))),
        [OF_XRAY, OF_XRAY, OF_XRAY, ASKED],
    ),
    row(
        "an annotation of X-Ray with a name of parts",
        Handler(|it| told(|live| live.annotate("user.pin", it.to_owned()))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "a long annotation of X-Ray that ends in a URL",
        Handler(|it| told(|live| live.annotate("note", long(it, 990)))),
        [OF_XRAY, OF_XRAY, OF_XRAY, LeftOut("it is cut before the mark")],
    ),
    row(
        "a token as X-Ray's user",
        Handler(|it| told(|live| live.user(format!("Bearer {it}")))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "an error that is recorded on a segment",
        Handler(|it| told(|live| live.record_error(&*format!("refused: password={it}")))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "an error of a subsegment",
        Handler(|it| told(|live| live.subsegment("load").record_error(&*format!("refused: password={it}")))),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    row(
        "a query to a database",
        Handler(|it| {
            told(|live| {
                live.subsegment("carts@db").update(|subsegment| {
                    let mut sql = Sql::default();
                    sql.sanitized_query = Some(format!("SET password = '{it}'").into());
                    subsegment.sql = Some(Box::new(sql));
                });
            })
        }),
        [OF_XRAY, OF_XRAY, OF_XRAY, Removed],
    ),
    // What is cut.
    row(
        "a URL's password where a segment is cut",
        Handler(|it| said(long(it, 240))),
        [Removed, Removed, Removed, LeftOut("it is cut before the mark")],
    ),
    row("a number with a secret's name", Handler(numbered), [Removed, Removed, Removed, Removed]),
    row(
        "a long user agent that ends in a URL",
        Header(
            "user-agent",
            concat!(
                "shop/1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ",
                "https://me:CANARY@shop.example/"
            ),
        ),
        [Removed, Removed, Removed, Removed],
    ),
];
