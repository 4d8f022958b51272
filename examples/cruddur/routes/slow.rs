use std::time::Duration;

use axum::Json;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::extract::Query;

#[derive(Deserialize)]
pub(crate) struct Asked {
    ms: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct Slept {
    ms: u64,
}

/// Takes its time: `ms` milliseconds, 800 if not told, five seconds at most.
///
/// Demonstrates a long bar in the list of traces; and, if the caller leaves before it is over, an exchange that was
/// canceled.
pub(crate) async fn slow(Query(Asked { ms }): Query<Asked>) -> Json<Slept> {
    let ms = ms.unwrap_or(800).min(MOST);
    sleep(Duration::from_millis(ms)).await;
    Json(Slept { ms })
}

const MOST: u64 = 5000;

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_caller_can_hold_it_for_longer_than_five_seconds() {
        let began = Instant::now();
        let Json(Slept { ms }) = slow(Query(Asked { ms: Some(u64::MAX) })).await;
        assert_eq!((ms, began.elapsed().as_secs()), (MOST, 5));
    }
}
