use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Counts how often a request is sent, over all its clones: retries and redirects.
///
/// It lies in the request's extensions, put there before the first attempt, and comes along wherever these are cloned:
/// in tower's `Retry`, whose policy clones the request, and in tower-http's `FollowRedirect` from 0.7 on. There, a
/// redirect to another origin loses its extensions, unless the policy is told to
/// [allow](https://docs.rs/tower-http/0.7/tower_http/follow_redirect/policy/struct.FilterCredentials.html) this one.
/// A loop of your own inserts it into the request that it clones:
///
/// ```
/// use belvedere::exchange::Resends;
/// use http::Request;
///
/// # fn main() -> Result<(), http::Error> {
/// let request = Request::get("https://api.example/carts").extension(Resends::new()).body(())?;
/// let attempts = [request.clone(), request];
/// # let count = |request: &Request<()>| request.extensions().get::<Resends>().map(Resends::send);
/// # assert_eq!(attempts.each_ref().map(count), [Some(0), Some(1)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Resends(Arc<AtomicU32>);

// ===== impl Resends =====

impl Resends {
    /// For a request that was not sent yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the request is being sent, and gives the ordinal of that: 0 for the first time, then 1, 2, 3.
    pub fn send(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
