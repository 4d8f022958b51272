//! What somebody should do, said once.

use std::sync::Once;

use super::action::Action;
use crate::{aws::ClientError, cloudwatch::GroupName, outbox::Reason};

/// What was said.
#[derive(Debug)]
pub(super) struct Advice {
    group: GroupName,
    credentials: Once,
    missing: Once,
    denied: [Once; 4],
}

// ===== impl Advice =====

impl Advice {
    pub(super) fn new(group: GroupName) -> Self {
        Self { group, credentials: Once::new(), missing: Once::new(), denied: [const { Once::new() }; 4] }
    }

    pub(super) fn no_answer(&self, error: &ClientError) {
        if error.is_credentials() {
            let causes = super::failure::chain(error);
            self.credentials.call_once(|| {
                tracing::warn!(
                    target: TARGET,
                    "CloudWatch Logs gets no events as long as there are no AWS credentials; they are kept and tried again: {causes}"
                );
            });
        }
    }

    /// An action is not allowed, or not as it was asked for.
    pub(super) fn denied(&self, action: Action, reason: &Reason) {
        let Self { group, denied, .. } = self;
        let (name, remedy, effect) = (action.name(), remedy(action, reason), effect(action));
        denied[action as usize].call_once(|| {
            tracing::error!(
                target: TARGET,
                "CloudWatch Logs refuses {name} for the log group {group} ({reason}){remedy}; {effect}"
            );
        });
    }

    /// There is no group or stream, and none is to be made.
    pub(super) fn missing(&self, stream: &str) {
        let group = &self.group;
        self.missing.call_once(|| {
            tracing::error!(
                target: TARGET,
                "there is no log group {group} with a stream {stream}, and none is made; events are kept and tried again"
            );
        });
    }
}

/// Which permission is missing, if that is what it is.
fn remedy(action: Action, reason: &Reason) -> String {
    if !DENIED.iter().any(|denied| reason.phrase().contains(denied)) {
        return String::new();
    }
    let name = action.name();
    let also = match action {
        Action::CreateLogGroup => {
            ", and for tags logs:TagResource, or the group has to be made by somebody else"
        }
        Action::PutRetentionPolicy | Action::PutLogEvents | Action::CreateLogStream => "",
    };
    format!("; the credentials need the permission logs:{name}{also}")
}

fn effect(action: Action) -> &'static str {
    match action {
        Action::PutRetentionPolicy => {
            "the group keeps its events for ever, unless somebody else says how long"
        }
        _ => "events are kept and tried again",
    }
}

const DENIED: [&str; 4] = ["AccessDenied", "NotAuthorized", "http 401", "http 403"];

const TARGET: &str = "belvedere::cloudwatch";
