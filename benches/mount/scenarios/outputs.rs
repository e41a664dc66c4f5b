//! One certificate as several files, of which two are stores under a password. Only this provider has such files.

use std::time::Instant;

use akv_emulator::fixtures::{BundleFormat, CertificateFixture, ChainOrder, KeyKind};

use super::{Stage, USUAL, at};
use crate::{Failure, azure::VAULT, figure::Figure, pods::Pod};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let azure = stage.azure;
    azure.vaults().put_secret(VAULT, "store-password", "correct horse");
    let certificate = CertificateFixture::generate("web.example", KeyKind::P256)?;
    azure.vaults().put_certificate(VAULT, "web", &certificate, BundleFormat::Pfx, ChainOrder::LeafFirst)?;
    let mut times = Figure::times(format!("new pod, one certificate as six outputs, {}", at(USUAL)));
    let (_process, mut driver) = stage.prewarm().await?;
    for _ in 0..stage.runs(USUAL) {
        let request = Pod::new(azure, 0).request_of(OBJECTS);
        azure.journal().clear();
        let begin = Instant::now();
        let answer = driver.call(request).await?;
        let figures = (begin.elapsed(), azure.journal().total());
        if answer.files.len() != 6 {
            return Err(format!("6 files were to come, {} came", answer.files.len()).into());
        }
        times.run(figures);
    }
    Ok(vec![times])
}

const OBJECTS: &str = "- {objectName: web, objectType: secret, outputs: [\
     {objectAlias: tls.key, content: key}, {objectAlias: tls.crt, content: fullChain}, \
     {objectAlias: ca.crt, content: ca}, {objectAlias: all.pem, content: combined}, \
     {objectAlias: web.p12, content: keystore, passwordObject: store-password}, \
     {objectAlias: trust.p12, content: truststore, passwordObject: store-password}]}";
