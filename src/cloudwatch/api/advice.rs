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
        let (name, also) = (action.name(), also(action));
        denied[action as usize].call_once(|| {
            tracing::error!(
                target: TARGET,
                "CloudWatch Logs refuses {name} for the log group {group} ({reason}); the credentials need the permission \
                 logs:{name}{also}; events are kept and tried again"
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

fn also(action: Action) -> &'static str {
    match action {
        Action::CreateLogGroup => {
            ", and for tags logs:TagResource, or the group has to be made by somebody else"
        }
        Action::PutRetentionPolicy => "; until then the group keeps its events for ever",
        Action::PutLogEvents | Action::CreateLogStream => "",
    }
}

const TARGET: &str = "belvedere::cloudwatch";
