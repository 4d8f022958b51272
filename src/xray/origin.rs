use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::Text;

/// The kind of AWS resource that a service runs on.
///
/// Where there are several, the most specific counts: Elastic Beanstalk, then EKS, then ECS, then EC2.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Origin {
    /// `AWS::EC2::Instance`.
    Ec2Instance,
    /// `AWS::ECS::Container`.
    EcsContainer,
    /// `AWS::ECS::EC2`: a container on an instance of one's own.
    EcsEc2,
    /// `AWS::ECS::Fargate`: a container on an instance of AWS's.
    EcsFargate,
    /// `AWS::EKS::Container`.
    EksContainer,
    /// `AWS::ElasticBeanstalk::Environment`.
    ElasticBeanstalkEnvironment,
    /// `AWS::AppRunner::Service`.
    AppRunnerService,
    /// Any other, as X-Ray writes it.
    Other(Text),
}

// ===== impl Origin =====

impl Origin {
    /// The origin as X-Ray writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ec2Instance => "AWS::EC2::Instance",
            Self::EcsContainer => "AWS::ECS::Container",
            Self::EcsEc2 => "AWS::ECS::EC2",
            Self::EcsFargate => "AWS::ECS::Fargate",
            Self::EksContainer => "AWS::EKS::Container",
            Self::ElasticBeanstalkEnvironment => "AWS::ElasticBeanstalk::Environment",
            Self::AppRunnerService => "AWS::AppRunner::Service",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for Origin {
    fn from(text: String) -> Self {
        KNOWN
            .iter()
            .find(|origin| origin.as_str() == text)
            .cloned()
            .unwrap_or_else(|| Self::Other(text.into()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

const KNOWN: [Origin; 7] = [
    Origin::Ec2Instance,
    Origin::EcsContainer,
    Origin::EcsEc2,
    Origin::EcsFargate,
    Origin::EksContainer,
    Origin::ElasticBeanstalkEnvironment,
    Origin::AppRunnerService,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_origins_read_back() {
        for origin in KNOWN.into_iter().chain([Origin::Other("AWS::Lambda::Function".into())]) {
            let json = serde_json::to_string(&origin).unwrap();
            assert_eq!(serde_json::from_str::<Origin>(&json).unwrap(), origin, "{json}");
        }
    }
}
