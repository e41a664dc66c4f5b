//! The foundation of the tests: Azure, the provider, and the driver.

mod azure;
mod driver;
mod panics;
mod placeholders;
mod provider;
mod request;

pub(crate) use self::{
    azure::Azure,
    driver::{Driver, Mounted},
    panics::Panics,
    placeholders::{CaseRequest, Placeholders},
    provider::Provider,
    request::MountCall,
};
