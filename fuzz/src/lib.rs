//! What each fuzz target does with an input. `tests/corpus` does the same with every input that is saved, and so
//! needs neither a fuzzer nor a nightly compiler.
//!
//! Beside not to panic, each promises something: a short message, a result that is its own result, nothing lost.

mod azure;
mod content;
mod request;

pub use self::{
    azure::{bundles, challenge, claims, refusals, retry_after, server_name, token_response},
    content::{CURVES, KEY_TYPES, chain, jwk, pem, pkcs12, private_key, secret},
    request::{attributes, cloud_file, grpc_timeout, objects, tokens},
};
