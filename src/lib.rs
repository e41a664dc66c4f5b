//! Azure Key Vault provider for the Kubernetes Secrets Store CSI driver.
//!
//! In the order that a mount flows through it: [`server`] takes the call, [`parameters`] turns its strings into the
//! vocabulary of [`spec`], [`mount`] gets a token from [`identity`], objects from [`vault`] over [`transport`], and
//! files out of them with [`content`]. [`admin`] serves probes and metrics beside it. [`app`] puts it all together; ARCHITECTURE.md tells it as prose.

pub mod admin;
pub mod app;
pub mod build;
pub mod cli;
pub mod cloud;
pub mod content;
pub mod failure;
pub mod hardening;
pub mod identity;
pub mod logging;
pub mod metrics;
pub mod mount;
pub mod parameters;
pub mod proto;
pub mod report;
pub mod server;
mod singleflight;
pub mod spec;
pub mod text;
pub mod transport;
pub mod vault;
