//! Secrets, and how they are kept from leaving the process.
//!
//! A [`Scrubber`] takes out of a record what looks like a secret, by the names of things and by their looks: passwords,
//! tokens, cookies, keys. What it takes out reads `REDACTED`, always, so that the same record always looks the same.
//!
//! ```
//! use belvedere::scrub::Scrubber;
//!
//! let scrubber = Scrubber::default().fields(["iban"]);
//! assert_eq!(scrubber.url("/login?user=worf&token=k7g"), "/login?user=worf&token=REDACTED");
//! assert_eq!(scrubber.text("no answer from postgres://me:qapla@db/shop"), "no answer from postgres://REDACTED:REDACTED@db/shop");
//! assert_eq!(scrubber.text("refused: iban=DE02120300000000202051"), "refused: iban=REDACTED");
//! ```
//!
//! # By name
//!
//! There are three lists of names: of *fields* (in JSON, forms, annotations, `key=value` in a text), of *headers*, and of
//! what besides fields is secret in a *query*. A setter adds to its list; one that begins with `only_` replaces it.
//!
//! Names are compared in lower case and without `-`, `_`, `.`, spaces and digits at the end, after percent-decoding. A
//! name that ends in `password`, `secret`, `token`, `apikey` and a few more is secret as well. Of a name with parts,
//! such as `user.password` or `user[password]`, each part counts.
//!
//! # By looks
//!
//! In any text: the user and the password in a URL, what follows `Bearer` and `Basic`, JSON web tokens, private keys in
//! PEM, access keys and session tokens of AWS, tokens of vendors that begin with a mark of theirs. Numbers of
//! cards, where asked for.
//!
//! # What is not found
//!
//! A secret in prose, without a name and without a shape: "the password of worf is qapla". In unquoted text a value ends
//! at a space, so of `passphrase: correct horse` the second word stays. A secret that the service has encoded by a way
//! of its own.
//!
//! # What it costs
//!
//! Time that grows with the size of what is scrubbed and with nothing else, and nothing but that time where there is
//! nothing to take out. What comes out is at most four times as long as what went in.

mod beginning;
pub(crate) mod bytes;
mod card;
#[cfg_attr(
    not(any(feature = "cloudwatch", feature = "otel", feature = "xray")),
    allow(dead_code, reason = "Rollbar's own are few")
)]
mod constant;
mod cookies;
mod copy;
#[cfg_attr(
    not(any(feature = "cloudwatch", feature = "otel", feature = "xray")),
    allow(dead_code, reason = "Rollbar's own are few")
)]
mod familiar;
mod header;
mod json;
mod keys;
mod lists;
mod looks;
mod pair;
mod query;
#[cfg(test)]
mod reference;
mod scrubber;
mod tells;
mod text;
mod token;
mod url;

#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
pub(crate) use self::constant::Constant;
pub use self::scrubber::Scrubber;
pub(crate) use self::{beginning::beginning, constant::is_plain};

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "REDACTED";
