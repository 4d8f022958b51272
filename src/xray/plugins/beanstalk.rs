use super::facts::Facts;
use crate::{
    aws::Machine,
    outbox::Reason,
    xray::{Aws, ElasticBeanstalk, Origin},
};

/// By the file that is there where X-Ray is
/// [switched on for the environment](https://docs.aws.amazon.com/xray/latest/devguide/xray-services-beanstalk.html).
pub(super) async fn find(machine: &Machine) -> Result<Facts, Reason> {
    let json = machine.read(FILE).await.ok_or_else(|| Reason::new("not there"))?;
    let environment: Option<ElasticBeanstalk> = serde_json::from_slice(&json).ok();
    let environment = environment.filter(|environment| *environment != ElasticBeanstalk::default());
    let environment = environment.ok_or_else(|| Reason::new("unreadable"))?;
    let aws = Aws { elastic_beanstalk: Some(environment), ..Aws::default() };
    Ok(Facts::new(Origin::ElasticBeanstalkEnvironment, aws))
}

const FILE: &str = "var/elasticbeanstalk/xray/environment.conf";
