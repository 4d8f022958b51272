//! The backend of a small social network whose posts expire, as a course on tracing built it in Flask, with the layers
//! of this crate around it.
//!
//! ```text
//! cargo run --release --example cruddur --features full,console
//! ```
//!
//! It prints one link. Behind it are a feed and a button for every route, and beside each request that you make a link
//! to its trace.
//!
//! ```text
//!  browser ──► backend-flask ──────► timeline          a second process, so that a trace has a border to cross
//!                    │                  │
//!                    └─ OTLP, segments ─┴──► the local console, or whatever the environment names
//!                       items, log lines
//! ```
//!
//! # Variables
//!
//! | variable | default | |
//! |---|---|---|
//! | `HOST`, `PORT` | `127.0.0.1`, `4567` | port 0 is any free one |
//! | `FRONTEND_URL`, `BACKEND_URL` | none | the only origins that may call from another page |
//! | `TIMELINE_URL` | none: it is started | where `cruddur timeline` runs, such as `http://timeline:4568` |
//! | `HONEYCOMB_API_KEY`, `OTEL_*` | none | traces go there, see `belvedere::setup` |
//! | `AWS_XRAY_*`, `AWS_*` | none | segments go there, see `belvedere::setup` |
//! | `ROLLBAR_ACCESS_TOKEN` | none | what fails goes to Rollbar; without it, to the local console |
//! | `ROLLBAR_ENVIRONMENT`, `ROLLBAR_CODE_VERSION` | `production`, none | what is said of it |
//! | `ROLLBAR_ENDPOINT` | Rollbar's | where items go, in full: `http://127.0.0.1:7676/api/1/item/` |
//! | `CLOUDWATCH_LOG_GROUP` | none | a line of each request goes there; without it, to the local console alone |
//! | `CLOUDWATCH_LOG_STREAM` | `{hostname}/{pid}` | the stream in it |
//! | `CONSOLE` | only without `HONEYCOMB_API_KEY` and `OTEL_*` | `both`: traces go there and to the local console |
//! | `RUST_LOG` | `warn` | what is logged, to standard error |
//!
//! `--traffic 5` makes five requests in a second, so that there is something to look at.
//!
//! # As two services
//!
//! ```text
//! docker compose -f examples/cruddur/compose.yaml up
//! ```
//!
//! `cruddur timeline` is the second service alone, on port 4568 unless `PORT` says otherwise. `compose.yaml` runs both,
//! and the X-Ray daemon; `Dockerfile.dev` builds and runs what is mounted, `Dockerfile.prod` makes an image of its own.
//! The second service has no console. Without containers, it sends to the backend's with
//!
//! ```text
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:7676 AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000 cruddur timeline
//! TIMELINE_URL=http://127.0.0.1:4568 cruddur
//! ```
//!
//! What the map shows for them are the names that `AWS_XRAY_TRACING_NAME` gives. The course's sampling rule is
//!
//! ```text
//! aws xray create-sampling-rule --cli-input-json file://examples/cruddur/aws/json/xray.json
//! ```

mod activity;
mod app;
mod args;
mod backend;
mod bind;
mod cors;
mod error;
mod extract;
mod healthy;
mod log;
mod routes;
mod seed;
mod serve;
mod settings;
mod store;
mod telemetry;
mod timeline;
mod trace_headers;
mod traffic;
mod user;
mod validate;

use std::process::ExitCode;

use crate::{args::Args, log::Shipping};

fn main() -> ExitCode {
    let shipping = log::start();
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let code = runtime.block_on(run(&shipping));
    // A read of standard input cannot be called off; nobody waits for it.
    runtime.shutdown_background();
    code
}

async fn run(shipping: &Shipping) -> ExitCode {
    let done = match Args::parse(std::env::args().skip(1)) {
        Ok(Args::Backend { traffic }) => backend::run(traffic, shipping).await,
        Ok(Args::Timeline) => timeline::run(shipping).await,
        Ok(Args::TimelineChild { also }) => timeline::run_as_child(also, shipping).await,
        Ok(Args::Healthy) => healthy::run().await,
        Ok(Args::Help) => {
            print!("{}", args::HELP);
            Ok(())
        }
        Err(wrong) => Err(wrong.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cruddur: {}", error::chain(&*error));
            ExitCode::FAILURE
        }
    }
}
