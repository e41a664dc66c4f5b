//! The step that finds objects: it lists vaults, a second time with a renewed token where a vault refused the first.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::spec::object::ObjectSpec;

use super::{
    super::{
        failure::{MountError, ObjectError, ObjectFailure},
        fetch,
        find::{self, Listed, NotChosen, NotListed, Room},
        requested::Requested,
        vaults::VaultClients,
    },
    MountAttempt, Session,
};

impl MountAttempt<'_> {
    /// Returns all objects of the mount, those that are to be found included, or the failures of finds. If the lists or
    /// the names need a permit for their memory and none is free, drops everything, waits, and lists again.
    pub(super) async fn find(
        &self,
        session: &mut Session,
    ) -> Result<Result<Arc<[ObjectSpec]>, Vec<ObjectFailure>>, MountError> {
        if self.requested.finds.is_empty() {
            return Ok(Ok(self.requested.objects.clone()));
        }
        let had_permit = self.memory.has_permit();
        loop {
            match self.choose(session).await {
                Ok(objects) => {
                    let found = objects.iter().filter(|object| object.is_found());
                    // The lists are gone. A permit that the mount had before is for what it reads.
                    if !had_permit {
                        self.memory.shrink_to(found.map(fetch::found_bytes).sum());
                    }
                    return Ok(Ok(objects));
                }
                Err(NotFound::Failures(failures)) => return Ok(Err(failures)),
                Err(NotFound::Mount(error)) => return Err(error),
                Err(NotFound::NoPermit) => self.wait_for_memory().await,
            }
        }
    }

    async fn choose(&self, session: &mut Session) -> Result<Arc<[ObjectSpec]>, NotFound> {
        let Requested { finds, objects } = &self.requested;
        let room = Room { memory: self.memory.clone(), largest_volume: self.mounter.settings.largest_volume };
        let mut lists = self.list(&session.clients, Vec::new(), &room).await?;
        let refusals = lists.iter().filter_map(|list| list.as_ref().err());
        if let Some(refusal) = fetch::most_specific(refusals.filter_map(|error| fetch::token_refusal(error)))
            && self.renew(session, refusal).await?
        {
            lists = self.list(&session.clients, find::without_refused(lists), &room).await?;
        }
        let lists = find::all(finds, lists).map_err(NotFound::Failures)?;
        // Canceled when this attempt is dropped: otherwise the blocking thread would compare all names.
        let canceled = CancellationToken::new();
        let _cancel_on_drop = canceled.clone().drop_guard();
        let (finds, objects) = (finds.clone(), objects.clone());
        let choose = move || find::choose(&objects, &finds, &lists, &room, || canceled.is_cancelled());
        match self.mounter.computations.of(&self.pod.namespace).run(choose).await {
            Ok(objects) => Ok(objects),
            Err(NotChosen::Failures(failures)) => Err(NotFound::Failures(failures)),
            Err(NotChosen::TooLarge(error)) => Err(self.too_large(error).into()),
            Err(NotChosen::NoPermit) => Err(NotFound::NoPermit),
            // Only a dropped attempt cancels its choice.
            Err(NotChosen::Abandoned) => std::future::pending().await,
        }
    }

    async fn list(
        &self,
        clients: &VaultClients,
        before: Vec<Option<Listed>>,
        room: &Room,
    ) -> Result<Vec<Listed>, NotFound> {
        self.progress.read(&self.vaults, self.requested.clone());
        let finds = &self.requested.finds;
        let listed = self.within_patience(find::list(clients, finds, before, self.progress, room)).await?;
        listed.map_err(|error| match error {
            NotListed::NoPermit => NotFound::NoPermit,
            NotListed::TooLarge(index) => {
                NotFound::Failures(vec![ObjectFailure::of_find(&finds[index], ObjectError::ListsTooLarge)])
            }
        })
    }
}

/// Why no objects were found.
enum NotFound {
    /// The finds that fail the mount, in the user's order; never empty.
    Failures(Vec<ObjectFailure>),
    Mount(MountError),
    /// No permit for a large volume is free.
    NoPermit,
}

impl From<MountError> for NotFound {
    fn from(error: MountError) -> Self {
        Self::Mount(error)
    }
}
