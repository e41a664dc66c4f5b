//! The roles that a class needs, as commands.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use crate::spec::{MountSpec, object::ObjectType};

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
    let needed: BTreeSet<(String, &str)> =
        spec.objects.iter().map(|object| (spec.vault.to_string(), role(object.object_type()))).collect();
    for (vault, role) in needed {
        writeln!(out, "  az role assignment create --role \"{role}\" --assignee \"{assignee}\" \\")?;
        writeln!(out, "    --scope \"$(az keyvault show --name {vault} --query id --output tsv)\"")?;
    }
    Ok(())
}
