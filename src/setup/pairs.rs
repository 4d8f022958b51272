use percent_encoding::percent_decode_str;

use super::env::Env;

/// The `key=value` pairs of a comma list, percent-decoded, as baggage writes them.
///
/// A part that is no pair is left out with a warning that does not show it: it may be a secret.
pub(super) fn pairs(env: &Env, name: &str, text: &str) -> Vec<(String, String)> {
    let parts = text.split(',').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty());
    parts.filter_map(|(index, part)| pair(part).or_else(|| warned(env, name, index))).collect()
}

fn pair(part: &str) -> Option<(String, String)> {
    let (key, value) = part.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let key = key.trim();
    (!key.is_empty()).then(|| (key.to_owned(), value.into_owned()))
}

fn warned<T>(env: &Env, name: &str, index: usize) -> Option<T> {
    env.note(format!("{name}: part {} is no key=value: using the rest without it", index + 1));
    None
}
