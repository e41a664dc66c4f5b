//! Which pod a volume belongs to.

use std::fmt;

/// A pod as the driver names it, shown as `namespace/name`.
///
/// It is what the driver says, and where the CSIDriver object has no `tokenRequests` what a pod author wrote: good
/// for a message, never for a decision about rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Attribute `csi.storage.k8s.io/pod.namespace`.
    pub namespace: String,
    /// Attribute `csi.storage.k8s.io/pod.name`.
    pub name: String,
    /// Attribute `csi.storage.k8s.io/pod.uid`, where the driver tells it.
    pub uid: Option<String>,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
