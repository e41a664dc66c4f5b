//! The whole provider: the real server on a real socket, the real SDK, and an emulated Azure.

mod admin;
mod conformance;
mod faults;
mod freshness;
mod harness;
mod identity;
mod process;
mod reads;
mod server;
mod sharing;
mod throttling;
