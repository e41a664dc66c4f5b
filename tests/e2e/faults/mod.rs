//! The matrix of docs/faults.md: what becomes of a mount when those that it depends on misbehave, once and for good.
//!
//! Each row injects one fault and asserts on the volume or the gRPC code, on what the message names, on how many requests
//! Azure saw, and on how long they went on by Azure's clock. Waits are those of a mount that may take a few seconds, so
//! that a row takes no longer than it has to.

mod answers;
mod connections;
mod fixture;
mod load;
mod node;
mod statuses;
mod time;
mod trust;
