use std::{fmt, str::FromStr, time::Duration};

use super::{env::Env, signal::Signal};

// ===== impl Env =====

/// What only the variables of OpenTelemetry hold.
impl Env {
    /// The first of some variables that is set, with its name.
    pub(super) fn first<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Option<(N, String)> {
        names.into_iter().find_map(|name| self.text(name.as_ref()).map(|text| (name, text)))
    }

    /// A variable of the OTLP exporter: the signal's own, or else the one for all signals. With its name.
    pub(super) fn otlp(&self, signal: Signal, what: &str) -> Option<(String, String)> {
        self.first([signal.variable(what), Signal::generic(what)])
    }

    /// `true` in any case; anything else but `false` is warned about.
    pub(super) fn flag(&self, name: &str) -> bool {
        let Some(text) = self.text(name) else { return false };
        if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
            self.warn(name, &text, "false");
        }
        text.eq_ignore_ascii_case("true")
    }

    /// The number in the first of these variables that is set; one that is not `usable` is warned about, and the
    /// default is used, which may be none.
    pub(super) fn number<T: FromStr + fmt::Display>(
        &self,
        names: &[&str],
        default: Option<T>,
        usable: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let Some((name, text)) = self.first(names) else { return default };
        let number = text.parse().ok().filter(usable);
        if number.is_none() {
            self.warn(name, &text, default.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string));
        }
        number.or(default)
    }

    /// The milliseconds in a variable, at least `least` of them.
    pub(super) fn millis(&self, name: &str, default: Duration, least: u64) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        let millis = self.number(&[name], Some(default), |millis| *millis >= least);
        Duration::from_millis(millis.unwrap_or(default))
    }

    /// The milliseconds in the first of these variables that is set, none of which are
    /// [no limit](https://opentelemetry.io/docs/specs/otel/configuration/common/#timeout).
    pub(super) fn timeout(&self, names: &[&str], default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        match self.number(names, Some(default), |_| true).unwrap_or(default) {
            0 => NO_LIMIT,
            millis => Duration::from_millis(millis),
        }
    }
}

/// A very long time, which the specification lets take its place.
const NO_LIMIT: Duration = Duration::from_millis(u32::MAX as u64);
