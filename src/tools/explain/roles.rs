//! The roles that a class needs, as commands.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use crate::spec::{MountSpec, object::ObjectType, vault::VaultName};

use super::calls;

pub(super) fn write(spec: &MountSpec, out: &mut dyn Write) -> io::Result<()> {
    let assignee = match spec.identity.client() {
        Some(client) => client.to_string(),
        None => "<object id of the identity>".to_owned(),
    };
    let mut needed: BTreeSet<(String, &str)> = BTreeSet::new();
    let mut need = |vault: Option<&VaultName>, object_type: ObjectType, with_passwords: bool| {
        let vaults = match vault {
            Some(vault) => vec![vault],
            None => std::iter::once(&spec.vault).chain(&spec.failover).collect(),
        };
        let password = with_passwords.then_some(ObjectType::Secret);
        for vault in vaults {
            let types = std::iter::once(object_type).chain(password);
            needed.extend(types.map(|object_type| (vault.to_string(), object_type.reader_role())));
        }
    };
    for object in &*spec.objects {
        need(object.vault.as_ref(), object.object_type(), calls::passwords(object) > 0);
    }
    for find in &*spec.finds {
        need(find.vault.as_ref(), find.object_type(), find.password_objects().next().is_some());
    }
    for (vault, role) in needed {
        writeln!(out, "  az role assignment create --role \"{role}\" --assignee \"{assignee}\" \\")?;
        writeln!(out, "    --scope \"$(az keyvault show --name {vault} --query id --output tsv)\"")?;
    }
    if !spec.finds.is_empty() {
        writeln!(out, "  find lists its vault: these roles can; an access policy needs list beside get")?;
    }
    Ok(())
}
