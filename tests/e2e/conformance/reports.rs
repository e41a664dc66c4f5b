//! Replays mounts of public reports: the project's own, and those of a folder beside the checkout.

use std::path::Path;

use super::{Stage, groups};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mounts_of_public_reports_end_as_they_should() {
    replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mounts_of_public_reports_beside_the_checkout_end_as_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    match folder.is_dir() {
        true => replay(&folder).await,
        false => println!("skipped: there is no folder of reports beside the checkout"),
    }
}

async fn replay(folder: &Path) {
    let mut stage = Stage::set().await;
    let mut wrong = Vec::new();
    for (group, cases) in groups(folder) {
        for case in &cases {
            if let Err(error) = stage.play(case).await {
                wrong.push(format!("{group}/{}: {error}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
