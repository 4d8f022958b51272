use super::plan::{Plan, TOKEN};
use crate::{
    Error,
    setup::{Setup, env::Env},
};

/// What code has said.
#[derive(Debug, Default)]
pub(in crate::setup) struct Given {
    /// Further endpoints, such as that of a console.
    pub(super) also: Vec<String>,
}

// ===== impl Setup =====

impl Setup {
    /// Sends Rollbar's items to a further endpoint, the whole URL of items, such as that of a console on this machine: beside
    /// the one that the environment names, in place of Rollbar if there is no `ROLLBAR_ACCESS_TOKEN`. It gets a made-up token,
    /// never yours.
    ///
    /// ```no_run
    /// use belvedere::Setup;
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = Setup::from_env().rollbar_endpoint("http://127.0.0.1:4318/api/1/item/").start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rollbar_endpoint(mut self, url: impl Into<String>) -> Self {
        self.rollbar.also.push(url.into());
        self
    }

    /// Whether the environment itself has a token of Rollbar's, so that items go there.
    pub fn names_rollbar(&self) -> bool {
        self.env.text(TOKEN).is_some()
    }
}

// ===== impl Given =====

impl Given {
    /// # Errors
    ///
    /// When a token is none that a header can hold, or an endpoint is no URL. The message names it, and does not show a token.
    pub(in crate::setup) fn plan(self, env: &Env, _service: &str) -> Result<Plan, Error> {
        Plan::new(self, env)
    }
}
