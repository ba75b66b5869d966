//! Where webhooks may go: not into the network this process stands in (server-side request forgery).
//!
//! The address is judged, never the name: a name is resolved, every address it has is judged, and the one that is then
//! connected to is one of those.

use sip_core::ua::IpNetwork;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The longest URL taken.
const URL_MAX: usize = 2_000;

/// What an installation allows beyond the public internet.
#[derive(Clone, Debug, Default)]
pub struct WebhookGuard {
    /// Networks that may be reached although they are not public, also without TLS.
    pub allowed: Vec<IpNetwork>,
    /// Whether plain http may go to public addresses. The events name people.
    pub plain_http: bool,
}

/// A URL that events may be sent to, as far as the URL alone tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The name or address, without brackets: what is resolved, and what the certificate must name.
    pub host: String,
    /// The Host header: with the port unless it is the usual one.
    pub authority: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// The address, if the URL has one instead of a name.
    pub address: Option<IpAddr>,
}

impl WebhookGuard {
    /// Reads a URL. Decimal, octal and hexadecimal addresses are read as every client reads them (WHATWG URL), and judged as
    /// the addresses they are.
    ///
    /// # Errors
    /// A sentence saying what is wrong with it.
    pub fn target(&self, text: &str) -> Result<Target, &'static str> {
        if text.len() > URL_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("This is not a URL");
        }
        let url = Url::parse(text).map_err(|_| "This is not a URL")?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("Only https URLs are taken"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("A URL with a user or password is not taken: use the signature instead");
        }
        let (host, address) = match url.host().ok_or("This URL names no host")? {
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
            Host::Domain(name) => (name.to_owned(), None),
        };
        if address.is_some_and(|address| !self.permits(address)) {
            return Err("This address is not on the public internet");
        }
        let listed = address.is_some_and(|address| self.lists(address));
        if !tls && !self.plain_http && !listed {
            return Err("Only https URLs are taken");
        }
        let port = url.port_or_known_default().ok_or("This URL names no port")?;
        let shown = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| shown.to_owned(), |port| format!("{shown}:{port}"));
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Target { tls, host, authority, port, path, address })
    }

    /// Whether this address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        is_public(address) || self.lists(address)
    }

    fn lists(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.allowed.iter().any(|network| network.contains(address))
    }
}

/// An IPv4 address in the clothes of an IPv6 one (mapped, RFC 4291 section 2.5.5.2) is the IPv4 one.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether an address is one of the public internet (IANA's special-purpose registries, RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network, private, loopback, multicast and above (broadcast, reserved).
        0 | 10 | 127 | 224..=255 => true,
        // Carrier-grade NAT, RFC 6598.
        100 => (64..=127).contains(&b),
        // Link-local, also the metadata services of the clouds.
        169 => b == 254,
        172 => (16..=31).contains(&b),
        // IETF protocols, TEST-NET-1, 6to4 relays, private.
        192 => (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99) || b == 168,
        // Benchmarks, TEST-NET-2.
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        // TEST-NET-3.
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is handed out; in it lie tunnels, which carry an IPv4 address, and documentation.
    let global = a & 0xE000 == 0x2000;
    let teredo_or_protocols = a == 0x2001 && b < 0x0200;
    let documentation = (a == 0x2001 && b == 0x0DB8) || (a == 0x3FFF && b < 0x1000);
    let six_to_four = a == 0x2002;
    global && !teredo_or_protocols && !documentation && !six_to_four
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything an attacker writes to reach the inside.
    const INSIDE: [&str; 80] = [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.255.255.254/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://0/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://10.255.255.255/",
        "https://167772161/",
        "https://172.16.0.1/",
        "https://172.31.255.255/",
        "https://192.168.0.1/",
        "https://0xC0A80001/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/",
        "https://0251.0376.0251.0376/",
        "https://169.254.0.1/",
        "https://100.64.0.1/",
        "https://100.127.255.254/",
        "https://192.0.0.8/",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://198.51.100.1/",
        "https://203.0.113.1/",
        "https://224.0.0.1/",
        "https://239.255.255.250/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[2001:db8::1]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        "https://\u{FF11}27.0.0.1/",
        "https://127.0.1/",
        "https://127.0.0.1./",
        "https://0x7f.0x0.0x0.0x1/",
        "https://0x7F000001/",
        "https://00000177.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://127%2E0%2E0%2E1/",
        "https://127\u{3002}0\u{3002}0\u{3002}1/",
        "https://\u{2460}\u{2461}\u{2466}.0.0.1/",
        "https://0xa9fea9fe/",
        "https://169.254.43518/",
        "https://100.100.100.200/",
        "https://192.0.0.192/",
        "https://192.88.99.1/",
        "https://198.19.255.255/",
        "https://172.16.1/",
        "https://10.1/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[::ffff:a00:1]/",
        "https://[64:ff9b::169.254.169.254]/",
        "https://[64:ff9b:1::7f00:1]/",
        "https://[2002:a9fe:a9fe::]/",
        "https://[2002:c0a8:1::1]/",
        "https://[fec0::1]/",
        "https://[fe80::1%25lo]/",
        "https://[100::1]/",
        "https://[5f00::1]/",
        "https://[2001:10::1]/",
        "https://[2001:20::1]/",
        "https://[3fff::1]/",
        "https://[::1]:8443/",
    ];

    #[test]
    fn w4_no_form_of_an_inner_address_is_taken() {
        let guard = WebhookGuard::default();
        for text in INSIDE {
            assert!(guard.target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn w4_other_tricks_are_refused() {
        let guard = WebhookGuard::default();
        for text in [
            "http://hooks.else.test/",
            "ftp://hooks.else.test/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:25/",
            "https://user:password@hooks.else.test/",
            "https://hooks.else.test@127.0.0.1/",
            "https:// hooks.else.test/",
            "https://hooks.else.test/\r\nX: y",
            "//hooks.else.test/",
            "",
        ] {
            assert!(guard.target(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn w4_public_addresses_and_names_are_taken() {
        let guard = WebhookGuard::default();
        for text in
            ["https://8.8.8.8/", "https://[2606:4700::1111]/", "https://172.32.0.1/", "https://100.63.0.1/"]
        {
            assert!(guard.target(text).is_ok(), "{text}");
        }
        let target = guard.target("https://Hooks.Else.test:8443/in?x=1#part").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("hooks.else.test", 8443, "/in?x=1")
        );
        assert_eq!(target.authority, "hooks.else.test:8443");
        assert!(target.tls && target.address.is_none());
    }

    #[test]
    fn w4_listed_networks_are_taken_and_nothing_beside_them() {
        let guard = WebhookGuard { allowed: vec!["127.0.0.0/8".parse().unwrap()], plain_http: false };
        assert!(guard.target("http://127.0.0.1:9000/hook").is_ok());
        assert!(guard.permits("::ffff:127.0.0.1".parse().unwrap()));
        assert!(guard.target("http://10.0.0.1/").is_err());
        assert!(guard.target("http://hooks.else.test/").is_err(), "a name gets TLS");
    }
}
