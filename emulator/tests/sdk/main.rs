//! The official SDK against the emulator: the SDK must parse each answer as it would parse Azure's.

mod anonymous;
mod distance;
mod entra;
mod faults;
mod harness;
mod identity_endpoints;
mod refusals;
mod transport;
mod vault;
