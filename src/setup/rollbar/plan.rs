use super::{
    endpoint::{ENDPOINT, endpoint, parse},
    env::Env,
    given::Given,
    running::Running,
};
use crate::{
    Error,
    rollbar::{Api, ItemLane, RollbarLayer, Token},
    setup::{
        service::{environment, version},
        start::Start,
    },
};

/// What is to be started. Whatever may be refused has been looked at.
#[derive(Debug)]
pub(in crate::setup) struct Plan {
    /// None where nothing is reported.
    apis: Vec<Api>,
    environment: String,
    code_version: Option<String>,
}

// ===== impl Plan =====

impl Plan {
    pub(super) fn new(given: Given, env: &Env) -> Result<Self, Error> {
        let mut apis: Vec<_> = api(env)?.into_iter().collect();
        for url in &given.also {
            apis.push(Api::new(MADE_UP.parse()?).endpoint(parse("an endpoint of Rollbar's", url)?));
        }
        let environment = env.text(ENVIRONMENT).or_else(|| environment(env));
        let environment = environment.unwrap_or_else(|| PRODUCTION.to_owned());
        let code_version = env.text(CODE_VERSION).or_else(|| version(env));
        Ok(Self { apis, environment, code_version })
    }

    /// Opens the lanes, and makes the layer.
    ///
    /// # Errors
    ///
    /// When the process cannot do TLS.
    #[track_caller]
    pub(in crate::setup) fn start(self, start: &Start<'_>) -> Result<Running, Error> {
        let Self { apis, environment, code_version } = self;
        if apis.is_empty() {
            tracing::info!(target: TARGET, "items: off; {TOKEN} turns them on");
            return Ok(Running::new(None));
        }
        let lane = ItemLane::to_all(start.outbox, apis)?;
        tracing::info!(target: TARGET, to = %lane, %environment, code_version, "items: on");
        let layer = RollbarLayer::on(lane).environment(environment).propagation(start.propagation.clone());
        let layer = match code_version {
            Some(version) => layer.code_version(version),
            None => layer,
        };
        let layer = layer.scrubber(start.scrubber.clone()).addresses(start.addresses);
        if start.global {
            layer.reporter().install();
        }
        Ok(Running::new(Some(layer)))
    }
}

/// Rollbar itself, or what stands in for it; none without a token.
fn api(env: &Env) -> Result<Option<Api>, Error> {
    let Some(text) = env.text(TOKEN) else {
        if env.text(ENDPOINT).is_some() {
            env.note(format!("{ENDPOINT} is not used, because there is no {TOKEN}"));
        }
        return Ok(None);
    };
    let token: Token = text.parse().map_err(|_| Error::invalid(TOKEN, "...", ADVICE))?;
    let api = Api::new(token);
    Ok(Some(match endpoint(env)? {
        Some(uri) => api.endpoint(uri),
        None => api,
    }))
}

pub(super) const TOKEN: &str = "ROLLBAR_ACCESS_TOKEN";
const ENVIRONMENT: &str = "ROLLBAR_ENVIRONMENT";
const CODE_VERSION: &str = "ROLLBAR_CODE_VERSION";
const PRODUCTION: &str = "production";
const ADVICE: &str = "give a project's token that may post_server_item, in one word";
const TARGET: &str = "belvedere::setup";

/// What is sent where a token of the user's has no business.
const MADE_UP: &str = "local";
