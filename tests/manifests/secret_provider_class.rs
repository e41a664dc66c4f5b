//! The driver's SecretProviderClass, by the fields of its CustomResourceDefinition
//! (<https://secrets-store-csi-driver.sigs.k8s.io/concepts#secretproviderclass>).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use crate::kubernetes;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "some fields are read for their names alone")]
pub(crate) struct SecretProviderClass {
    api_version: String,
    kind: String,
    metadata: Value,
    pub(crate) spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) provider: String,
    pub(crate) parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) secret_objects: Vec<SecretObject>,
}

/// A Kubernetes Secret that the driver creates from a volume's files.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "some fields are read for their names alone")]
pub(crate) struct SecretObject {
    secret_name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    pub(crate) data: Vec<SecretData>,
}

/// A key of such a Secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecretData {
    /// The file's path, whatever the object's name is.
    pub(crate) object_name: String,
    pub(crate) key: String,
}

/// Parses an object; the error names what is wrong.
pub(crate) fn read(object: &Value) -> Result<SecretProviderClass, String> {
    let class: SecretProviderClass =
        serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    kubernetes::read::<ObjectMeta>(&class.metadata)?;
    if class.spec.provider != "azure" {
        return Err(format!("the provider {} is another one", class.spec.provider));
    }
    Ok(class)
}
