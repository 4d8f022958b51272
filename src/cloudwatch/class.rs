/// What a log group can do with what it gets, which it cannot change later
/// ([log classes](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html)).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Class {
    /// All of it.
    #[default]
    Standard,
    /// For half of the price: no metrics out of log lines, no live tail, no subscriptions.
    InfrequentAccess,
}

// ===== impl Class =====

impl Class {
    /// As the API has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "INFREQUENT_ACCESS",
        }
    }
}
