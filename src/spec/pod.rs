//! The pod of a volume.

use std::fmt;

/// A pod as the driver names it, shown as `namespace/name`.
///
/// If the CSIDriver object has no `tokenRequests`, a pod author may have written these names. They must be used in
/// messages only, and never in decisions about access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Attribute `csi.storage.k8s.io/pod.namespace`.
    pub namespace: String,
    /// Attribute `csi.storage.k8s.io/pod.name`.
    pub name: String,
    /// Attribute `csi.storage.k8s.io/pod.uid`, if the driver sends it.
    pub uid: Option<String>,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
