//! A stand-in for the driver that calls the provider and writes the files.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use akv_provider::proto::{
    MountRequest, MountResponse, VersionRequest, csi_driver_provider_client::CsiDriverProviderClient,
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

pub(crate) struct Driver(CsiDriverProviderClient<Channel>);

impl Driver {
    pub(crate) async fn connect(socket: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let channel = Endpoint::try_from(format!("unix://{}", socket.display()))?.connect().await?;
        let mut client = CsiDriverProviderClient::new(channel);
        client.version(VersionRequest { version: "v1alpha1".to_owned() }).await?;
        Ok(Self(client))
    }

    pub(crate) async fn mount(&self, request: MountRequest) -> Result<MountResponse, Status> {
        Ok(self.0.clone().mount(request).await?.into_inner())
    }
}

/// Writes a volume's files, each with the provider's mode.
pub(crate) fn write(directory: &Path, volume: &MountResponse) -> io::Result<()> {
    for file in &volume.files {
        let path = directory.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = u32::try_from(file.mode).unwrap_or_default();
        let mut options = fs::OpenOptions::new();
        io::Write::write_all(
            &mut options.write(true).create_new(true).mode(mode).open(&path)?,
            &file.contents,
        )?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
