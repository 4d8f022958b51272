/// What can be set on the server's layer and on the client's alike.
macro_rules! shared_setters {
    ($side:ident) => {
        /// Takes spans from this provider. Default: the global one. With a
        /// [`TracerProvider`](crate::otel::TracerProvider) of this crate the span of a server costs about half.
        #[must_use]
        pub fn tracer_provider<P>(mut self, provider: &P) -> Self
        where
            P: opentelemetry::trace::TracerProvider + 'static,
            P::Tracer: opentelemetry::trace::Tracer<Span: Send + Sync + 'static> + Send + Sync + 'static,
        {
            self.options_mut().spans = super::span::Spans::given(provider);
            self
        }

        /// Which headers carry the trace. Default: `tracecontext,baggage`.
        #[must_use]
        pub fn propagation(mut self, propagation: crate::trace::Propagation) -> Self {
            let options = self.options_mut();
            options.propagation = match options.trust {
                Some(trust) => propagation.trust(trust),
                None => propagation,
            };
            self
        }

        /// Leaves requests alone: no span, no headers. Default: none.
        #[must_use]
        pub fn skip(mut self, skip: impl Fn(&http::request::Parts) -> bool + Send + Sync + 'static) -> Self {
            self.options_mut().skip = Some(std::sync::Arc::new(skip));
            self
        }

        /// Names the span; where it gives `None`, the name is by the conventions: `GET /carts/{id}`,
        /// `GET`, a method of gRPC.
        ///
        /// A name should have few values: never the path. There is room for 1,000 that are made, each of at most 1024 bytes;
        /// once there are more, further ones count as `None`. Names that are `&'static str` need no room.
        #[must_use]
        pub fn span_name<N>(
            mut self,
            name: impl Fn(&http::request::Parts) -> Option<N> + Send + Sync + 'static,
        ) -> Self
        where
            N: Into<std::borrow::Cow<'static, str>>,
        {
            self.options_mut().span_name = Some(std::sync::Arc::new(move |request| name(request).map(Into::into)));
            self
        }

        /// Further attributes, from the request. Samplers see them. Default: none.
        #[must_use]
        pub fn request_attributes(
            mut self,
            attributes: impl Fn(&http::request::Parts) -> Vec<opentelemetry::KeyValue> + Send + Sync + 'static,
        ) -> Self {
            self.options_mut().request_attributes = Some(std::sync::Arc::new(attributes));
            self
        }

        /// Further attributes, from the response's head. Default: none.
        #[must_use]
        pub fn response_attributes(
            mut self,
            attributes: impl Fn(&http::response::Parts) -> Vec<opentelemetry::KeyValue> + Send + Sync + 'static,
        ) -> Self {
            self.options_mut().response_attributes = Some(std::sync::Arc::new(attributes));
            self
        }

        /// What of a query string may leave the process. Default: its keys, no value.
        #[must_use]
        pub fn query(mut self, query: crate::exchange::Query) -> Self {
            self.options_mut().query = query;
            self
        }

        /// What keeps secrets in. Default: [`Scrubber::default`](crate::scrub::Scrubber), whose lists are wide.
        ///
        /// It reads the path, the user agent, the headers and the values of the query that are kept, the messages of errors
        /// and panics, and further attributes, those of annotations among them. What a
        /// [sampler](https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampler) sees is scrubbed already.
        #[must_use]
        pub fn scrubber(mut self, scrubber: crate::scrub::Scrubber) -> Self {
            self.options_mut().scrubber = scrubber;
            self
        }

        /// Records metrics. Default: none. See [the table](crate::otel#the-metrics).
        ///
        /// Of two layers the outer one records: of a client's around a retry the call, not each attempt; of a service's
        /// where only the inner one has metrics nothing, with a warning.
        #[must_use]
        pub fn metrics(mut self, metrics: super::metrics::Metrics) -> Self {
            self.options_mut().instruments = Some(metrics.instruments(super::outcome::Side::$side));
            self
        }

        /// The methods that are taken for themselves, case-sensitive; all others are `_OTHER`, and name a span `HTTP`.
        /// A full replacement of the default: those of RFC 9110, `PATCH` and `QUERY`.
        #[must_use]
        pub fn known_methods<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
            self.options_mut().methods = crate::exchange::Methods::new(names);
            self
        }

        /// Also tells errors and panics as log records: events such as `http.server.request.exception`, with the span's
        /// trace. Default: no.
        ///
        /// The conventions are [moving](https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/) from events
        /// on spans to these; backends may still look for the events alone, as Honeycomb does.
        #[must_use]
        pub fn logger_provider<P>(mut self, provider: &P) -> Self
        where
            P: opentelemetry::logs::LoggerProvider,
            P::Logger: Send + Sync + 'static,
        {
            self.options_mut().exceptions.logger(provider);
            self
        }

        /// Whether errors and panics are `exception` events on the span. Default: yes.
        #[must_use]
        pub fn exception_events(mut self, events: bool) -> Self {
            self.options_mut().exceptions.events = events;
            self
        }

        /// Whether spans have the attributes of HTTP also under the names of before version 1.21 of the conventions, as
        /// `OTEL_SEMCONV_STABILITY_OPT_IN=http/dup` asks for: `http.method`, `http.target`, `net.peer.name` and so on, by
        /// the [migration guide](https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/). It is meant
        /// for the time in which queries are moved; it nearly doubles a span. Spans of gRPC have none. Default: no.
        #[must_use]
        pub fn old_http_names(mut self, old_http_names: bool) -> Self {
            self.options_mut().old_http_names = old_http_names;
            self
        }

        fn options_mut(&mut self) -> &mut super::options::Options {
            std::sync::Arc::make_mut(&mut self.options)
        }
    };
}

pub(super) use shared_setters;
