use super::env::Env;

/// What the layers record, by `OTEL_INSTRUMENTATION_*` and `OTEL_SEMCONV_*`.
#[derive(Debug, Default)]
pub(super) struct Instrumentation {
    /// The methods whose names are kept; none where the conventions' own are.
    pub(super) known_methods: Option<Vec<String>>,
    /// Whether the attributes from before the conventions were stable are added.
    pub(super) old_http_names: bool,
    pub(super) exceptions: Exceptions,
}

/// How an exception is told: <https://opentelemetry.io/docs/specs/semconv/exceptions/>.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Exceptions {
    #[default]
    Events,
    Logs,
    Both,
}

// ===== impl Instrumentation =====

impl Instrumentation {
    pub(super) fn read(env: &Env) -> Self {
        Self {
            known_methods: env.text(METHODS).map(|text| methods(&text)),
            // Words of other areas are not ours to judge.
            old_http_names: env.words("OTEL_SEMCONV_STABILITY_OPT_IN").iter().any(|word| word == "http/dup"),
            exceptions: Exceptions::read(env),
        }
    }

    pub(super) fn wants_logs(&self) -> bool {
        self.exceptions != Exceptions::Events
    }
}

// ===== impl Exceptions =====

impl Exceptions {
    fn read(env: &Env) -> Self {
        let words = env.words(EXCEPTIONS);
        let has = |wanted: &str| words.iter().any(|word| word == wanted);
        for word in words.iter().filter(|word| ![LOGS, BOTH].contains(&word.as_str())) {
            env.warn(EXCEPTIONS, word, "the rest of the list");
        }
        match () {
            () if has(BOTH) => Self::Both,
            () if has(LOGS) => Self::Logs,
            () => Self::Events,
        }
    }
}

/// Methods are told apart by case: <https://www.rfc-editor.org/rfc/rfc9110#section-9.1>.
fn methods(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

const EXCEPTIONS: &str = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN";
const LOGS: &str = "logs";
const BOTH: &str = "logs/dup";
const METHODS: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";
