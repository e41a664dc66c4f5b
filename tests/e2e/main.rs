//! The whole provider: the real server on a real socket, the real SDK, and an emulated Azure.

mod admin;
mod anonymous;
mod c_core;
mod canary;
mod class_mistakes;
mod conformance;
mod faults;
mod foreign_answers;
mod freshness;
mod harness;
mod hostile;
mod identity;
mod messages;
mod neighbours;
mod objects;
mod process;
mod proxies;
mod reads;
mod renewal;
mod restart;
mod server;
mod sharing;
mod split_files;
mod throttling;
mod tls;
mod token_answers;
