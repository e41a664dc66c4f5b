//! Pipeline policies that observe each call and each attempt.

mod attempt;
mod error_for_status;
pub mod retry_after;
mod user_agent;

pub(crate) use self::{attempt::LastExchange, error_for_status::error_for_status, retry_after::retry_after};

pub(super) use self::{
    attempt::{CallPolicy, ExchangePolicy},
    user_agent::AddedUserAgent,
};
