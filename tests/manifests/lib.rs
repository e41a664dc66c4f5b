//! What operators apply: the plain YAML, the kustomizations, the chart, the examples and the image, each held against
//! the API's own types and against the provider's command line and parameters.

#![cfg(test)]
// The chart's values are one large `json!`.
#![recursion_limit = "256"]

mod chart;
mod container;
mod deploy;
mod examples;
mod image;
mod kubernetes;
mod kustomize;
mod repository;
mod secret_provider_class;
