//! The matrix of docs/faults.md: the result of a mount when Azure, the network or the node fails, once or permanently.
//!
//! Each row injects one fault. It asserts the volume or the gRPC code, the message, the number of requests that Azure
//! received, and how long they took by Azure's clock. Timeouts are those of a mount of a few seconds, to keep the tests
//! fast.

mod answers;
mod connections;
mod fixture;
mod load;
mod node;
mod statuses;
mod time;
mod trust;
