//! The official SDK against the emulator: the SDK must parse each answer as it would parse Azure's.

mod anonymous;
mod command;
mod distance;
mod entra;
mod faults;
mod harness;
mod identity_endpoints;
mod pages;
mod refusals;
mod transport;
mod trusted_issuers;
mod vault;
