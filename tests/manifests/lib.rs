//! Checks everything that operators apply: the plain YAML, the kustomizations, the chart, the examples, the emulator
//! and the image. Each is compared with the API's own types, and with the provider's command line and parameters.

#![cfg(test)]
// The chart's values are one large `json!`.
#![recursion_limit = "256"]

mod api_server;
mod chart;
mod container;
mod deploy;
mod emulator;
mod examples;
mod image;
mod kubernetes;
mod kustomize;
mod monitoring;
mod repository;
mod secret_provider_class;
