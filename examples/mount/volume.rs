//! What the driver does with a volume: it writes the files.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use akv_provider::proto::MountResponse;

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
