use super::{exporter::Exporter, plan::Plan};
use crate::{
    Error,
    aws::Client,
    setup::{Setup, env::Env},
    xray::{Daemon, DaemonAddress},
};

/// What code has said.
#[derive(Debug, Default)]
pub(in crate::setup) struct Given {
    pub(super) on: Option<bool>,
    /// Further daemons, such as that of a console.
    pub(super) also: Vec<DaemonAddress>,
    /// What posts to X-Ray itself.
    pub(super) api: Option<Client>,
    /// How many datagrams at once, and how many a second.
    pub(super) pace: Option<(usize, usize)>,
}

// ===== impl Setup =====

impl Setup {
    /// Whether segments are made. Default: where the environment names a daemon, by `AWS_XRAY_DAEMON_ADDRESS`, or the
    /// service, by `AWS_XRAY_TRACING_NAME`; where it says that X-Ray is on or off, by `AWS_XRAY_SDK_ENABLED` or
    /// `AWS_XRAY_SDK_DISABLED`, that counts before what is said here.
    pub fn xray(mut self, on: bool) -> Self {
        self.xray.on = Some(on);
        self
    }

    /// Sends segments to a further daemon, such as a console on this machine: beside the one that the environment names,
    /// in place of the default one if it names none. Segments go there whatever `BELVEDERE_XRAY_EXPORTER` says. X-Ray is on
    /// then, unless it is said to be off.
    ///
    /// ```no_run
    /// use belvedere::Setup;
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = Setup::from_env().xray_daemon("127.0.0.1:2000".parse()?).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn xray_daemon(mut self, address: DaemonAddress) -> Self {
        self.xray.also.push(address);
        self
    }

    /// How fast datagrams go to each daemon: `burst` at once, and `per_second` in the long run. Default: as fast as the
    /// smallest daemon takes them, 36 a second, which is 700 requests a second by X-Ray's own sampling.
    ///
    /// More is for a daemon with more memory, and for a console; [`Daemon::pace`] says how much. It does not help with
    /// `BELVEDERE_XRAY_EXPORTER=api`, which has no pace.
    pub fn xray_pace(mut self, burst: usize, per_second: usize) -> Self {
        self.xray.pace = Some((burst, per_second));
        self
    }

    /// Sends segments to X-Ray itself by this client, unless `BELVEDERE_XRAY_EXPORTER` says otherwise, and asks for sampling
    /// rules by it: for credentials of AWS's own SDK, such as those of a profile, of single sign-on, or of IAM roles for
    /// service accounts. X-Ray is on then, unless it is said to be off.
    ///
    /// ```no_run
    /// # #[cfg(feature = "aws-config")]
    /// # async fn run() -> Result<(), belvedere::Error> {
    /// use belvedere::{Setup, aws::{Client, Service}};
    ///
    /// let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    /// let xray = Client::from_sdk_config(Service::XRAY, &config)?.build()?;
    /// let belvedere = Setup::from_env().xray_api(xray).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn xray_api(mut self, client: Client) -> Self {
        self.xray.api = Some(client);
        self
    }

    /// Whether the environment itself says where segments go: a daemon, or X-Ray itself.
    pub fn names_daemon(&self) -> bool {
        Exporter::is_named(&self.env)
    }
}

// ===== impl Given =====

impl Given {
    /// The daemon there.
    pub(super) fn daemon(&self, address: DaemonAddress) -> Daemon {
        let daemon = Daemon::new(address);
        match self.pace {
            Some((burst, per_second)) => daemon.pace(burst, per_second),
            None => daemon,
        }
    }

    /// # Errors
    ///
    /// When a switch is neither on nor off; and where X-Ray is on, when a daemon's address is none, a region is missing,
    /// what to do where a segment is missing is not known, or
    /// the rules cannot be used. The message names the variable.
    pub(in crate::setup) fn plan(self, env: &Env, service: &str) -> Result<Plan, Error> {
        Plan::new(self, env, service)
    }
}
