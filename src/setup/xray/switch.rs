use super::{env::Env, given::Given};
use crate::Error;

/// Whether segments are made, and by what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Switch {
    On,
    Off(String),
    /// Nobody has said anything.
    Unsaid,
}

// ===== impl Switch =====

impl Switch {
    /// The environment's own switches count before the code, and that before what is only named.
    ///
    /// # Errors
    ///
    /// When one of the environment's is neither on nor off.
    pub(super) fn read(env: &Env, given: &Given) -> Result<Self, Error> {
        let (enabled, disabled) = (env.switch(ENABLED)?, env.switch(DISABLED)?);
        let is_named = given.api.is_some()
            || !given.also.is_empty()
            || NAMED.iter().any(|name| env.text(name).is_some());
        Ok(match (disabled, enabled, given.on) {
            (Some(true), _, _) => Self::Off(format!("{DISABLED} is true")),
            (_, Some(false), _) => Self::Off(format!("{ENABLED} is false")),
            (_, None, Some(false)) => Self::Off("the program says so".to_owned()),
            (_, Some(true), _) | (_, None, Some(true)) => Self::On,
            (_, None, None) if is_named => Self::On,
            (_, None, None) => Self::Unsaid,
        })
    }
}

/// Of AWS's SDK for Python.
const ENABLED: &str = "AWS_XRAY_SDK_ENABLED";
/// Of AWS's SDK for Go.
const DISABLED: &str = "AWS_XRAY_SDK_DISABLED";
/// Who says one of these wants segments.
const NAMED: [&str; 2] = ["AWS_XRAY_DAEMON_ADDRESS", "AWS_XRAY_TRACING_NAME"];
