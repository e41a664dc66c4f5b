//! The TLS server name of the token proxy, computed from the API server's certificate.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE32HEX_NOPAD;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// An error of a server name that cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum ServerNameError {
    /// The API server does not answer.
    #[error("the API server cannot be reached")]
    Unreachable(#[from] std::io::Error),
    /// TLS without a certificate, or with an invalid one.
    #[error("the API server shows no certificate that can be read")]
    NoCertificate,
    /// The certificate is not from an AKS cluster: it has no cluster id.
    #[error("the API server's certificate has no DNS name hcp-kubernetes.<id>.svc.cluster.local")]
    NoClusterId,
}

/// Returns the name that belongs to the API server with this certificate, in DER: `"a"` +
/// base32hex(SHA-256(`"identity-binding"` + cluster id)) + `".ests.aks"`.
///
/// # Errors
/// The certificate is invalid, or comes from another kind of cluster.
pub fn of_certificate(der: &[u8]) -> Result<String, ServerNameError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| ServerNameError::NoCertificate)?;
    let names = certificate.subject_alternative_name().map_err(|_| ServerNameError::NoCertificate)?;
    names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .find_map(|name| match name {
            GeneralName::DNSName(name) => cluster_id(name),
            _ => None,
        })
        .map(of_cluster)
        .ok_or(ServerNameError::NoClusterId)
}

fn cluster_id(name: &str) -> Option<&str> {
    name.strip_prefix("hcp-kubernetes.")?.strip_suffix(".svc.cluster.local").filter(|id| !id.is_empty())
}

fn of_cluster(id: &str) -> String {
    let hash = digest(&SHA256, format!("identity-binding{id}").as_bytes());
    format!("a{}.ests.aks", BASE32HEX_NOPAD.encode(hash.as_ref())).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_dns_label_made_of_the_clusters_id() {
        let name = of_cluster("6513c8d3f2a1b40001e2f3a4");
        assert_eq!(name, "adjj6blp9ldpsl5fluvqd03h9j78uopkojma5kj8psrhbrjqr9sa0.ests.aks");
        let label = name.strip_suffix(".ests.aks").unwrap();
        assert_eq!(label.len(), 53);
        assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }

    #[test]
    fn the_clusters_id_is_between_two_fixed_parts() {
        assert_eq!(cluster_id("hcp-kubernetes.abc.svc.cluster.local"), Some("abc"));
        for other in [
            "kubernetes.default.svc.cluster.local",
            "hcp-kubernetes..svc.cluster.local",
            "hcp-kubernetes.abc",
        ] {
            assert_eq!(cluster_id(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_certificate_gives_no_name() {
        assert!(matches!(of_certificate(b"canary"), Err(ServerNameError::NoCertificate)));
    }
}
