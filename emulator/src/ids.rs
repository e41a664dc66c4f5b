//! Identifiers in Azure's formats.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{digest, rand};
use data_encoding::HEXLOWER;

/// A generator of request ids: distinct within an emulator, and cheap.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { seed: u64::from_le_bytes(random()), next: AtomicU64::new(1) }
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        uuid(bytes)
    }
}

/// Returns a random UUID (RFC 9562, version 4).
pub(crate) fn random_uuid() -> String {
    uuid(random())
}

/// Returns a UUID that depends on this text alone.
pub(crate) fn derived_uuid(of: &str) -> String {
    let hash = digest::digest(&digest::SHA256, of.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid(bytes)
}

/// Returns a random version of a vault object: 32 hexadecimal digits.
pub(crate) fn random_version() -> String {
    HEXLOWER.encode(&random::<16>())
}

/// Returns a version that depends on this text alone.
pub(crate) fn derived_version(of: &str) -> String {
    HEXLOWER.encode(&digest::digest(&digest::SHA256, of.as_bytes()).as_ref()[..16])
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system's random source is there for as long as the process");
    bytes
}

fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
