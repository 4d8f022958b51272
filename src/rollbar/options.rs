use std::{fmt, net::SocketAddr, sync::Arc};

use http::{StatusCode, request};

use super::{Reporter, layer::HEADERS};
use crate::{
    exchange::{self, AddressPolicy, Code, HeaderNames, Hops},
    trace::{Propagation, TrustIncoming},
};

/// What a user has set. Shared by a layer and all the services it made.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) reporter: Reporter,
    pub(super) fails: Arc<dyn Fn(StatusCode) -> bool + Send + Sync>,
    pub(super) grpc_fails: Arc<dyn Fn(Code) -> bool + Send + Sync>,
    pub(super) addresses: AddressPolicy,
    pub(super) headers: HeaderNames,
    pub(super) propagation: Propagation,
    /// Where it was said by itself, whichever was said first.
    pub(super) trust: Option<TrustIncoming>,
    pub(super) hops: Hops,
    pub(super) skip: Option<OfRequest<bool>>,
    pub(super) peer: Option<OfRequest<Option<SocketAddr>>>,
}

type OfRequest<T> = Arc<dyn Fn(&request::Parts) -> T + Send + Sync>;

// ===== impl Options =====

impl Options {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            fails: Arc::new(|status: StatusCode| status.is_server_error()),
            grpc_fails: Arc::new(Code::is_server_error),
            addresses: AddressPolicy::default(),
            headers: HeaderNames::new(HEADERS).expect("they are names of headers"),
            propagation: Propagation::default(),
            trust: None,
            hops: Hops::NONE,
            skip: None,
            peer: None,
        }
    }

    pub(super) fn skips(&self, request: &request::Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip(request))
    }

    /// Whether it wants to know more of a request than what all backends share.
    pub(super) fn notes_more(&self) -> bool {
        self.headers.len() > HEADERS.len() || self.hops != Hops::NONE || self.peer.is_some()
    }

    pub(super) fn peer(&self, request: &request::Parts) -> Option<SocketAddr> {
        let told = self.peer.as_ref().and_then(|peer| peer(request));
        told.or_else(|| exchange::peer(&request.extensions))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reporter, addresses, headers, propagation, hops, .. } = self;
        f.debug_struct("Options")
            .field("reporter", reporter)
            .field("addresses", addresses)
            .field("headers", headers)
            .field("propagation", propagation)
            .field("hops", hops)
            .finish_non_exhaustive()
    }
}
