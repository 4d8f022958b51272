use std::fmt;

use super::plan::{GROUP, Plan};
use crate::{
    Error,
    aws::Client,
    cloudwatch::Api,
    setup::{Setup, env::Env},
};

/// What code has said.
pub(in crate::setup) struct Given {
    /// Where the environment names none.
    pub(super) group: Option<String>,
    /// What posts to CloudWatch Logs itself.
    pub(super) client: Option<Client>,
    pub(super) api: ApiHook,
    /// Further endpoints, such as that of a console.
    pub(super) also: Vec<String>,
}

type ApiHook = Box<dyn FnOnce(Api) -> Api>;

// ===== impl Setup =====

impl Setup {
    /// The log group where `CLOUDWATCH_LOG_GROUP` names none. Each exchange is logged there then. Default: none, and nothing is
    /// logged.
    ///
    /// ```no_run
    /// use belvedere::Setup;
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = Setup::from_env().cloudwatch("/shop/checkout").start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cloudwatch(mut self, group: impl Into<String>) -> Self {
        self.cloudwatch.group = Some(group.into());
        self
    }

    /// Sends lines to CloudWatch Logs by this client: for credentials of AWS's own SDK, such as those of a profile, of single
    /// sign-on, or of IAM roles for service accounts. Where it goes to is not read from the environment then; that anything is
    /// logged still takes a group.
    ///
    /// ```no_run
    /// # #[cfg(feature = "aws-config")]
    /// # async fn run() -> Result<(), belvedere::Error> {
    /// use belvedere::{Setup, aws::{Client, Service}};
    ///
    /// let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    /// let logs = Client::from_sdk_config(Service::LOGS, &config)?.build()?;
    /// let belvedere = Setup::from_env().cloudwatch_api(logs).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cloudwatch_api(mut self, client: Client) -> Self {
        self.cloudwatch.client = Some(client);
        self
    }

    /// Sets more on the way to CloudWatch Logs itself: how much may wait, how a group is made. Default: as [`Api`] says.
    ///
    /// ```no_run
    /// use belvedere::{Setup, outbox::Limits};
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let limits = Limits::default().records(1_000).queue_bytes(8 << 20);
    /// let belvedere = Setup::from_env().cloudwatch_settings(move |api| api.limits(limits)).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cloudwatch_settings(mut self, set: impl FnOnce(Api) -> Api + 'static) -> Self {
        self.cloudwatch.api = Box::new(set);
        self
    }

    /// Sends lines to a further endpoint, such as that of a console on this machine: beside the one that the environment names,
    /// in place of AWS if nothing names a log group; the group is called as the service then. It gets requests that are signed
    /// with made-up keys, never with yours.
    ///
    /// ```no_run
    /// use belvedere::Setup;
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = Setup::from_env().cloudwatch_endpoint("http://127.0.0.1:7676").start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cloudwatch_endpoint(mut self, url: impl Into<String>) -> Self {
        self.cloudwatch.also.push(url.into());
        self
    }

    /// Whether the environment itself names a log group, so that lines go there.
    pub fn names_log_group(&self) -> bool {
        self.env.text(GROUP).is_some()
    }
}

// ===== impl Given =====

impl Given {
    /// # Errors
    ///
    /// When a group's or a stream's name is none, a region is missing, or a word is not known. The message names the variable.
    pub(in crate::setup) fn plan(self, env: &Env, service: &str) -> Result<Plan, Error> {
        Plan::new(self, env, service)
    }
}

impl Default for Given {
    fn default() -> Self {
        Self { group: None, client: None, api: Box::new(|api| api), also: Vec::new() }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, client, api: _, also } = self;
        f.debug_struct("Given")
            .field("group", group)
            .field("client", client)
            .field("also", also)
            .finish_non_exhaustive()
    }
}
