//! AWS's sampling rules file.

use serde_json::Value;

use super::{
    local::{Limit, Local},
    matcher::Matcher,
};
use crate::{Error, xray::pattern::Pattern};

/// A value in the file, and where it stands.
struct Place<'a> {
    name: String,
    value: &'a Value,
}

/// # Errors
///
/// When a place does not hold what belongs there.
pub(super) fn read(json: &str) -> Result<Local, Error> {
    let file: Value = serde_json::from_str(json).map_err(|error| no_json(json, &error))?;
    let file = Place { name: FILE.to_owned(), value: &file };
    file.has_none_of(
        &[OF_ACCOUNT],
        "it is for `aws xray create-sampling-rule`, which adds it to the account's",
    )?;
    let host = host_key(&file)?;
    let default = file.member("default")?;
    default.has_none_of(&[HOST, SERVICE_NAME, METHOD, PATH], "it is for what no rule matches")?;
    let rules = file.list("rules")?;
    let rules = rules.iter().map(|rule| Ok((rule.matcher(host)?, rule.limit()?)));
    Ok(Local { rules: rules.collect::<Result<_, Error>>()?, default: default.limit()? })
}

/// What the version calls the host.
fn host_key(file: &Place<'_>) -> Result<&'static str, Error> {
    let version = file.member("version")?;
    match version.value.as_f64() {
        Some(1.0) => Ok(SERVICE_NAME),
        Some(2.0) => Ok(HOST),
        _ => Err(version.wrong("versions 1 and 2 are known")),
    }
}

fn no_json(json: &str, error: &serde_json::Error) -> Error {
    // A file that ends too early is wrong in its last line with anything in it.
    let lines = json.lines().take(error.line()).map(str::trim);
    let line = lines.filter(|line| !line.is_empty()).last().unwrap_or_default();
    Error::invalid(FILE, &excerpt(line), format_args!("it is not JSON: {error}"))
}

// ===== impl Place =====

impl<'a> Place<'a> {
    /// # Errors
    ///
    /// When there is none.
    fn member(&self, key: &str) -> Result<Self, Error> {
        let value =
            self.value.get(key).ok_or_else(|| self.wrong(format_args!("it needs a member `{key}`")))?;
        Ok(Self { name: self.name_of(key), value })
    }

    /// # Errors
    ///
    /// When there is something else.
    fn list(&self, key: &str) -> Result<Vec<Self>, Error> {
        let name = self.name_of(key);
        let values = match self.value.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(value) => return Err(Self { name, value }.wrong("it must be a list")),
        };
        Ok(values
            .iter()
            .enumerate()
            .map(|(at, value)| Self { name: format!("{name}[{at}]"), value })
            .collect())
    }

    fn matcher(&self, host: &str) -> Result<Matcher, Error> {
        let other = if host == HOST { SERVICE_NAME } else { HOST };
        self.has_none_of(&[other], format_args!("in this version it is `{host}`"))?;
        let [host, method, path] = [self.pattern(host)?, self.pattern(METHOD)?, self.pattern(PATH)?];
        Ok(Matcher { host, method, path, ..Matcher::any() })
    }

    fn pattern(&self, key: &str) -> Result<Pattern, Error> {
        let place = self.member(key)?;
        let text = place.value.as_str().ok_or_else(|| place.wrong("it must be a text, such as `*`"))?;
        Ok(Pattern::new(text))
    }

    fn limit(&self) -> Result<Limit, Error> {
        let (fixed_target, rate) = (self.member("fixed_target")?, self.member("rate")?);
        Ok(Limit::new(fixed_target.count()?, rate.share()?))
    }

    fn count(&self) -> Result<u64, Error> {
        let whole = |number: &f64| (0.0..=MOST).contains(number) && number.fract() == 0.0;
        let count = self.value.as_f64().filter(whole).map(|number| number as u64);
        count.ok_or_else(|| self.wrong("it must be a whole number, of requests in a second"))
    }

    fn share(&self) -> Result<f64, Error> {
        let share = self.value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| self.wrong("it must be a number from 0 to 1; 0.05 are 5 %"))
    }

    fn has_none_of(&self, keys: &[&str], advice: impl std::fmt::Display) -> Result<(), Error> {
        match keys.iter().find(|key| self.value.get(key).is_some()) {
            Some(key) => Err(self.wrong(format_args!("it must have no member `{key}`: {advice}"))),
            None => Ok(()),
        }
    }

    fn name_of(&self, key: &str) -> String {
        if self.name == FILE { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn wrong(&self, advice: impl std::fmt::Display) -> Error {
        let Self { name, value } = self;
        let name = if name == FILE { FILE.to_owned() } else { format!("{name} in {FILE}") };
        Error::invalid(&name, &excerpt(&value.to_string()), advice)
    }
}

fn excerpt(text: &str) -> String {
    let mut short = text[..text.floor_char_boundary(LONGEST_EXCERPT)].to_owned();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

const FILE: &str = "the sampling rules file";
const HOST: &str = "host";
/// What the one member of a rule for the account is called.
const OF_ACCOUNT: &str = "SamplingRule";
const SERVICE_NAME: &str = "service_name";
const METHOD: &str = "http_method";
const PATH: &str = "url_path";
const LONGEST_EXCERPT: usize = 80;

/// Up to here every whole number is one of its own as a float.
const MOST: f64 = (1_u64 << 53) as f64;
