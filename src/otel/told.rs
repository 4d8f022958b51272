use std::{borrow::Cow, net::SocketAddr};

use super::{
    attributes::{HOST, HTTP_METHOD, METHOD, OTHER, SERVER_ADDRESS, SERVER_PORT, USER_AGENT, VERSION, cut},
    options::Options,
};
use crate::{
    exchange::{self, AddressPolicy, AddressText, Host},
    scrub::{Scrubber, beginning},
};

/// Where attributes are told, one after the other: to the API's types, or straight to the wire.
pub(super) trait Told {
    fn text(&mut self, key: &'static str, value: &str);

    /// A text of ASCII.
    fn ascii(&mut self, key: &'static str, value: &[u8]);

    /// A text that the program has.
    fn known(&mut self, key: &'static str, value: &'static str);

    fn number(&mut self, key: &'static str, value: i64);

    /// The method, or `_OTHER` beside what was written.
    fn method(&mut self, method: &http::Method, options: &Options) {
        match options.methods.name(method) {
            Some(Cow::Borrowed(name)) => self.known(HTTP_METHOD, name),
            Some(Cow::Owned(name)) => self.text(HTTP_METHOD, &name),
            None => {
                self.known(HTTP_METHOD, OTHER);
                self.text(
                    "http.request.method_original",
                    &options.scrubber.text(cut(method.as_str(), METHOD)),
                );
            }
        }
    }

    fn version(&mut self, version: http::Version) {
        if let Some(version) = exchange::version(version) {
            self.known(VERSION, version);
        }
    }

    fn server(&mut self, host: Option<Host<'_>>) {
        let Some(Host { name, port }) = host else { return };
        self.text(SERVER_ADDRESS, cut(name, HOST));
        if let Some(port) = port {
            self.number(SERVER_PORT, port.into());
        }
    }

    /// The socket's other end, as far as it may be shown.
    fn peer(&mut self, peer: Option<SocketAddr>, policy: AddressPolicy) {
        let Some(peer) = peer else { return };
        if let Some(address) = policy.apply(peer.ip()) {
            self.text("network.peer.address", AddressText::of(address).as_str());
        }
        if policy == AddressPolicy::Full {
            self.number("network.peer.port", peer.port().into());
        }
    }

    fn user_agent(&mut self, text: Option<&str>, scrubber: &Scrubber) {
        if let Some(text) = text {
            let shown = scrubber.text(beginning(text, USER_AGENT));
            self.text("user_agent.original", cut(&shown, USER_AGENT));
        }
    }
}
