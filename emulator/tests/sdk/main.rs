//! The official SDK against the emulator: what it makes of an answer is what it would make of Azure's.

mod anonymous;
mod distance;
mod entra;
mod faults;
mod harness;
mod identity_endpoints;
mod refusals;
mod transport;
mod vault;
