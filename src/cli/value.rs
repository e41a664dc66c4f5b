//! Parsers of flag values. The error is the predicate of a sentence about the value.

use std::time::Duration;

use azure_core::http::Url;

use crate::{
    identity::{IssuerUrl, proof::NotAnIssuer},
    spec::boolean,
    vault::RepublishCheck,
};

use super::duration;

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    boolean::parse(text).map_err(|error| error.to_string())
}

/// Returns the value, or `None` if it is empty: manifests pass empty values for unset options.
pub(super) fn optional(value: &str) -> Option<&str> {
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// Parses a maximum age. More than a day is a mistake of the unit.
pub(super) fn age(value: &str) -> Result<Duration, String> {
    let age = duration::parse(value)?;
    if age <= Duration::from_secs(24 * 3600) { Ok(age) } else { Err("is longer than a day".to_owned()) }
}

pub(super) fn republish_check(value: &str) -> Result<RepublishCheck, String> {
    match value {
        "get" => Ok(RepublishCheck::Get),
        "list" => Ok(RepublishCheck::List),
        _ => Err("is unknown; use get or list".to_owned()),
    }
}

/// Parses a timeout. Without any time each try would fail.
pub(super) fn timeout(value: &str) -> Result<Duration, String> {
    let timeout = duration::parse(value)?;
    if timeout.is_zero() { Err("is no time at all; use 5s".to_owned()) } else { Ok(timeout) }
}

/// Parses the mount timeout. Kubelet waits two minutes, and the answer takes some time too.
pub(super) fn budget(value: &str) -> Result<Duration, String> {
    let budget = duration::parse(value)?;
    if budget < Duration::from_secs(1) {
        return Err("is too short for any mount; use 1s to 110s".to_owned());
    }
    if budget > Duration::from_secs(110) {
        return Err("is too close to the two minutes that kubelet waits; use 1s to 110s".to_owned());
    }
    Ok(budget)
}

/// Parses a size as the driver does: a whole number of bytes. Below a hundred bytes there is no room for any file.
pub(super) fn bytes(value: &str) -> Result<usize, String> {
    let bytes = value.parse().ok().filter(|bytes| (100..=i32::MAX as usize).contains(bytes));
    bytes.ok_or_else(|| "is not a size in bytes from 100 to 2147483647".to_owned())
}

pub(super) fn port(value: &str) -> Result<u16, String> {
    value.parse().map_err(|_| "is not a port from 0 to 65535".to_owned())
}

pub(super) fn path(value: &str) -> Result<String, String> {
    let sound = value.bytes().all(|b| b.is_ascii_graphic() && !b"{}?#*:".contains(&b));
    if value.starts_with('/') && sound {
        Ok(value.to_owned())
    } else {
        Err("is not a path such as /healthz".to_owned())
    }
}

pub(super) fn https(value: &str) -> Result<Url, String> {
    let url = Url::parse(value).ok().filter(|url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    });
    url.ok_or_else(|| "is not an https URL".to_owned())
}

/// Parses an issuer, and keeps its text.
pub(super) fn issuer(value: &str) -> Result<IssuerUrl, String> {
    value.parse().map_err(|error: NotAnIssuer| error.to_string())
}

pub(super) fn host(value: &str) -> Result<String, String> {
    let sound = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if sound && value.len() <= 253 { Ok(value.to_owned()) } else { Err("is not a DNS name".to_owned()) }
}

pub(super) fn header(value: &str) -> Result<String, String> {
    if value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        Ok(value.to_owned())
    } else {
        Err("contains characters that are not allowed in an HTTP header".to_owned())
    }
}
