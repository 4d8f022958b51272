use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{REDACTED, Scrubber, query::LAYERS, scrubber::Rules, text};

// ===== impl Scrubber =====

impl Scrubber {
    /// A JSON value, in place: what a secret name leads to is replaced, whatever it is; all other strings are scrubbed as
    /// [texts](Self::text) are. `null`, `true`, `false` and empty strings stay. What lies deeper than 128 levels is replaced.
    pub fn json(&self, value: &mut Value) {
        scrub(self.rules(), value, 0, text::NESTED);
    }

    /// The members of a JSON object, in place, as [`json`](Self::json) does it.
    pub fn json_object(&self, object: &mut Map<String, Value>) {
        members(self.rules(), object, 0, text::NESTED);
    }
}

/// Whether something was replaced. `nested` is how often a string may be JSON itself.
pub(super) fn scrub(rules: &Rules, value: &mut Value, depth: usize, nested: usize) -> bool {
    match value {
        Value::String(string) => match text::scrub(rules, string, nested) {
            Cow::Borrowed(_) => false,
            Cow::Owned(scrubbed) => {
                *string = scrubbed;
                true
            }
        },
        Value::Array(_) | Value::Object(_) if depth >= DEPTH => hide(value),
        Value::Array(values) => {
            values.iter_mut().fold(false, |changed, value| scrub(rules, value, depth + 1, nested) | changed)
        }
        Value::Object(object) => members(rules, object, depth, nested),
        // A number is none that a text would lose, but for those of cards.
        Value::Number(number) => {
            let loses =
                rules.cards && matches!(text::scan(rules, &number.to_string(), LAYERS), Cow::Owned(_));
            loses && hide(value)
        }
        Value::Null | Value::Bool(_) => false,
    }
}

fn members(rules: &Rules, object: &mut Map<String, Value>, depth: usize, nested: usize) -> bool {
    let named = object.iter().any(|(name, value)| names(rules, name, value));
    let mut changed = false;
    for (name, value) in object.iter_mut() {
        let is_secret = rules.fields.have(name) || named && is_value(name);
        changed |= if is_secret { hide(value) } else { scrub(rules, value, depth + 1, nested) };
    }
    rename(rules, object) | changed
}

/// Whether a member tells that another one is secret, as in `{"name": "password", "value": ..}`.
fn names(rules: &Rules, name: &str, value: &Value) -> bool {
    let is_name = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    is_name && value.as_str().is_some_and(|name| rules.hide_header(name))
}

fn is_value(name: &str) -> bool {
    VALUES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Replaces names that are secrets themselves.
fn rename(rules: &Rules, object: &mut Map<String, Value>) -> bool {
    let is_secret = |name: &&String| matches!(text::scan(rules, name, LAYERS), Cow::Owned(_));
    let names: Vec<_> = object.keys().filter(is_secret).cloned().collect();
    for name in &names {
        let value = object.remove(name);
        object.insert(text::scan(rules, name, LAYERS).into_owned(), value.unwrap_or_default());
    }
    !names.is_empty()
}

fn hide(value: &mut Value) -> bool {
    let is_shown = match value {
        Value::Null | Value::Bool(_) => true,
        Value::String(string) => string.is_empty() || string == REDACTED,
        Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if !is_shown {
        *value = Value::from(REDACTED);
    }
    !is_shown
}

/// As deep as `serde_json` reads.
const DEPTH: usize = 128;
const NAMES: [&str; 4] = ["name", "key", "field", "header"];
const VALUES: [&str; 2] = ["value", "values"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(mut value: Value) -> Value {
        Scrubber::default().json(&mut value);
        value
    }

    #[test]
    fn secrets_are_found_at_every_level() {
        let shown = shown(json!({
            "user": {"name": "worf", "password": "canary", "PIN": 1701},
            "accounts": [{"apiKey": ["canary", "canary"]}, {"credentials": {"a": "canary"}}],
            "link": "https://me:canary@x/?token=canary",
            "inner": "{\"pass\\u0077ord\": \"canary\", \"page\": 2}",
            "headers": [{"name": "X-Api-Key", "value": "canary"}, {"name": "Accept", "value": "*/*"}],
        }));
        assert_eq!(
            shown,
            json!({
                "user": {"name": "worf", "password": "REDACTED", "PIN": "REDACTED"},
                "accounts": [{"apiKey": "REDACTED"}, {"credentials": "REDACTED"}],
                "link": "https://REDACTED:REDACTED@x/?token=REDACTED",
                "inner": "{\"page\":2,\"password\":\"REDACTED\"}",
                "headers": [{"name": "X-Api-Key", "value": "REDACTED"}, {"name": "Accept", "value": "*/*"}],
            })
        );
    }

    #[test]
    fn what_says_that_there_is_none_stays() {
        let none = json!({"password": null, "token": "", "auth": true, "page": 2, "max_tokens": 9});
        assert_eq!(shown(none.clone()), none);
    }

    #[test]
    fn what_is_too_deep_is_replaced() {
        let mut deep = json!({"note": "shown"});
        for _ in 0..DEPTH + 5 {
            deep = json!([deep]);
        }
        let text = shown(deep).to_string();
        assert!(text.contains(REDACTED) && !text.contains("shown"));
    }

    #[test]
    fn a_name_that_is_a_secret_goes_too() {
        assert_eq!(shown(json!({"AKIAIOSFODNN7EXAMPLE": 1})), json!({"REDACTED": 1}));
    }
}
