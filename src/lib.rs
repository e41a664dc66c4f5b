//! Azure Key Vault provider for the Kubernetes Secrets Store CSI driver.
//!
//! The modules in the order in which a mount passes through them: [`server`] receives the call, and [`parameters`]
//! parses its strings into the types of [`spec`]. [`mount`] gets a token from [`identity`] and objects from [`vault`]
//! over [`transport`], and makes files of them with [`content`]. [`admin`] serves probes and metrics over HTTP.
//! [`app`] composes them all; ARCHITECTURE.md explains the design.

pub mod admin;
pub mod app;
pub mod blocking;
pub mod build;
pub mod cli;
pub mod cloud;
pub mod content;
mod digest;
pub mod failure;
pub mod hardening;
pub mod identity;
pub mod logging;
pub mod metrics;
pub mod mount;
mod one_shard;
pub mod parameters;
mod permits_by_name;
pub mod proto;
pub mod report;
pub mod server;
mod singleflight;
pub mod spec;
pub mod text;
pub mod tools;
pub mod transport;
pub mod vault;
