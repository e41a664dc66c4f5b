//! The files of clouds, of which a few are read at once.

use tokio::sync::Semaphore;

use crate::spec::cloud::CloudChoice;

use super::{CloudDefaults, CloudEnvironment, CloudError};

/// Reads the files that describe clouds.
#[derive(Debug)]
pub struct CloudFiles(Semaphore);

/// The most files that are read at once. Each takes a thread, and the mounts that wait are not limited.
const MAX_AT_ONCE: usize = 4;

impl CloudFiles {
    /// Returns a reader without a file in progress.
    pub fn new() -> Self {
        Self(Semaphore::new(MAX_AT_ONCE))
    }

    /// Returns the endpoints of the cloud that a mount names. A cloud that Azure runs needs no file, and waits for none.
    ///
    /// # Errors
    /// Only for a cloud that a file describes.
    pub async fn resolve(
        &self,
        choice: &CloudChoice,
        defaults: &CloudDefaults,
    ) -> Result<CloudEnvironment, CloudError> {
        let named = if *choice == CloudChoice::Default { &defaults.cloud } else { choice };
        let _one_of_few = match named {
            CloudChoice::File(_) => self.0.acquire().await.ok(),
            CloudChoice::Default | CloudChoice::Named(_) => None,
        };
        CloudEnvironment::resolve(choice, defaults).await
    }
}

impl Default for CloudFiles {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, time::Duration};

    use futures::poll;

    use crate::spec::cloud::CloudName;

    use super::*;

    #[tokio::test]
    async fn four_files_are_read_at_once_and_clouds_without_a_file_do_not_wait() {
        let files = CloudFiles::new();
        let defaults = CloudDefaults { cloud: CloudChoice::Named(CloudName::Public), file: None };
        let missing = CloudChoice::File(Some("/nonexistent/cloud.json".into()));
        let reading = files.0.acquire_many(4).await.unwrap();
        let mut fifth = pin!(files.resolve(&missing, &defaults));
        assert!(poll!(&mut fifth).is_pending());
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut fifth).await.is_err());
        for cloud in [CloudChoice::Default, CloudChoice::Named(CloudName::China)] {
            files.resolve(&cloud, &defaults).await.unwrap();
        }
        drop(reading);
        assert!(matches!(fifth.await, Err(CloudError::Unreadable { .. })));
    }
}
