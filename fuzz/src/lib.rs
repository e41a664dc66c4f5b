//! One function for each fuzz target. `tests/corpus` calls the same functions with every saved input, and so needs
//! neither a fuzzer nor a nightly compiler.
//!
//! No function may panic. Each also asserts a property: a short message, a result that parses to itself, or that
//! nothing is lost.

mod azure;
mod content;
mod request;
mod structured;

pub use self::{
    azure::{bundles, challenge, claims, identity_proof, refusals, retry_after, server_name, token_response},
    content::{CURVES, KEY_TYPES, chain, jwk, parts, pem, pkcs12, private_key, secret},
    request::{attributes, cloud_file, grpc_timeout, objects, tokens},
    structured::{key_path, structured},
};
