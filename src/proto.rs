//! The provider protocol, generated from `proto/provider/v1alpha1/service.proto`.

#![allow(missing_docs, unreachable_pub, clippy::all)]

tonic::include_proto!("v1alpha1");
