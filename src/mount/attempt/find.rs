//! The step that finds objects: it lists vaults, a second time with a renewed token where a vault refused the first.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::spec::object::ObjectSpec;

use super::{
    super::{
        failure::{MountError, ObjectFailure},
        fetch,
        find::{self, Listed, NotChosen},
        requested::Requested,
        vaults::VaultClients,
    },
    MountAttempt, Session, run_blocking,
};

impl MountAttempt<'_> {
    /// Returns all objects of the mount, those that are to be found included, or the failures of finds.
    pub(super) async fn find(
        &self,
        session: &mut Session,
    ) -> Result<Result<Arc<[ObjectSpec]>, Vec<ObjectFailure>>, MountError> {
        let Requested { finds, objects } = &self.requested;
        if finds.is_empty() {
            return Ok(Ok(objects.clone()));
        }
        let mut lists = self.list(&session.clients, Vec::new()).await?;
        let refusals = lists.iter().filter_map(|list| list.as_ref().err());
        if let Some(refusal) = fetch::most_specific(refusals.filter_map(|error| fetch::token_refusal(error)))
            && self.renew(session, refusal).await?
        {
            lists = self.list(&session.clients, find::without_refused(lists)).await?;
        }
        let lists = match find::all(finds, lists) {
            Ok(lists) => lists,
            Err(failures) => return Ok(Err(failures)),
        };
        // Canceled when this attempt is dropped: otherwise the blocking thread would compare all names.
        let canceled = CancellationToken::new();
        let _cancel_on_drop = canceled.clone().drop_guard();
        let (finds, objects) = (finds.clone(), objects.clone());
        let choose = move || find::choose(&objects, &finds, &lists, || canceled.is_cancelled());
        match run_blocking(choose).await {
            Ok(objects) => Ok(Ok(objects.into())),
            Err(NotChosen::Failures(failures)) => Ok(Err(failures)),
            // Only a dropped attempt cancels its choice.
            Err(NotChosen::Abandoned) => std::future::pending().await,
        }
    }

    async fn list(
        &self,
        clients: &VaultClients,
        before: Vec<Option<Listed>>,
    ) -> Result<Vec<Listed>, MountError> {
        self.progress.read(&self.vaults, self.requested.clone());
        self.within_patience(find::list(clients, &self.requested.finds, before, self.progress)).await
    }
}
