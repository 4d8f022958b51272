/// What every layer of a server has to set, on `Options` that have fields of these names; and what those options are asked.
macro_rules! server_setters {
    (propagation: $propagation:literal, trust: $trust:literal, hops: $hops:literal, skip: $skip:literal) => {
        #[doc = $propagation]
        #[must_use]
        pub fn propagation(mut self, propagation: crate::trace::Propagation) -> Self {
            let options = self.options_mut();
            options.propagation = match options.trust {
                Some(trust) => propagation.trust(trust),
                None => propagation,
            };
            self
        }

        #[doc = $trust]
        #[must_use]
        pub fn trust(mut self, trust: crate::trace::TrustIncoming) -> Self {
            let options = self.options_mut();
            options.trust = Some(trust);
            options.propagation = options.propagation.clone().trust(trust);
            self
        }

        #[doc = $hops]
        #[must_use]
        pub fn trusted_hops(mut self, hops: impl Into<crate::exchange::Hops>) -> Self {
            self.options_mut().hops = hops.into();
            self
        }

        #[doc = $skip]
        #[must_use]
        pub fn skip(mut self, skip: impl Fn(&http::request::Parts) -> bool + Send + Sync + 'static) -> Self {
            self.options_mut().skip = Some(std::sync::Arc::new(skip));
            self
        }

        /// Tells the socket's other end, where the server keeps it in a type of its own, as tonic does. Default:
        /// [`Peer`](crate::exchange::Peer), else axum's `ConnectInfo` (feature `axum`).
        #[must_use]
        pub fn peer(
            mut self,
            peer: impl Fn(&http::request::Parts) -> Option<std::net::SocketAddr> + Send + Sync + 'static,
        ) -> Self {
            self.options_mut().peer = Some(std::sync::Arc::new(peer));
            self
        }
    };
}

pub(crate) use server_setters;
