//! The foundation of the tests: Azure, the provider, and the driver.

mod azure;
mod driver;
mod panics;
mod provider;
mod request;

pub(crate) use self::{
    azure::Azure,
    driver::{Driver, Mounted},
    panics::Panics,
    provider::Provider,
    request::MountCall,
};
