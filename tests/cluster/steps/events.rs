//! The event of a mount that fails.

use std::time::Duration;

use serde_json::Value;

use crate::{
    environment::{APPS, Environment, list},
    error::StepError,
    objects, wait,
};

const NAME: &str = "misspelt";
const OBJECT: &str = "db-pasword";
/// How many tries of kubelet must be one event.
const TRIES: u64 = 4;

/// Mounts an object that the vault does not have, and reads the pod's events.
pub(crate) fn misspelt_object(environment: &Environment) -> Result<String, StepError> {
    let pod = objects::pod(NAME, NAME, &environment.options.app_image);
    environment.kubectl.apply(&[objects::class(NAME, "azure", OBJECT), pod])?;
    let selector = format!("involvedObject.name={NAME},reason=FailedMount");
    let message = wait::until("the event of the failed mount", Duration::from_secs(120), || {
        let events = ["events", "--namespace", APPS, "--field-selector", &selector];
        Ok(one_event(&environment.kubectl.get(&events)?))
    })?;
    environment.kubectl.run(&["delete", "pod", NAME, "--namespace", APPS, "--wait=false"])?;
    Ok(format!("one event for {TRIES} tries or more: {message}"))
}

/// Returns the first line of the one event for all tries, which must name the object.
fn one_event(events: &Value) -> Result<String, String> {
    let failed = |event: &&Value| {
        event["message"].as_str().is_some_and(|message| message.starts_with("MountVolume.SetUp failed"))
    };
    let events: Vec<&Value> = list(events).filter(failed).collect();
    let [event] = events.as_slice() else { return Err(format!("there are {} events", events.len())) };
    let count = event["count"].as_u64().unwrap_or_default();
    if count < TRIES {
        return Err(format!("the event counts {count} tries"));
    }
    let line = event["message"].as_str().and_then(|message| message.lines().next()).unwrap_or_default();
    if !line.contains(OBJECT) || !line.contains("AKV-") {
        return Err(format!("the first line of the event does not name the object and a code: {line}"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn events(events: &[(&str, u64)]) -> Value {
        let items: Vec<_> =
            events.iter().map(|(message, count)| json!({ "message": message, "count": count })).collect();
        json!({ "items": items })
    }

    #[test]
    fn tries_must_be_one_event_that_names_the_object() {
        let good = "MountVolume.SetUp failed for volume \"secrets\" : AKV-ObjectNotFound: db-pasword";
        assert_eq!(one_event(&events(&[(good, 4), ("Unable to attach", 1)])), Ok(good.to_owned()));
        for (seen, reason) in [
            (vec![], "there are 0 events"),
            (vec![(good, 1), ("MountVolume.SetUp failed: another text", 1)], "there are 2 events"),
            (vec![(good, 3)], "the event counts 3 tries"),
            (
                vec![("MountVolume.SetUp failed\nAKV-ObjectNotFound: db-pasword", 9)],
                "the first line of the event does not name the object and a code: MountVolume.SetUp failed",
            ),
        ] {
            assert_eq!(one_event(&events(&seen)), Err(reason.to_owned()));
        }
    }
}
