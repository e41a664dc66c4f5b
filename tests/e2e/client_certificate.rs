//! Service principals that prove themselves with a certificate. OpenSSL makes keys, certificates and archives.

use std::{path::Path, process::Command};

use akv_emulator::{Application, CertificateTrust, RoleAssignment, Route, Service};
use data_encoding::BASE64;
use tempfile::TempDir;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const CLIENT: &str = "abababab-0000-0000-0000-000000000006";

const PASSWORD: &str = "hunter2 ü";

/// A folder with an authority and a certificate that it issued, each with an RSA key.
struct Certificates(TempDir);

impl Certificates {
    /// Returns `None`, and says so, if there is no OpenSSL.
    fn make() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: there is no openssl");
            return None;
        }
        let folder = Self(tempfile::tempdir().unwrap());
        folder
            .openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=root");
        folder.openssl("req -newkey rsa:2048 -nodes -keyout app.key -out app.csr -subj /CN=app.test");
        folder
            .openssl("x509 -req -in app.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out app.crt -days 30");
        Some(folder)
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.current_dir(self.0.path()).args(arguments.split(' ')).env("PASSWORD", PASSWORD);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(Path::new(file))).unwrap()
    }

    /// Returns these files, one after the other.
    fn text(&self, files: &[&str]) -> String {
        files.iter().map(|file| String::from_utf8(self.read(file)).unwrap()).collect()
    }

    fn base64(&self, file: &str) -> String {
        BASE64.encode(&self.read(file))
    }

    fn der(&self, name: &str) -> Vec<u8> {
        self.openssl(&format!("x509 -in {name}.crt -outform DER -out {name}.der"));
        self.read(&format!("{name}.der"))
    }
}

async fn azure(trust: CertificateTrust) -> Azure {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.directory().update(|directory| {
        directory.applications.push(Application::new(CLIENT).certificate(trust));
        directory.roles.push(RoleAssignment::administrator(CLIENT));
    });
    azure
}

fn call(secret: &[(&str, &str)]) -> MountCall {
    let secret = [&[("clientid", CLIENT)], secret].concat();
    MountCall::of("- {objectName: db-password, objectType: secret}").with_secrets(&secret)
}

#[tokio::test]
async fn a_certificate_in_each_format_gets_a_token() {
    let Some(files) = Certificates::make() else { return };
    files.openssl("rsa -in app.key -traditional -out pkcs1.key");
    files.openssl("pkcs12 -export -inkey app.key -in app.crt -out app.pfx -passout env:PASSWORD");
    files.openssl("pkcs12 -export -inkey app.key -in app.crt -certfile ca.crt -out all.pfx -passout pass:");
    files.openssl("pkcs12 -export -inkey app.key -in app.crt -out old.pfx -passout env:PASSWORD -legacy");
    let azure = azure(CertificateTrust::Thumbprint(files.der("app"))).await;
    for secret in [
        &[("clientcertificate", files.text(&["app.key", "app.crt"]))][..],
        &[("ClientCertificate", files.text(&["ca.crt", "app.crt", "pkcs1.key"]).replace('\n', "\r\n"))],
        &[("clientcertificate", files.base64("app.pfx")), ("clientcertificatepassword", PASSWORD.to_owned())],
        &[("clientcertificate", files.base64("old.pfx")), ("clientcertificatepassword", PASSWORD.to_owned())],
        &[("clientcertificate", files.base64("all.pfx") + "\n")],
    ] {
        let secret: Vec<_> = secret.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let provider = Provider::start(&azure);
        azure.journal().clear();
        for _ in 0..2 {
            let mounted = provider.driver().mount(&call(&secret).of_another_pod()).await.unwrap();
            assert_eq!(mounted.text("db-password"), "x");
        }
        assert_eq!(azure.journal().count(&Route::token_endpoint()), 1, "one token for both pods");
        let reads = azure.journal().filter(&Route::service(Service::Vault).credentials(true));
        assert!(reads.iter().all(|read| read.caller.as_deref() == Some(CLIENT)));
    }
}

#[tokio::test]
async fn a_trusted_subject_name_needs_the_chain() {
    let Some(files) = Certificates::make() else { return };
    let azure =
        azure(CertificateTrust::SubjectName { name: "app.test".to_owned(), roots: vec![files.der("ca")] })
            .await;
    let certificate = files.text(&["app.key", "ca.crt", "app.crt"]);
    let secret =
        |chain| call(&[("clientcertificate", certificate.as_str()), ("sendcertificatechain", chain)]);

    let status = Provider::start(&azure).driver().mount(&secret("false")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let head = "[AKV-WrongClientCertificate] cannot read secret/db-password from vault lab: Entra refused the identity: \
                AADSTS700027; register the certificate for client abababab-0000-0000-0000-000000000006, or set \
                sendcertificatechain where a subject name is trusted";
    assert!(status.message().starts_with(head), "{status}");
    Provider::start(&azure).driver().mount(&secret("true")).await.unwrap();
}

#[tokio::test]
async fn adfs_gets_the_older_signature() {
    let Some(files) = Certificates::make() else { return };
    let azure = azure(CertificateTrust::Thumbprint(files.der("app"))).await;
    azure.directory().update(|directory| {
        directory.tenants = vec!["adfs".to_owned()];
        for application in &mut directory.applications {
            application.tenant = Some("adfs".to_owned());
        }
    });
    let call = call(&[("clientcertificate", &files.text(&["app.key", "app.crt"]))]).with("tenantId", "adfs");
    Provider::start(&azure).driver().mount(&call).await.unwrap();
    assert_eq!(azure.journal().count(&Route::service(Service::Entra).path("/adfs/oauth2/token")), 1);
}

#[tokio::test]
async fn a_fault_of_the_certificate_is_reported_before_a_request() {
    let Some(files) = Certificates::make() else { return };
    files.openssl("pkcs12 -export -inkey app.key -in app.crt -out app.pfx -passout env:PASSWORD");
    files.openssl("pkcs8 -topk8 -in app.key -out locked.key -passout env:PASSWORD");
    files.openssl("rsa -in app.key -traditional -aes128 -out older.key -passout env:PASSWORD");
    files.openssl("ecparam -name prime256v1 -genkey -noout -out ec.key");
    files.openssl("req -x509 -key ec.key -out ec.crt -days 30 -subj /CN=ec.test");
    files.openssl("pkcs8 -topk8 -nocrypt -in ec.key -out ec8.key");
    files.openssl("req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.crt -days 30 -subj /CN=weak");
    let azure = azure(CertificateTrust::Thumbprint(files.der("app"))).await;
    let provider = Provider::start(&azure);
    for (certificate, password, cause) in [
        (
            files.base64("app.pfx"),
            "wrong",
            "does not fit the given password; check the archive and clientcertificatepassword",
        ),
        (
            files.base64("app.pfx"),
            "",
            "does not fit the empty password; check the archive and clientcertificatepassword",
        ),
        (
            files.text(&["app.pfx"].map(|_| "app.crt")),
            "",
            "it has no private key; store the key with its certificate",
        ),
        (files.text(&["app.key"]), "", "it has no certificate of its private key"),
        (files.text(&["app.key", "ca.crt"]), "", "it has no certificate of its private key"),
        (files.text(&["app.key", "ca.key", "app.crt"]), "", "it has 2 private keys"),
        (files.text(&["locked.key", "app.crt"]), PASSWORD, "its key in PEM is encrypted"),
        (files.text(&["older.key", "app.crt"]), PASSWORD, "its key in PEM is encrypted"),
        (files.text(&["ec.key", "ec.crt"]), "", "its key is not RSA"),
        (files.text(&["ec8.key", "ec.crt"]), "", "its key is not RSA"),
        (files.text(&["weak.key", "weak.crt"]), "", "its key is not RSA of 2,048 to 8,192 bits"),
        ("hunter2".to_owned(), "", "it is neither PEM nor PKCS#12 in base64"),
        (BASE64.encode(b"hunter2"), "", "it is neither PEM nor PKCS#12 in base64"),
    ] {
        azure.journal().clear();
        let call = call(&[("clientcertificate", &certificate), ("clientcertificatepassword", password)]);
        let tries = [provider.driver().mount(&call).await, provider.driver().mount(&call).await];
        let [first, second] = tries.map(Result::unwrap_err);
        assert_eq!(first.code(), Code::FailedPrecondition, "{first}");
        let head = "[AKV-NoCredentials] cannot read secret/db-password from vault lab: clientcertificate of the Secret \
                    cannot be used: ";
        let message = first.message();
        assert!(message.starts_with(head) && message.contains(cause), "{cause}: {message}");
        assert_eq!(message, second.message(), "equal for each try");
        assert_eq!(azure.journal().count(&Route::token_endpoint()), 0, "{cause}");
    }
}
