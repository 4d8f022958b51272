use crate::xray::{Aws, Origin};

/// What was found about where the service runs.
#[derive(Clone, Debug, Default)]
pub(in crate::xray) struct Facts {
    pub(in crate::xray) origin: Option<Origin>,
    pub(in crate::xray) aws: Aws,
}

// ===== impl Facts =====

impl Facts {
    pub(super) fn new(origin: Origin, aws: Aws) -> Self {
        Self { origin: Some(origin), aws }
    }

    /// Adds what something less specific has found.
    pub(super) fn add(&mut self, other: Self) {
        let Self { origin, aws } = other;
        self.origin = self.origin.take().or(origin);
        let mine = &mut self.aws;
        mine.account_id = mine.account_id.take().or(aws.account_id);
        mine.elastic_beanstalk = mine.elastic_beanstalk.take().or(aws.elastic_beanstalk);
        mine.eks = mine.eks.take().or(aws.eks);
        mine.ecs = mine.ecs.take().or(aws.ecs);
        mine.ec2 = mine.ec2.take().or(aws.ec2);
        mine.cloudwatch_logs.extend(aws.cloudwatch_logs);
    }
}
