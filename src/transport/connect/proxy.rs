//! The proxy between the provider and a host.

use std::{net::IpAddr, sync::Arc};

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use ipnet::IpNet;

/// A proxy as the operator configures it, with the hosts that are reached without it.
#[derive(Debug, Clone)]
pub struct Proxy(Option<Arc<Named>>);

#[derive(Debug)]
struct Named {
    proxy: Intercept,
    past: Vec<Past>,
}

/// An error of an invalid proxy value. It does not show the value, which may contain a password.
#[derive(Debug, thiserror::Error)]
#[error("HTTPS_PROXY is neither a URL of http, https or socks5 nor a host and port")]
pub struct NotAProxy;

impl Proxy {
    /// Returns no proxy for any host.
    pub fn none() -> Self {
        Self(None)
    }

    /// Returns this proxy for every host.
    pub fn all(url: &str) -> Self {
        Self(named(url).map(|proxy| Arc::new(Named { proxy, past: Vec::new() })))
    }

    /// Returns the proxy of `HTTPS_PROXY`, except for the hosts of `NO_PROXY`. `variable` returns the value of an
    /// environment variable.
    ///
    /// Compat: parsed like Go's `golang.org/x/net/http/httpproxy`, which differs from curl in every less common case
    /// (ports, `*.`, leading dots, `ALL_PROXY`, empty values, loopback). `HTTP_PROXY` is for plain HTTP, which the
    /// provider does not use through a proxy.
    ///
    /// # Errors
    /// The value is not a proxy.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, NotAProxy> {
        let first =
            |names: [&str; 2]| names.into_iter().filter_map(&variable).find(|value| !value.is_empty());
        let Some(url) = first(["HTTPS_PROXY", "https_proxy"]) else { return Ok(Self::none()) };
        let proxy = named(&url).ok_or(NotAProxy)?;
        let entries = first(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let past = entries.split(',').filter_map(Past::parse).chain([Past::Loopback]).collect();
        Ok(Self(Some(Arc::new(Named { proxy, past }))))
    }

    /// Returns the proxy for the host of `uri`.
    pub(in crate::transport) fn to(&self, uri: &Uri) -> Option<&Intercept> {
        let Named { proxy, past } = self.0.as_deref()?;
        let host = uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let address = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        let default = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(default);
        (!past.iter().any(|past| past.is(&host, address, port))).then_some(proxy)
    }
}

/// An entry of `NO_PROXY`: hosts that are reached without the proxy. Without a port it matches every port.
#[derive(Debug)]
enum Past {
    All,
    Loopback,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    /// Hosts that end in `suffix`, which begins with a dot; with `itself`, also the host that equals the part behind
    /// the dot.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Past {
    /// Parses an entry; `None` if it can match nothing.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = match entry.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once("]:")?,
            // More than one colon means an IPv6 address.
            None => entry.split_once(':').filter(|(_, port)| !port.contains(':')).unwrap_or((&entry, "")),
        };
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port));
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        match host.strip_prefix('.').unwrap_or(host) {
            "" => None,
            name => Some(Self::Domain { suffix: format!(".{name}"), itself: !host.starts_with('.'), port }),
        }
    }

    fn is(&self, host: &str, address: Option<IpAddr>, at: u16) -> bool {
        let this_port = |port: &Option<u16>| port.is_none_or(|port| port == at);
        match (self, address) {
            (Self::All, _) => true,
            (Self::Loopback, Some(address)) => address.is_loopback(),
            (Self::Loopback, None) => host == "localhost",
            (Self::Network(network), Some(address)) => network.contains(&address),
            (Self::Address(this, port), Some(address)) => *this == address && this_port(port),
            (Self::Domain { suffix, itself, port }, None) => {
                (host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..])) && this_port(port)
            }
            (Self::Domain { .. }, Some(_)) | (Self::Network(_) | Self::Address(..), None) => false,
        }
    }
}

/// Parses a proxy's address with its user and password. Without a scheme it is an HTTP proxy.
fn named(url: &str) -> Option<Intercept> {
    let url: Uri = if url.contains("://") { url.parse() } else { format!("http://{url}").parse() }.ok()?;
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let socks = match scheme {
        "http" | "https" => false,
        "socks5" | "socks5h" => true,
        _ => return None,
    };
    let port = if socks && authority.port().is_none() { ":1080" } else { "" };
    let matcher = Matcher::builder().all(format!("{scheme}://{authority}{port}")).build();
    // The matcher returns its result only for some host; any will do.
    matcher.intercept(&Uri::from_static("https://any.invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the proxy on the way to `uri`, with these variables set.
    fn way(environment: &[(&str, &str)], uri: &str) -> String {
        let variable = |name: &str| {
            let (_, value) = environment.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        };
        let proxy = Proxy::of_environment(variable).unwrap();
        let uri = if uri.contains("://") { uri.to_owned() } else { format!("https://{uri}/") };
        proxy.to(&uri.parse().unwrap()).map_or("none".to_owned(), |proxy| proxy.uri().to_string())
    }

    #[test]
    fn a_host_is_reached_past_the_proxy_where_go_would_reach_it_so() {
        for (no_proxy, past, through) in [
            ("", &["localhost", "LocalHost:8443", "127.0.0.1", "127.9.9.9:8443", "[::1]"][..], &["a.b"][..]),
            ("a.b", &["a.b", "A.B", "x.a.b", "y.x.a.b", "a.b:8443"], &["xa.b", "b", "a.b.c"]),
            ("A.B", &["a.b"], &[]),
            (".a.b", &["x.a.b", "y.x.a.b"], &["a.b", "xa.b"]),
            ("*.a.b", &["x.a.b"], &["a.b"]),
            ("*.a.b:443", &["x.a.b"], &["a.b", "x.a.b:8443"]),
            ("*a.b", &[], &["a.b", "xa.b"]),
            ("a.b:443", &["a.b", "x.a.b", "a.b:443"], &["a.b:8443", "http://a.b/"]),
            ("a.b:80", &["http://a.b/"], &["a.b"]),
            ("a.b:", &["a.b", "a.b:8443"], &[]),
            ("a.b:https", &[], &["a.b"]),
            (" c.d , a.b,", &["a.b", "c.d"], &["e.f"]),
            ("c.d a.b", &[], &["a.b", "c.d"]),
            ("*", &["a.b", "10.0.0.1", "[fd00::1]"], &[]),
            ("c.d, *", &["a.b"], &[]),
            ("*:443", &[], &["a.b"]),
            (",:443,., *.,[", &[], &["a.b", "10.0.0.1"]),
            ("10.0.0.1", &["10.0.0.1", "10.0.0.1:8443"], &["10.0.0.2", "a.b"]),
            ("10.0.0.1:443", &["10.0.0.1"], &["10.0.0.1:8443"]),
            ("10.0.0.0/8", &["10.255.0.1", "[::ffff:10.0.0.1]"], &["11.0.0.1", "a.b"]),
            ("fd00::1", &["[fd00::1]", "[fd00:0::1]:8443"], &["[fd00::2]"]),
            ("[fd00::1]:443", &["[fd00::1]"], &["[fd00::1]:8443"]),
            ("fd00::/8", &["[fd00::1]"], &["[fe80::1]"]),
            ("0.1", &[], &["10.0.0.1"]),
        ] {
            let environment = [("HTTPS_PROXY", "http://p:3128"), ("NO_PROXY", no_proxy)];
            for host in past {
                assert_eq!(way(&environment, host), "none", "{host} with {no_proxy}");
            }
            for host in through {
                assert_eq!(way(&environment, host), "http://p:3128/", "{host} with {no_proxy}");
            }
        }
    }

    #[test]
    fn the_first_variable_that_says_something_is_followed() {
        for (environment, expected) in [
            (&[][..], "none"),
            (&[("HTTPS_PROXY", "http://p"), ("https_proxy", "http://q")], "http://p/"),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "http://q")], "http://q/"),
            (&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", ""), ("no_proxy", "a.b")], "none"),
            (&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", "c.d"), ("no_proxy", "a.b")], "http://p/"),
            (&[("ALL_PROXY", "http://p"), ("all_proxy", "http://p")], "none"),
            (&[("HTTP_PROXY", "http://p"), ("http_proxy", "http://p")], "none"),
        ] {
            assert_eq!(way(environment, "a.b"), expected, "{environment:?}");
        }
    }

    #[test]
    fn a_proxy_is_a_url_or_a_host_and_a_port() {
        for (value, expected) in [
            ("http://p:3128", "http://p:3128/"),
            ("HTTP://p:3128/path", "http://p:3128/"),
            ("https://p", "https://p/"),
            ("p:3128", "http://p:3128/"),
            ("p", "http://p/"),
            ("10.0.0.1:3128", "http://10.0.0.1:3128/"),
            ("[fd00::1]:3128", "http://[fd00::1]:3128/"),
            ("user:pass@p:3128", "http://p:3128/"),
            ("socks5://p", "socks5://p:1080/"),
            ("socks5h://user:pass@p:9050", "socks5h://p:9050/"),
        ] {
            assert_eq!(way(&[("HTTPS_PROXY", value)], "a.b"), expected, "{value}");
        }
        let error_of =
            |value: &str| Proxy::of_environment(|_| Some(value.to_owned())).map_err(|e| e.to_string());
        for value in ["ftp://p", "socks4://p", "http://", "http://p q:1", " http://p", "user:s3cr3t@"] {
            let error = error_of(value).unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("s3cr3t"), "{value}: {error}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        let proxy = Proxy::all("http://user:s3cr3t@p:3128");
        let auth = proxy.to(&Uri::from_static("https://a.b")).unwrap().basic_auth().unwrap();
        assert_eq!(auth, "Basic dXNlcjpzM2NyM3Q=");
        assert!(!format!("{proxy:?}").contains("s3cr3t"), "{proxy:?}");
        assert!(!format!("{:?}", Proxy::all("socks5://user:s3cr3t@p")).contains("s3cr3t"));
    }
}
