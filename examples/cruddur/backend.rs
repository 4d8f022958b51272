use std::{env, sync::Arc, time::Duration};

use axum::BoxError;
use futures_util::FutureExt as _;
use tokio::net::TcpListener;

use crate::{
    app::{self, App},
    cors,
    routes::page::Page,
    serve,
    settings::Settings,
    store::Store,
    telemetry::Telemetry,
    timeline::{Child, Client},
    traffic::Traffic,
};

/// Runs the backend until it is told to stop.
pub(crate) async fn run(traffic: u32) -> Result<(), BoxError> {
    let settings = Settings::read(|name| env::var(name).ok())?;
    let listener = serve::listen(&settings.host, settings.port).await?;
    let url = serve::url(listener.local_addr()?);
    let telemetry = Telemetry::start("backend-flask", settings.both)?;
    let child = start_timeline(&telemetry).await;
    let router = {
        let client =
            child.as_ref().map(|child| Client::new(child.address(), &telemetry.belvedere.client_layer()));
        let page = Page::new(telemetry.console_url().as_deref());
        let app = Arc::new(App { store: Store::default(), timeline: client, page });
        app::router(app, telemetry.belvedere.otel_layer()).layer(cors::layer(settings.origins))
    };

    println!("Open {url}");
    let traffic = Traffic::start(&url, traffic);
    let served = serve_until_signal(listener, router).await;
    drop(traffic);
    stop(child, telemetry).await;
    served
}

async fn serve_until_signal(listener: TcpListener, router: axum::Router) -> Result<(), BoxError> {
    Ok(serve::serve(listener, router, serve::signal().shared()).await?)
}

/// A backend without its timeline sorts by itself.
async fn start_timeline(telemetry: &Telemetry) -> Option<Child> {
    let child = Child::start(telemetry.also().as_deref()).await;
    child
        .inspect_err(|error| {
            eprintln!("cruddur: no timeline service, so its part of the traces is missing: {error}")
        })
        .ok()
}

/// The timeline first: its spans go to a console that still has to be there.
async fn stop(child: Option<Child>, telemetry: Telemetry) {
    if let Some(child) = child {
        child.stop().await;
    }
    let Telemetry { belvedere, console } = telemetry;
    let report = belvedere.shutdown(LIMIT).await;
    if report.lost() > 0 {
        eprintln!("{report}");
    }
    drop(console);
}

const LIMIT: Duration = Duration::from_secs(5);
