//! The roles that a class needs, as commands.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use crate::spec::{MountSpec, object::ObjectType};

use super::calls;

/// Returns the least privileged role that reads this type of object
/// (<https://learn.microsoft.com/azure/key-vault/general/rbac-guide#azure-built-in-roles-for-key-vault-data-plane-operations>).
fn role(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Secret => "Key Vault Secrets User",
        ObjectType::Key => "Key Vault Crypto User",
        ObjectType::Certificate => "Key Vault Certificate User",
    }
}

pub(super) fn write(spec: &MountSpec, out: &mut dyn Write) -> io::Result<()> {
    let assignee = match spec.identity.client() {
        Some(client) => client.to_string(),
        None => "<object id of the identity>".to_owned(),
    };
    let mut needed: BTreeSet<(String, &str)> = BTreeSet::new();
    for object in &spec.objects {
        let vault = object.vault.as_ref().unwrap_or(&spec.vault).to_string();
        if calls::passwords(object) > 0 {
            needed.insert((vault.clone(), role(ObjectType::Secret)));
        }
        if let Some(other) = spec.failover.as_ref().filter(|_| object.vault.is_none()) {
            needed.insert((other.to_string(), role(object.object_type())));
        }
        needed.insert((vault, role(object.object_type())));
    }
    for (vault, role) in needed {
        writeln!(out, "  az role assignment create --role \"{role}\" --assignee \"{assignee}\" \\")?;
        writeln!(out, "    --scope \"$(az keyvault show --name {vault} --query id --output tsv)\"")?;
    }
    Ok(())
}
