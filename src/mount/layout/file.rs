//! Places an object that is one file, or one file for each version of a history.

use crate::spec::shape::FileShape;

use super::{
    super::{
        failure::ObjectError,
        fetch::Versions,
        volume::{LeftOut, MountedVersion},
    },
    Builder, NoVolume, Owner,
    conversion::{self, Files},
};

impl Builder<'_> {
    pub(super) fn file(
        &mut self,
        owner: Owner<'_>,
        file: &FileShape,
        versions: Versions,
    ) -> Result<(), NoVolume> {
        let object = owner.object;
        let versions = match versions {
            Versions::Single(version) => vec![(version, file.path.clone(), object.to_string())],
            Versions::History(versions) => (0..)
                .zip(versions)
                .map(|(index, version)| (version, file.path.version(index), format!("{object}/{index}")))
                .collect(),
        };
        for (read, path, id) in versions {
            self.check_abandoned()?;
            let bundle = match read.bundle {
                Ok(bundle) if self.draft.is_full() => {
                    self.draft.add_size(&path, bundle.content_bytes());
                    continue;
                }
                Ok(bundle) => bundle,
                Err(error) => {
                    self.fail(owner, read.asked.as_ref(), error.into());
                    continue;
                }
            };
            let convert =
                || conversion::render(&bundle, file.rendering, self.layout.certificates, &mut self.work);
            let files = self.conversions.files(&bundle, file.rendering, &self.draft, convert);
            let Files { written, missing } = match files {
                Ok(files) => files,
                Err(error) => {
                    self.fail(owner, read.asked.as_ref(), error.into());
                    continue;
                }
            };
            for (suffix, reason) in missing {
                self.draft.leave_out(LeftOut { path: format!("{path}{suffix}"), reason });
            }
            for (suffix, contents) in written {
                match path.with_suffix(suffix) {
                    Ok(path) => {
                        self.add(owner, path, file.mode, contents);
                        let version =
                            MountedVersion { id: id.clone(), version: bundle.version().to_string() };
                        if self.recorded_once.contains(&id) {
                            self.draft.record_once(version);
                        } else {
                            self.draft.record(version);
                        }
                    }
                    Err(reason) => {
                        let error = ObjectError::Path { path: format!("{path}{suffix}"), reason };
                        self.fail(owner, None, error);
                    }
                }
            }
        }
        Ok(())
    }
}
