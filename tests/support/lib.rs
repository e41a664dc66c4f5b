//! A stand-in for the driver, and the provider's way to an emulated Azure: what end-to-end tests, benchmarks and the
//! example share.

mod driver;
mod growth;
mod transports;

pub use self::{driver::Driver, growth::growth, transports::transports};
