//! Pure conversion of Key Vault's answers to the bytes of files.
//!
//! ```text
//! secret ──┬─ plain ────────────────────────────────┬─ encoding ─ bytes
//!          ├─ application/x-pem-file ───────────────┤
//!          └─ application/x-pkcs12 ─ pkcs12 ─┬─ private_key ─┬─ pem
//!                                            └─ chain ───────┘
//! outputs ─ parts ─┬─ private_key, chain ─ pem
//!                  └─ pkcs12 ─ store           properties ─ metadata
//! certificate ─ pem        key ─ jwk ─ pem        secret ─ encoding ─ structured ─ encoding ─ bytes
//! secrets ─ structured ─ combined
//! ```

pub mod certificate;
pub mod chain;
pub mod client_key;
pub mod combined;
pub mod encoding;
pub mod error;
pub mod jwk;
pub mod metadata;
pub mod parts;
pub mod pem;
pub mod pkcs12;
pub mod private_key;
pub mod secret;
pub mod structured;
pub mod work;

mod asn1;

/// Reads a file of `tests/data/pkcs12`.
#[cfg(test)]
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/pkcs12/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the certificates of a PEM file of `tests/data/pkcs12`, as they are stored.
#[cfg(test)]
fn fixture_certificates(name: &str) -> Vec<Vec<u8>> {
    let text = String::from_utf8(fixture(name)).unwrap();
    let certificates = pem::blocks(&text).filter(|block| block.label() == pem::CERTIFICATE);
    certificates.map(|block| block.content().to_vec()).collect()
}
