//! What a flag's value must be; the error says what it is not.

use std::time::Duration;

use azure_core::http::Url;

use crate::spec::boolean;

use super::duration;

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    boolean::parse(text).map_err(|error| error.to_string())
}

/// Manifests give empty values for what is not set.
pub(super) fn optional(value: &str) -> Option<&str> {
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// How old a value may be: beyond a day somebody has mistaken the unit.
pub(super) fn age(value: &str) -> Result<Duration, String> {
    let age = duration::parse(value)?;
    if age <= Duration::from_secs(24 * 3600) { Ok(age) } else { Err("is longer than a day".to_owned()) }
}

/// How long a mount may take. Kubelet waits two minutes, and an answer takes its way too.
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

/// A size as the driver takes it: a whole number of bytes. Below a hundred of them there is no room for any file.
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

pub(super) fn host(value: &str) -> Result<String, String> {
    let sound = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if sound && value.len() <= 253 { Ok(value.to_owned()) } else { Err("is not a DNS name".to_owned()) }
}

pub(super) fn header(value: &str) -> Result<String, String> {
    if value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        Ok(value.to_owned())
    } else {
        Err("holds characters that cannot stand in an HTTP header".to_owned())
    }
}
