use serde::Deserialize;

use super::facts::Facts;
use crate::{
    aws::{Imds, ImdsError},
    outbox::Reason,
    xray::{Aws, Ec2, Origin},
};

/// An [identity document](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    account_id: Option<String>,
    availability_zone: Option<String>,
    image_id: Option<String>,
    instance_id: Option<String>,
    instance_type: Option<String>,
}

pub(super) async fn find(imds: &Imds) -> Result<Facts, Reason> {
    let json = imds.identity().await.map_err(|error| reason(&error))?;
    let document = serde_json::from_slice(&json).map_err(|_| Reason::new("unreadable"))?;
    let Document { account_id, availability_zone, image_id, instance_id, instance_type } = document;
    let ec2 = Ec2 {
        instance_id: instance_id.map(Into::into),
        availability_zone: availability_zone.map(Into::into),
        instance_size: instance_type.map(Into::into),
        ami_id: image_id.map(Into::into),
    };
    if ec2 == Ec2::default() {
        return Err(Reason::new("unreadable"));
    }
    let aws = Aws { account_id: account_id.map(Into::into), ec2: Some(ec2), ..Aws::default() };
    Ok(Facts::new(Origin::Ec2Instance, aws))
}

fn reason(error: &ImdsError) -> Reason {
    match error {
        ImdsError::Http(error) => Reason::new(error.reason()),
        ImdsError::Status(status) => Reason::new(format!("http {}", status.as_u16())),
        ImdsError::Wrong(what) => Reason::new(*what),
    }
}
