/// Something of AWS's that a service may run on, and that can be asked.
///
/// In the order of what is more specific, which is the order in which they are asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Plugin {
    /// An environment of Elastic Beanstalk.
    ElasticBeanstalk,
    /// A container in a cluster of EKS.
    Eks,
    /// A container of ECS, on instances or on Fargate.
    Ecs,
    /// An instance of EC2.
    Ec2,
}

// ===== impl Plugin =====

impl Plugin {
    /// As it is called in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ElasticBeanstalk => "elastic_beanstalk",
            Self::Eks => "eks",
            Self::Ecs => "ecs",
            Self::Ec2 => "ec2",
        }
    }
}
