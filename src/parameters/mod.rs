//! Parses the strings of a `Mount` call into a [`MountSpec`], or into the list of all mistakes.
//!
//! No other module reads parameter names. All later code works on types that need no further validation.

mod attributes;
mod clash;
mod entry;
mod error;
mod fields;
mod identity;
mod integer;
mod misspelling;
mod objects;
mod objects_cache;
mod secret_identity;
mod tokens;
mod vaults;
mod yaml;

pub use self::{
    attributes::PARAMETERS,
    entry::{
        COMBINE_FIELDS, COMBINE_ITEM_FIELDS, ENTRY_FIELDS, FIND_FIELDS, FIND_NAME_FIELDS, JMES_PATH_FIELDS,
        OUTPUT_FIELDS, REWRITE_FIELDS, REWRITE_REGEXP_FIELDS,
    },
    error::{Fault, ParametersError, Problem},
    objects_cache::ObjectsCache,
};

use crate::spec::{
    MountSpec,
    cloud::{CloudChoice, CloudKeyword},
    file::FileMode,
    pod::PodRef,
};

use self::{attributes::Attributes, error::Problems, objects::Requested};

/// The three JSON texts of a `MountRequest`.
#[derive(Clone, Copy)]
pub struct MountTexts<'a> {
    /// A map of strings: the SecretProviderClass's parameters, the pod's volumeAttributes, and the driver's description
    /// of the pod.
    pub attributes: &'a str,
    /// A map of strings, the Secret of `nodePublishSecretRef`; or `null`.
    pub secrets: &'a str,
    /// A number: the default file mode in decimal.
    pub permission: &'a str,
}

impl MountTexts<'_> {
    /// Returns the length of all texts, in bytes.
    pub fn len(&self) -> usize {
        [self.attributes, self.secrets, self.permission].into_iter().map(str::len).sum()
    }

    /// Returns whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The longest texts that are parsed, in bytes. Four thousand objects, more than one mount may have, take half of it.
pub const MAX_BYTES: usize = 512 << 10;

/// Parses a `Mount` call.
///
/// # Errors
/// All mistakes of the call, in a stable order.
pub fn parse(texts: MountTexts<'_>) -> Result<MountSpec, ParametersError> {
    parse_cached(texts, None)
}

/// Parses a `Mount` call, and its objects only if they are not in the cache.
///
/// # Errors
/// All mistakes of the call, in a stable order.
pub fn parse_cached(
    texts: MountTexts<'_>,
    cache: Option<&ObjectsCache>,
) -> Result<MountSpec, ParametersError> {
    if texts.len() > MAX_BYTES {
        let longest = if texts.secrets.len() > texts.attributes.len() { "secrets" } else { "attributes" };
        let reason = format!(
            "the SecretProviderClass with its tokens and secrets is longer than {MAX_BYTES} bytes; split it in two"
        );
        return Err(ParametersError::one(Problem::wrong(longest, reason)));
    }
    let mut problems = Problems::default();
    let attributes = Attributes::parse("attributes", texts.attributes).map_err(ParametersError::one)?;
    let secrets = problems.catch(Attributes::parse("secrets", texts.secrets)).unwrap_or_default();
    let default_mode = problems.catch(permission(texts.permission));

    let misspellings = misspelling::find(&attributes);
    let meant = |key: &'static str| misspellings.iter().filter(move |misspelling| misspelling.meant == key);

    let pod = pod(&attributes, &mut problems);
    let before = problems.count();
    let vault = problems.catch(vaults::own(&attributes));
    problems.explain(before, meant(attributes::KEYVAULT_NAME));
    let failover = problems.catch(vaults::failover(&attributes, vault.as_ref()));
    let cloud = problems.catch(cloud(&attributes));
    let before = problems.count();
    let identity = identity::parse(&attributes, &secrets, &mut problems);
    problems
        .explain(before, misspellings.iter().filter(|misspelling| !OF_OTHERS.contains(&misspelling.meant)));
    let before = problems.count();
    let vaults = vault.as_ref().zip(failover.as_ref().map(Option::as_ref));
    let objects = |problems: &mut Problems| objects::parse(&attributes, vaults, problems);
    let requested = match (cache, vaults, attributes.optional(attributes::OBJECTS)) {
        (Some(cache), Some(vaults), Some(text)) => cache.get_or_parse(text, vaults, &mut problems, objects),
        _ => objects(&mut problems),
    };
    problems.explain(before, meant(attributes::OBJECTS));

    match (pod, vault, failover, cloud, identity, requested, default_mode) {
        (
            Some(pod),
            Some(vault),
            Some(failover),
            Some(cloud),
            Some(identity),
            Some(requested),
            Some(default_mode),
        ) if problems.is_empty() => {
            let Requested { objects, finds } = requested;
            Ok(MountSpec {
                pod,
                cloud,
                vault,
                failover,
                identity,
                objects,
                finds,
                default_mode,
                misspellings,
            })
        }
        _ => Err(problems.into_error()),
    }
}

/// Parameters whose absence has a problem of its own, which names the misspelling.
const OF_OTHERS: [&str; 2] = [attributes::KEYVAULT_NAME, attributes::OBJECTS];

fn permission(text: &str) -> Result<FileMode, Problem> {
    serde_json::from_str::<u32>(text).ok().and_then(|bits| FileMode::from_bits(bits).ok()).ok_or_else(|| {
        Problem::wrong("permission", "must be a JSON number, a file mode from 0 to 511 (0777)")
    })
}

fn pod(attributes: &Attributes, problems: &mut Problems) -> Option<PodRef> {
    let mut read = |key, what| {
        let found = attributes.optional(key).map(str::to_owned);
        // The name goes into every log line of the mount, and a pod author may have chosen it.
        if found.as_ref().is_some_and(|name| name.len() > MAX_NAME || name.contains(char::is_control)) {
            problems.push(Problem::wrong(key, format!("the {what} is no name of Kubernetes")));
            return None;
        }
        if found.is_none() {
            problems.push(Problem::wrong(
                key,
                format!("the {what} is not set; the CSIDriver object needs podInfoOnMount: true"),
            ));
        }
        found
    };
    let name = read(attributes::POD_NAME, "pod name");
    let namespace = read(attributes::POD_NAMESPACE, "pod namespace");
    let uid = attributes.optional(attributes::POD_UID).map(str::to_owned);
    Some(PodRef { namespace: namespace?, name: name?, uid })
}

/// Longest name in Kubernetes, in bytes
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>).
const MAX_NAME: usize = 253;

fn cloud(attributes: &Attributes) -> Result<CloudChoice, Problem> {
    let Some(name) = attributes.optional(attributes::CLOUD_NAME) else {
        return Ok(CloudChoice::Default);
    };
    match name.parse() {
        Ok(CloudKeyword::Named(cloud)) => Ok(CloudChoice::Named(cloud)),
        Ok(CloudKeyword::Stack) => {
            Ok(CloudChoice::File(attributes.optional(attributes::CLOUD_ENV_FILE_NAME).map(Into::into)))
        }
        Err(error) => Err(Problem::of_text(attributes::CLOUD_NAME, name, error)),
    }
}

#[cfg(test)]
mod tests;
