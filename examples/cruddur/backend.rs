use std::{env, sync::Arc, time::Duration};

use axum::BoxError;

use crate::{
    app::{self, App},
    cors,
    log::Shipping,
    routes::page::Page,
    serve::{self, Signals},
    settings::Settings,
    store::Store,
    telemetry::{self, Telemetry},
    timeline::{Child, Client},
    traffic::Traffic,
};

/// Runs the backend until it is told to stop.
pub(crate) async fn run(traffic: u32, shipping: &Shipping) -> Result<(), BoxError> {
    let settings = Settings::read(|name| env::var(name).ok())?;
    let signals = Signals::listen();
    let listener = serve::listen(&settings.bind).await?;
    let url = serve::url(listener.local_addr()?);
    let telemetry = Telemetry::start(SERVICE, &settings, shipping)?;
    let child = if settings.timeline.is_none() { start_timeline(&telemetry).await } else { None };
    let router = {
        let timeline = settings.timeline.or_else(|| child.as_ref().map(Child::authority));
        let client = timeline.map(|at| Client::new(at, telemetry.belvedere.client_layer()));
        let page = Page::new(telemetry.console_url().as_deref());
        let app = Arc::new(App { store: Store::default(), timeline: client, page });
        app::router(app, telemetry.layer()).layer(cors::layer(settings.origins))
    };

    println!("Open {url}");
    let traffic = Traffic::start(&url, traffic);
    let served = serve::serve_until(&signals, listener, router).await;
    drop(traffic);
    stop(child, telemetry, signals).await;
    served
}

/// A backend without its timeline sorts by itself.
async fn start_timeline(telemetry: &Telemetry) -> Option<Child> {
    let child = Child::start(&telemetry.also()).await;
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

/// Where it listens if it is not told where.
pub(crate) const PORT: u16 = 4567;

const LIMIT: Duration = Duration::from_secs(5);
