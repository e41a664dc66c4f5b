//! The foundation of the tests: Azure, the provider, and the driver.

mod azure;
mod driver;
mod network_namespace;
mod panics;
mod placeholders;
mod provider;
mod refusing;
mod request;

pub(crate) use self::{
    azure::{Azure, short_backoffs},
    driver::{Driver, Mounted},
    network_namespace::in_network_namespace,
    panics::Panics,
    placeholders::{CaseRequest, Placeholders},
    provider::Provider,
    refusing::{refused_address, refusing_proxy},
    request::MountCall,
};
