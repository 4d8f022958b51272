use std::{env, sync::Arc, time::Duration};

use axum::{BoxError, Router};
use futures_util::FutureExt as _;
use tokio::net::TcpListener;

use crate::{
    app::{self, App},
    cors,
    routes::page::Page,
    serve::{self, Signals},
    settings::Settings,
    store::Store,
    telemetry::{self, Telemetry},
    timeline::{Child, Client},
    traffic::Traffic,
};

/// Runs the backend until it is told to stop.
pub(crate) async fn run(traffic: u32) -> Result<(), BoxError> {
    let settings = Settings::read(|name| env::var(name).ok())?;
    let signals = Signals::listen();
    let listener = serve::listen(&settings.host, settings.port).await?;
    let url = serve::url(listener.local_addr()?);
    let telemetry = Telemetry::start(SERVICE, &settings)?;
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
    let served = serve_until(&signals, listener, router).await;
    drop(traffic);
    stop(child, telemetry, signals).await;
    served
}

async fn serve_until(signals: &Signals, listener: TcpListener, router: Router) -> Result<(), BoxError> {
    let asked = signals.clone().asked().shared();
    tokio::select! {
        served = serve::serve(listener, router, asked) => Ok(served?),
        () = signals.clone().insisted() => Ok(()),
    }
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

/// Both at once, for as long as nobody insists; the console last, since both send to it.
async fn stop(child: Option<Child>, telemetry: Telemetry, signals: Signals) {
    let Telemetry { belvedere, console } = telemetry;
    let stop_child = async {
        if let Some(child) = child {
            child.stop(signals.clone().insisted()).await;
        }
    };
    let shutdown = telemetry::shutdown(SERVICE, belvedere, LIMIT, signals.clone().insisted());
    tokio::join!(stop_child, shutdown);
    drop(console);
}

const SERVICE: &str = "backend-flask";

const LIMIT: Duration = Duration::from_secs(5);
