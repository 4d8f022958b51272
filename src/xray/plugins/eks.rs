use std::{collections::HashMap, time::Duration};

use http::{HeaderMap, HeaderValue, Uri, header};
use serde::Deserialize;

use super::{cgroup, facts::Facts};
use crate::{
    Error,
    aws::{Machine, Variables},
    exchange::Host,
    outbox::Reason,
    transport::HttpClient,
    xray::{self, Aws, Origin},
};

/// The Kubernetes API as a pod
/// [finds it](https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/), and a config map that Container
/// Insights makes.
#[derive(Clone, Debug)]
pub(super) struct Eks {
    config_map: Uri,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: HashMap<String, String>,
}

// ===== impl Eks =====

impl Eks {
    /// `None`: it is no Kubernetes.
    pub(super) fn new(variables: Variables<'_>) -> Result<Option<Self>, Error> {
        let Some(name) = variables.text(HOST) else { return Ok(None) };
        let port = variables.text(PORT).map(|text| {
            text.parse().map_err(|_| Error::invalid(PORT, &text, "it is a port, as Kubernetes sets it"))
        });
        let host = Host { name: &name, port: port.transpose()? };
        let uri = format!("https://{host}{CONFIG_MAP}").parse();
        let config_map =
            uri.map_err(|_| Error::invalid(HOST, &name, "it is a host, as Kubernetes sets it"))?;
        Ok(Some(Self { config_map }))
    }

    pub(super) async fn find(&self, machine: &Machine) -> Result<Facts, Reason> {
        let cgroup = machine.cgroup().await;
        let cluster = self.cluster(machine).await;
        let logs = cluster.as_ref().map(|cluster| format!("/aws/containerinsights/{cluster}/application"));
        let aws = Aws {
            cloudwatch_logs: logs.map(Into::into).into_iter().collect(),
            eks: Some(xray::Eks {
                pod: machine.name().await.map(Into::into),
                cluster_name: cluster.map(Into::into),
                container_id: cgroup::container_id(&cgroup).map(|id| id.to_owned().into()),
            }),
            ..Aws::default()
        };
        Ok(Facts::new(Origin::EksContainer, aws))
    }

    /// The cluster's name, if the pod may know it.
    async fn cluster(&self, machine: &Machine) -> Option<String> {
        let roots = machine.read(ROOTS).await?;
        let token = machine.text(TOKEN).await?;
        let http =
            HttpClient::builder().connect_timeout(LIMIT).roots(&roots).and_then(|http| http.build()).ok()?;
        let mut token = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        token.set_sensitive(true);
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, token)]);
        let answer = http.get(&self.config_map, &headers, LIMIT).await.ok()?;
        if !answer.status.is_success() {
            return None;
        }
        let mut map: ConfigMap = serde_json::from_slice(&answer.body).ok()?;
        map.data.remove("cluster.name").filter(|name| !name.is_empty())
    }
}

const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";
const CONFIG_MAP: &str = "/api/v1/namespaces/amazon-cloudwatch/configmaps/cluster-info";
const TOKEN: &str = "var/run/secrets/kubernetes.io/serviceaccount/token";
const ROOTS: &str = "var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const LIMIT: Duration = Duration::from_secs(2);
