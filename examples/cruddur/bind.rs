use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a service listens.
#[derive(Debug, PartialEq)]
pub(crate) struct Bind {
    pub(crate) host: String,
    pub(crate) port: u16,
}

// ===== impl Bind =====

impl Bind {
    /// Reads `HOST` and `PORT`. Without the first it is this machine alone.
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>, default_port: u16) -> Result<Self, String> {
        let text =
            |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Self {
            host: text("HOST").unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: text("PORT").map_or(Ok(default_port), port)?,
        })
    }

    /// The host by which this machine itself finds it.
    pub(crate) fn local_host(&self) -> String {
        let ip = self.host.parse().map(reachable);
        ip.map_or_else(|_| self.host.clone(), |ip: IpAddr| ip.to_string())
    }
}

/// An address that stands for all of a machine's own ones cannot be connected to everywhere.
pub(crate) fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

fn port(text: String) -> Result<u16, String> {
    text.parse().map_err(|_| format!("PORT is {text:?}: give a number from 0 to 65535, such as 4567"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(host: &str, port: &str) -> Result<Bind, String> {
        Bind::read(|name| Some(if name == "HOST" { host } else { port }.to_owned()), 4567)
    }

    #[test]
    fn nothing_set_is_this_machine() {
        let bind = Bind { host: "127.0.0.1".to_owned(), port: 4567 };
        assert_eq!(Bind::read(|_| None, 4567), Ok(bind));
        assert_eq!(read(" ", ""), Bind::read(|_| None, 4567));
    }

    #[test]
    fn a_port_that_is_none_is_an_error_that_names_the_variable() {
        assert!(read("", "99999").unwrap_err().starts_with("PORT"));
    }

    #[test]
    fn all_addresses_of_the_machine_are_found_at_its_own() {
        for (host, local) in
            [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7"), ("backend", "backend")]
        {
            assert_eq!(read(host, "1").unwrap().local_host(), local);
        }
    }
}
