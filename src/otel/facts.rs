use std::{borrow::Cow, net::SocketAddr};

use http::Method;

use super::{
    attributes::{
        GRPC, HTTP_ROUTE, METHOD, RPC_SYSTEM, SCHEME, SERVER_ADDRESS, SERVER_PORT, TEXT, USER_AGENT, cut,
    },
    given::Given,
    options::Options,
    rooms::ROUTE,
    secrets,
    told::Told,
};
use crate::{
    exchange::{AddressText, Forwarded, Head, Plain, PlainHost},
    trace::Known,
};

/// What the conventions ask of a request that arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) options: &'a Options,
    pub(super) head: &'a Head,
    pub(super) forwarded: Option<&'a Forwarded>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) route: Option<&'a str>,
}

// ===== impl Facts =====

impl<'a> Facts<'a> {
    /// Those of an exchange whose head was kept.
    pub(super) fn of(
        options: &'a Options,
        known: &'a Known,
        given: Option<&'a Given>,
        forwarded: Option<&'a Forwarded>,
        is_matched: bool,
    ) -> Option<Self> {
        let head = known.head()?;
        let matched = || head.route().filter(|_| is_matched).map(|route| cut(route.pattern(), ROUTE));
        let route = given.and_then(|given| given.route.as_deref()).or_else(matched);
        let peer = given.and_then(|given| given.peer).or_else(|| head.peer());
        Some(Self { options, head, forwarded, peer, route })
    }

    /// Those of HTTP, but for the route.
    pub(super) fn http(&self, to: &mut impl Told) {
        let Self { options, head, peer, .. } = *self;
        let plain = head.plain(&options.scrubber);
        to.method(head.method(), options);
        self.target(plain, to);
        self.server(plain, to);
        self.client(to);
        to.peer(peer, options.addresses);
        to.version(head.version());
        match plain.user_agent.filter(|agent| agent.len() <= USER_AGENT) {
            Some(agent) => to.ascii("user_agent.original", agent),
            None => to.user_agent(head.user_agent(), &options.scrubber),
        }
    }

    pub(super) fn route(&self, to: &mut impl Told) {
        if let Some(route) = self.route {
            to.text(HTTP_ROUTE, route);
        }
    }

    /// Those of gRPC, as long as it is not known how the call ends.
    pub(super) fn grpc(&self, to: &mut impl Told) {
        let Self { options, head, peer, .. } = *self;
        to.known(RPC_SYSTEM, GRPC);
        self.server(head.plain(&options.scrubber), to);
        to.peer(peer, options.addresses);
    }

    pub(super) fn http_name(&self) -> Cow<'static, str> {
        http_name(self.options, self.head.method(), self.route)
    }

    /// What a call is named as long as nobody says that there is no such method.
    pub(super) fn grpc_name(&self) -> Cow<'static, str> {
        let method = self.rpc_method();
        if self.options.lacks(method) { Cow::Borrowed(GRPC) } else { Cow::Owned(method.to_owned()) }
    }

    /// The method of a call, as its caller wrote it.
    pub(super) fn rpc_method(&self) -> &'a str {
        rpc_method(self.head)
    }

    fn target(&self, plain: Plain<'_>, to: &mut impl Told) {
        let Self { options: Options { scrubber, query, .. }, head, forwarded, route, .. } = *self;
        to.known(SCHEME, head.scheme(forwarded));
        match plain.path.filter(|path| path.len() <= TEXT && self.has_own_route()) {
            Some(path) => to.ascii(PATH, path),
            None => to.text(PATH, cut(&secrets::path(scrubber, head.path(), route), TEXT)),
        }
        if let Some(text) = head.query() {
            to.text("url.query", cut(&secrets::query(scrubber, query, text), TEXT));
        }
    }

    /// Whether the route is that of the head, or there is none.
    fn has_own_route(&self) -> bool {
        let own = || self.head.route().map(|route| cut(route.pattern(), ROUTE));
        self.route.is_none() || self.route == own()
    }

    /// The host that was asked for.
    fn server(&self, plain: Plain<'_>, to: &mut impl Told) {
        let is_told = self.forwarded.is_some_and(|forwarded| forwarded.host.is_some());
        let Some(PlainHost { name, port }) = plain.host.filter(|_| !is_told) else {
            return to.server(self.head.host(self.forwarded));
        };
        to.ascii(SERVER_ADDRESS, name);
        if let Some(port) = port {
            to.number(SERVER_PORT, port.into());
        }
    }

    /// Who the client is: as a trusted proxy says, else the socket's other end.
    fn client(&self, to: &mut impl Told) {
        let told = self.forwarded.and_then(|forwarded| forwarded.client);
        let address = told.or_else(|| self.peer.map(|peer| peer.ip()));
        if let Some(address) = address.and_then(|address| self.options.addresses.apply(address)) {
            to.text("client.address", AddressText::of(address).as_str());
        }
    }
}

/// The method of a call of gRPC, as its caller wrote it.
pub(super) fn rpc_method(head: &Head) -> &str {
    cut(head.path().trim_start_matches('/'), METHOD)
}

/// `{method} {route}`, or the method alone: never the path.
pub(super) fn http_name(options: &Options, method: &Method, route: Option<&str>) -> Cow<'static, str> {
    let method = options.methods.name(method).unwrap_or(Cow::Borrowed("HTTP"));
    match route {
        Some(route) => Cow::Owned(format!("{method} {route}")),
        None => method,
    }
}

const PATH: &str = "url.path";
