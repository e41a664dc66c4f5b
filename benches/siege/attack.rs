//! What one pod author does, all at once: the rows of the table in docs/limits.md.

use std::{future::Future, pin::Pin, rc::Rc, time::Duration};

use akv_emulator::{Fault, Route};
use akv_provider::proto::MountRequest;
use futures::{StreamExt, stream};
use tokio::time::sleep;

use crate::{
    Failure,
    azure::{Azure, PRINCIPALS, secret_name},
    driver::Driver,
    pods::Pod,
    ports::{self, Ports},
    request::{padded, secrets, with},
};

/// Kubelet repeats a mount that failed. It waits longer and longer, and an attacker starts new pods.
const PAUSE: Duration = Duration::from_millis(500);

/// The author's namespaces: one alone gets only half of what namespaces share.
const NAMESPACES: [&str; 2] = ["hostile", "hostile-too"];

const HANGING: [&str; 2] = ["hangs", "hangs-too"];
const LARGE: &str = "large";
const HISTORY: &str = "history";

/// Vaults that only a forged token names.
const INVENTED: usize = 200;

/// The largest secret of Key Vault, in characters.
const LARGEST: usize = 25_000;

/// Versions of each object of [`HISTORY`].
const VERSIONS: usize = 2_000;

/// A load on the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Mounts of 64 objects with a forged token, from 200 vaults.
    ForgedTokens,
    /// Half requests at the ports of probes and metrics, from a hundred addresses.
    HalfRequests,
    /// 150 mounts with a class of 1.3 MB each, and 150 with one just below the limit, from a vault that hangs.
    LongClasses,
    /// 1,500 mounts with a class of 1,000 objects in about 50 kB each, from two vaults that hang: more volumes than a node
    /// has pods, so it only runs by name.
    MediumClasses,
    /// A mount of 100 objects with 2,000 small versions each.
    Histories,
    /// 20 volumes of 4 MB at once.
    LargeVolumes,
    /// 150 mounts each from two vaults that hang.
    HangingVaults,
}

impl Attack {
    /// Those of one pod author.
    pub(crate) const TOGETHER: [Self; 6] = [
        Self::ForgedTokens,
        Self::HalfRequests,
        Self::LongClasses,
        Self::Histories,
        Self::LargeVolumes,
        Self::HangingVaults,
    ];

    /// Returns all, also those that only run by name.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::TOGETHER.into_iter().chain([Self::MediumClasses])
    }

    /// Runs until it is dropped.
    pub(crate) fn run(
        self,
        azure: Rc<Azure>,
        driver: Driver,
        ports: Ports,
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let all = self.number();
            if self == Self::HalfRequests {
                return ports::flood(ports).await;
            }
            // Each pod mounts again when its mount has failed or succeeded. Its request and its tokens stay the same:
            // to make them anew would take more of the machine than the provider does.
            let pods = (0..all).map(|number| {
                let (request, mut driver) = (self.request(&azure, number), driver.clone());
                async move {
                    loop {
                        let _ = driver.call(request.clone()).await;
                        sleep(PAUSE).await;
                    }
                }
            });
            stream::iter(pods).for_each_concurrent(None, |pod| pod).await;
        })
    }

    /// Returns the number of pods.
    fn number(self) -> usize {
        match self {
            Self::ForgedTokens => INVENTED,
            Self::HalfRequests => 0,
            Self::LongClasses | Self::HangingVaults => 300,
            Self::MediumClasses => 1_500,
            Self::Histories => 1,
            Self::LargeVolumes => 20,
        }
    }

    fn request(self, azure: &Azure, number: usize) -> MountRequest {
        let namespace = NAMESPACES[number / HANGING.len() % NAMESPACES.len()];
        let request = Pod::new(azure, number % PRINCIPALS).request(1);
        let request = with(request, &[("csi.storage.k8s.io/pod.namespace", namespace)]);
        let hangs = HANGING[number % HANGING.len()];
        match self {
            Self::ForgedTokens => with(
                request,
                &[
                    ("keyvaultName", &format!("invented-{number}")),
                    ("objects", &secrets(64, "")),
                    (
                        "csi.storage.k8s.io/serviceAccount.tokens",
                        &azure.service_account_tokens("default", "forged"),
                    ),
                ],
            ),
            Self::LongClasses => {
                let bytes = if number.is_multiple_of(2) { 1_300_000 } else { 500_000 };
                with(request, &[("keyvaultName", hangs), ("objects", &padded(bytes))])
            }
            Self::MediumClasses => {
                with(request, &[("keyvaultName", hangs), ("objects", &secrets(1_000, ""))])
            }
            Self::Histories => {
                let history = format!("  objectVersionHistory: {VERSIONS}\n");
                with(request, &[("keyvaultName", HISTORY), ("objects", &secrets(100, &history))])
            }
            Self::LargeVolumes => {
                with(request, &[("keyvaultName", LARGE), ("objects", &secrets((4 << 20) / LARGEST - 1, ""))])
            }
            Self::HangingVaults | Self::HalfRequests => with(request, &[("keyvaultName", hangs)]),
        }
    }
}

/// Fills the vaults of the attacks.
pub(crate) fn prepare(azure: &Azure) {
    for vault in HANGING {
        azure.vaults().put_secret(vault, &secret_name(0), "x");
    }
    for number in 0..INVENTED {
        azure.vaults().put_secret(&format!("invented-{number}"), &secret_name(0), "x");
    }
    let large = "x".repeat(LARGEST);
    for object in 0..(4 << 20) / LARGEST {
        azure.vaults().put_secret(LARGE, &secret_name(object), &large);
    }
    for object in 0..100 {
        for _ in 0..VERSIONS {
            azure.vaults().put_secret(HISTORY, &secret_name(object), "x");
        }
    }
}

/// Mounts once from each vault that an identity of the attacker may read, so that the provider takes it for known.
pub(crate) async fn become_known(azure: &Azure, driver: &Driver) -> Result<(), Failure> {
    for vault in HANGING.into_iter().chain([LARGE, HISTORY]) {
        let request = with(Pod::new(azure, 0).request(1), &[("keyvaultName", vault)]);
        driver.clone().call(request).await?;
    }
    Ok(())
}

/// Makes the hanging vaults hang.
pub(crate) fn hang(azure: &Azure) {
    for vault in HANGING {
        azure.faults().inject(Route::vault(vault).credentials(true), Fault::Hang);
    }
}
