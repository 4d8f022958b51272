//! The daemon's address: every form of it, and every way to get it wrong.
#![cfg(feature = "xray")]

use belvedere::xray::{Daemon, DaemonAddress};
use proptest::prelude::*;

#[test]
fn one_address_is_for_both_protocols() {
    for (text, expected) in [
        ("127.0.0.1:2000", "127.0.0.1:2000"),
        ("xray-daemon:2000", "xray-daemon:2000"),
        ("xray_daemon.internal:65535", "xray_daemon.internal:65535"),
        (" localhost:1\n", "localhost:1"),
        ("[::1]:2000", "[::1]:2000"),
        ("tcp:2000", "tcp:2000"),
    ] {
        let address: DaemonAddress = text.parse().unwrap();
        assert_eq!((address.tcp(), address.udp()), (expected.to_owned(), expected.to_owned()), "{text}");
    }
}

#[test]
fn two_addresses_come_in_either_order_with_any_white_space() {
    for text in [
        "tcp:127.0.0.1:2000 udp:[::1]:3000",
        "udp:[::1]:3000 tcp:127.0.0.1:2000",
        "\tudp:[::1]:3000 \r\n  tcp:127.0.0.1:2000 ",
        "TCP:127.0.0.1:2000 Udp:[::1]:3000",
    ] {
        let address: DaemonAddress = text.parse().unwrap();
        assert_eq!((&*address.tcp(), &*address.udp()), ("127.0.0.1:2000", "[::1]:3000"), "{text:?}");
        assert_eq!(address.to_string(), "tcp:127.0.0.1:2000 udp:[::1]:3000");
    }
}

#[test]
fn what_is_no_address_is_an_error_that_says_why() {
    for (text, why) in [
        ("127.0.0.1", "the port is missing"),
        ("127.0.0.1:", "the port is not a number"),
        ("127.0.0.1:port", "the port is not a number"),
        ("127.0.0.1:0", "the port is not a number from 1 to 65535"),
        ("127.0.0.1:65536", "the port is not a number from 1 to 65535"),
        ("127.0.0.1:+80", "the port is not a number"),
        (":2000", "the host is missing"),
        ("::1:2000", "must stand in brackets"),
        ("[::1", "must stand in brackets"),
        ("[::1]", "the port is missing"),
        ("[localhost]:2000", "no address of IPv6"),
        ("http://localhost:2000", "it is a URL"),
        ("udp://localhost:2000", "it is a URL"),
        ("local/host:2000", "neither a name nor an address"),
        ("tcp:localhost:2000", "the udp part is missing"),
        ("udp:localhost:2000", "the tcp part is missing"),
        ("udp:localhost:2000 udp:localhost:2001", "two udp parts"),
        ("tcp:localhost:2000 tcp:localhost:2001", "two tcp parts"),
        ("localhost:2000 udp:localhost:2001", "begin with tcp: or udp:"),
        ("tcp:localhost:2000 localhost:2001", "begin with tcp: or udp:"),
        ("tcp:localhost:2000 udp:localhost", "the port is missing"),
        ("tcp:localhost:2000 udp::2000", "the host is missing"),
        ("tcp:localhost:2000 udp:localhost:2000 udp:localhost:2001", "more than two parts"),
        ("tcp:localhost:2000,udp:localhost:2000", "must stand in brackets"),
    ] {
        let error = DaemonAddress::lookup(|_| Some(text.to_owned())).unwrap_err();
        let message = error.to_string();
        assert!(error.is_invalid() && message.contains(why), "{text}: {message}");
        assert!(message.contains("AWS_XRAY_DAEMON_ADDRESS") && message.contains(text), "{message}");
        assert!(message.ends_with("write it as host:port, or as tcp:host:port udp:host:port"), "{message}");
    }
    assert!("".parse::<DaemonAddress>().unwrap_err().to_string().contains("it is empty"));
}

#[test]
fn a_variable_that_is_not_set_or_empty_is_none() {
    assert_eq!(DaemonAddress::lookup(|_| None).unwrap(), None);
    assert_eq!(DaemonAddress::lookup(|_| Some("  ".to_owned())).unwrap(), None);
    let asked =
        DaemonAddress::lookup(|name| (name == "AWS_XRAY_DAEMON_ADDRESS").then(|| "daemon:1".to_owned()));
    assert_eq!(asked.unwrap().unwrap().to_string(), "daemon:1");
}

#[test]
fn the_default_is_where_every_sdk_looks() {
    assert_eq!(DaemonAddress::default().to_string(), "127.0.0.1:2000");
    assert_eq!(*Daemon::default().address(), DaemonAddress::default());
}

proptest! {
    #[test]
    fn no_text_is_too_strange_to_be_read(text in "\\PC*") {
        let _ = text.parse::<DaemonAddress>();
    }

    #[test]
    fn what_is_written_is_read_again(
        tcp in "[a-z][a-z0-9.-]{0,20}:[1-9][0-9]{0,3}",
        udp in "[a-z][a-z0-9.-]{0,20}:[1-9][0-9]{0,3}",
    ) {
        let address: DaemonAddress = format!("udp:{udp} tcp:{tcp}").parse().unwrap();
        prop_assert_eq!((address.tcp(), address.udp()), (tcp, udp));
        prop_assert_eq!(address.to_string().parse::<DaemonAddress>().unwrap(), address);
    }
}
