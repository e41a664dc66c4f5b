//! The roles that a class needs, as commands.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use crate::spec::{MountSpec, object::ObjectType};

use super::calls;

pub(super) fn write(spec: &MountSpec, out: &mut dyn Write) -> io::Result<()> {
    let assignee = match spec.identity.client() {
        Some(client) => client.to_string(),
        None => "<object id of the identity>".to_owned(),
    };
    let mut needed: BTreeSet<(String, &str)> = BTreeSet::new();
    for object in &spec.objects {
        let vaults = match &object.vault {
            Some(vault) => vec![vault],
            None => std::iter::once(&spec.vault).chain(&spec.failover).collect(),
        };
        let password = (calls::passwords(object) > 0).then_some(ObjectType::Secret);
        for vault in vaults {
            let types = std::iter::once(object.object_type()).chain(password);
            needed.extend(types.map(|object_type| (vault.to_string(), object_type.reader_role())));
        }
    }
    for (vault, role) in needed {
        writeln!(out, "  az role assignment create --role \"{role}\" --assignee \"{assignee}\" \\")?;
        writeln!(out, "    --scope \"$(az keyvault show --name {vault} --query id --output tsv)\"")?;
    }
    Ok(())
}
