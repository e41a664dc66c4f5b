//! Steps of a mount: what the provider did on the network, without secrets.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    text::one_line,
    transport::{NetworkEvent, NetworkOutcome, RequestLine},
};

use super::phase::Phase;

/// A step and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// The phase that it belongs to.
    pub(super) phase: Phase,
    /// The host that it was for, with its port if the URL names one.
    pub(super) host: String,
    /// The time that it took, in milliseconds.
    pub(super) milliseconds: u128,
    /// The outcome.
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    /// The host has addresses.
    Addresses { addresses: Vec<Address> },
    /// The proxy has opened a tunnel.
    Tunnel { proxy: String },
    /// The connection is established.
    Connection { address: Option<SocketAddr> },
    /// The host has shown this certificate.
    Certificate(Certificate),
    /// The host has answered.
    Answer { method: String, path: String, status: u16, bytes: usize },
    /// The host has not answered.
    NoAnswer { method: String, path: String, error: String },
    /// There is no connection. The host may have shown a certificate before TLS failed.
    NoConnection {
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        certificate: Option<Certificate>,
    },
}

/// An address of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Address {
    /// The address.
    pub(super) address: IpAddr,
    /// True if the internet does not route to it, as to that of a private endpoint.
    pub(super) private: bool,
}

/// A host's certificate, as people compare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Certificate {
    /// The subject's distinguished name.
    pub(super) subject: String,
    /// The issuer's distinguished name.
    pub(super) issuer: String,
    /// The end of its validity.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) expires: Option<OffsetDateTime>,
}

impl Step {
    fn of(event: NetworkEvent) -> Self {
        let NetworkEvent { host, outcome, elapsed } = event;
        let (phase, outcome) = match outcome {
            NetworkOutcome::Resolved(addresses) => {
                let addresses = addresses.into_iter().map(Address::of).collect();
                (Phase::Dns, Outcome::Addresses { addresses })
            }
            NetworkOutcome::Tunnelled { proxy } => (Phase::Proxy, Outcome::Tunnel { proxy }),
            NetworkOutcome::Connected(address) => (Phase::Tcp, Outcome::Connection { address }),
            NetworkOutcome::Secured { certificate } => {
                (Phase::Tls, Outcome::Certificate(Certificate::of(&certificate)))
            }
            NetworkOutcome::NotConnected { phase, error, certificate } => {
                let certificate = certificate.as_deref().map(Certificate::of);
                (phase.into(), Outcome::NoConnection { error, certificate })
            }
            NetworkOutcome::Answered { request, status, bytes } => {
                let phase = phase_of(&request);
                let RequestLine { method, path, .. } = request;
                (phase, Outcome::Answer { method, path, status, bytes })
            }
            NetworkOutcome::Unanswered { request, error } => {
                let phase = phase_of(&request);
                let RequestLine { method, path, .. } = request;
                (phase, Outcome::NoAnswer { method, path, error })
            }
        };
        Self { phase, host, milliseconds: elapsed.as_millis(), outcome }
    }

    /// Returns whether the step failed. A vault's challenge is a 401 that is asked for.
    pub(super) fn failed(&self) -> bool {
        match &self.outcome {
            Outcome::NoAnswer { .. } | Outcome::NoConnection { .. } => true,
            Outcome::Answer { status, .. } => {
                *status >= 300 && !(self.phase == Phase::Challenge && *status == 401)
            }
            Outcome::Addresses { .. }
            | Outcome::Tunnel { .. }
            | Outcome::Connection { .. }
            | Outcome::Certificate(_) => false,
        }
    }

    /// Returns whether a message names the step's host.
    fn is_named_in(&self, message: &str) -> bool {
        let host = self.host.split_once(':').map_or(self.host.as_str(), |(name, _)| name);
        message.contains(host)
    }

    /// Returns whether the step is an exchange over a connection.
    fn is_exchange(&self) -> bool {
        matches!(self.outcome, Outcome::Answer { .. } | Outcome::NoAnswer { .. })
    }
}

/// Returns the phase of a request: vaults have three paths, and all other requests are for tokens. The first request to
/// a vault may be for its list of objects, whose challenge is the same.
fn phase_of(request: &RequestLine) -> Phase {
    let of_vault = matches!(request.path.split('/').nth(1), Some("secrets" | "keys" | "certificates"));
    match (of_vault, request.authorized) {
        (false, _) => Phase::Token,
        (true, false) => Phase::Challenge,
        (true, true) => Phase::Read,
    }
}

impl Address {
    fn of(address: IpAddr) -> Self {
        let private = match address.to_canonical() {
            IpAddr::V4(v4) => {
                // RFC 6598: the addresses of carriers, which some clusters use for pods.
                let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
                v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared
            }
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
        };
        Self { address, private }
    }
}

impl Certificate {
    fn of(der: &[u8]) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Self { subject: String::new(), issuer: String::new(), expires: None };
        };
        let name = |name: &x509_parser::x509::X509Name<'_>| one_line(&name.to_string(), MAX_NAME);
        Self {
            subject: name(certificate.subject()),
            issuer: name(certificate.issuer()),
            expires: Some(certificate.validity().not_after.to_datetime()),
        }
    }
}

/// The longest distinguished name that is shown, in characters: the host chooses it.
const MAX_NAME: usize = 200;

/// The steps of a mount, without the repetitions of parallel connections.
#[derive(Debug, Default)]
pub(super) struct Steps {
    all: Vec<Step>,
    known: HashSet<(Phase, String, Option<String>)>,
}

impl Steps {
    /// Adds an event. Returns its step, unless an equal connection to the host is known.
    pub(super) fn add(&mut self, event: NetworkEvent) -> Option<&Step> {
        let step = Step::of(event);
        if !step.is_exchange() {
            let error = match &step.outcome {
                Outcome::NoConnection { error, .. } => Some(error.clone()),
                _ => None,
            };
            if !self.known.insert((step.phase, step.host.clone(), error)) {
                return None;
            }
        }
        self.all.push(step);
        self.all.last()
    }

    /// Returns every step, in the order of their ends.
    pub(super) fn all(&self) -> &[Step] {
        &self.all
    }

    /// Returns the step that a message is about: the newest one that failed, and of a host that the message names, as
    /// far as there are such. A failure of another host may be newer, since connections are opened ahead.
    pub(super) fn blamed(&self, message: &str) -> Option<&Step> {
        let named = |step: &&Step| step.is_named_in(message);
        let newest = || self.all.iter().rev();
        let failed = || newest().filter(|step| step.failed());
        failed().find(named).or_else(|| newest().find(named)).or_else(|| failed().next()).or(self.all.last())
    }

    /// Returns the newest step of this phase that failed, and of a host that the message names, if there is one.
    pub(super) fn failed_of(&self, phase: Phase, message: &str) -> Option<&Step> {
        let failed = || self.all.iter().rev().filter(|step| step.failed() && step.phase == phase);
        failed().find(|step| step.is_named_in(message)).or_else(|| failed().next())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::transport::ConnectPhase;

    use super::*;

    fn event(outcome: NetworkOutcome) -> NetworkEvent {
        NetworkEvent { host: "lab.vault.azure.net".to_owned(), outcome, elapsed: Duration::from_millis(3) }
    }

    fn answered(path: &str, authorized: bool, status: u16) -> NetworkEvent {
        let request = RequestLine { method: "GET".to_owned(), path: path.to_owned(), authorized };
        event(NetworkOutcome::Answered { request, status, bytes: 9 })
    }

    #[test]
    fn parallel_connections_are_one_step_and_requests_are_each_their_own() {
        let mut steps = Steps::default();
        let failed = || {
            let error = "no address".to_owned();
            event(NetworkOutcome::NotConnected { phase: ConnectPhase::Dns, error, certificate: None })
        };
        assert!(steps.add(event(NetworkOutcome::Connected(None))).is_some());
        assert!(steps.add(event(NetworkOutcome::Connected(None))).is_none());
        assert!(steps.add(failed()).is_some());
        assert!(steps.add(failed()).is_none());
        for _ in 0..2 {
            assert!(steps.add(answered("/secrets/a/", true, 200)).is_some());
        }
        assert_eq!(steps.all().len(), 4);
        assert_eq!(steps.blamed("another host's message").unwrap().phase, Phase::Dns);
    }

    #[test]
    fn a_requests_phase_follows_from_its_path_and_its_token() {
        for (path, authorized, status, phase, failed) in [
            ("/t/oauth2/v2.0/token", false, 200, Phase::Token, false),
            ("/t/oauth2/v2.0/token", false, 400, Phase::Token, true),
            ("/metadata/identity/oauth2/token", false, 503, Phase::Token, true),
            ("/secrets", false, 401, Phase::Challenge, false),
            ("/keys/a/", false, 503, Phase::Challenge, true),
            ("/certificates/a/", true, 401, Phase::Read, true),
            ("/secrets/a/", true, 200, Phase::Read, false),
        ] {
            let step = Step::of(answered(path, authorized, status));
            assert_eq!((step.phase, step.failed()), (phase, failed), "{path} {authorized} {status}");
        }
    }

    #[test]
    fn addresses_that_the_internet_does_not_route_are_private() {
        for (address, private) in [
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("127.0.0.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("169.254.169.254", true),
            ("20.190.128.1", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::ffff:10.0.0.1", true),
            ("2603:1030::1", false),
        ] {
            assert_eq!(Address::of(address.parse().unwrap()).private, private, "{address}");
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_parsed_has_no_names() {
        assert_eq!(Certificate::of(b"no").expires, None);
    }
}
