//! The vaults of a class: its own, those of its entries, and the one to fail over to.

use crate::spec::vault::VaultName;

use super::{
    attributes::{Attributes, FAILOVER_VAULT, KEYVAULT_NAME, OBJECTS},
    error::{Problem, Problems},
};

/// The vaults that one SecretProviderClass may name. Each costs a challenge and connections of its own.
pub(super) const MAX_VAULTS: usize = 8;

/// Returns the class's own vault.
pub(super) fn own(attributes: &Attributes) -> Result<VaultName, Problem> {
    let name = attributes.required(KEYVAULT_NAME)?;
    name.parse().map_err(|error| Problem::of_text(KEYVAULT_NAME, name, error))
}

/// Returns the vault to fail over to from `own`, if there is one.
pub(super) fn failover(
    attributes: &Attributes,
    own: Option<&VaultName>,
) -> Result<Option<VaultName>, Problem> {
    let Some(name) = attributes.optional(FAILOVER_VAULT) else { return Ok(None) };
    let vault: VaultName = name.parse().map_err(|error| Problem::of_text(FAILOVER_VAULT, name, error))?;
    if own == Some(&vault) {
        let reason =
            format!("is the vault {vault} of {KEYVAULT_NAME}; name another vault with the same objects");
        return Err(Problem::wrong(FAILOVER_VAULT, reason));
    }
    Ok(Some(vault))
}

/// Leaves out each of `vaults`, those of the objects, that is the class's `own` vault, and writes each other vault as its
/// first object does.
/// Adds a problem if there are too many vaults.
pub(super) fn settle<'a>(
    own: &VaultName,
    failover: Option<&VaultName>,
    vaults: impl Iterator<Item = &'a mut Option<VaultName>>,
    problems: &mut Problems,
) {
    let mut named: Vec<VaultName> = [Some(own), failover].into_iter().flatten().cloned().collect();
    let mut count = named.len();
    for of_object in vaults {
        let Some(vault) = of_object.take().filter(|vault| vault != own) else { continue };
        *of_object = Some(match named.iter().find(|known| **known == vault) {
            Some(known) => known.clone(),
            None => {
                count += 1;
                // Beyond the limit the names do not matter, and the search stays short.
                if named.len() <= MAX_VAULTS {
                    named.push(vault.clone());
                }
                vault
            }
        });
    }
    if count > MAX_VAULTS {
        problems.push(Problem::wrong(
            OBJECTS,
            format!("names more than {MAX_VAULTS} vaults, {KEYVAULT_NAME} and {FAILOVER_VAULT} among them; use several volumes"),
        ));
    }
}
