//! IMDS, the node's own token source.

use std::time::Duration;

use akv_emulator::{Fault, Route, Service};
use tonic::Code::FailedPrecondition;

use super::fixture::FaultFixture;
use crate::harness::{Azure, MountCall};

fn managed() -> MountCall {
    MountCall::of("- objectName: db-password\n  objectType: secret\n")
        .with("useVMManagedIdentity", "true")
        .of_another_pod()
}

/// Microsoft's guidance for IMDS has longer pauses than that for Entra. Each fault therefore has its own Azure, and all
/// run at once.
#[tokio::test]
async fn imds_that_fails_once_is_asked_again() {
    let faults = [404, 410, 429, 500, 503].map(Fault::status).into_iter().chain([Fault::Hang, Fault::Drop]);
    let rows = faults.map(|fault| async move {
        let fixture = FaultFixture::new().await;
        fixture.azure.faults().inject_times(1, Route::service(Service::Imds), fault.clone());
        fixture.driver().mount(&managed()).await.unwrap_or_else(|status| panic!("{fault:?}: {status}"));
        assert_eq!(fixture.azure.journal().count(&Route::service(Service::Imds)), 2, "{fault:?}");
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn imds_that_fails_each_time_is_reported() {
    let faults = [404, 410, 429, 500, 503].map(Fault::status).into_iter().chain([Fault::Hang, Fault::Drop]);
    let rows = faults.map(|fault| async move {
        let azure = Azure::with_secrets(&[("db-password", "x")]).await;
        let limit = |config: &mut akv_provider::cli::Config| {
            config.mounts.token_limit = Duration::from_secs(1);
        };
        let fixture = FaultFixture::over(azure, limit, |_| {});
        fixture.azure.faults().inject(Route::service(Service::Imds), fault.clone());
        let status = fixture.driver().mount(&managed()).await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{fault:?}: {status}");
        assert!(status.message().contains("IMDS at 169.254.169.254"), "{fault:?}: {status}");
        if let Fault::Status { code, .. } = fault {
            assert!(status.message().contains(&code.to_string()), "{status}");
        }
        let asked = fixture.azure.journal().count(&Route::service(Service::Imds));
        assert_eq!(asked, 1, "{fault:?}: the pause that IMDS wants is longer than a second");
    });
    futures::future::join_all(rows).await;
}
