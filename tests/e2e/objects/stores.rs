//! PKCS#12 stores, as OpenSSL and Java read them.

use std::{
    io::Write as _,
    process::{Command, Output},
};

use serde::Deserialize;

/// What a store must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) path: String,
    password: String,
    /// One private key, of the certificate `leaf_sha256`. Without it the store is a truststore.
    #[serde(default)]
    key_matches_leaf: bool,
    /// SHA-256 of the certificate in DER, in hex.
    leaf_sha256: Option<String>,
    /// All other certificates.
    #[serde(default)]
    ca_sha256: Vec<String>,
    /// The friendly name of the key.
    alias: Option<String>,
    /// `Modern2023` or `LegacyDES`.
    profile: Option<String>,
}

impl Store {
    pub(super) fn check(&self, contents: &[u8]) -> Result<(), String> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: no openssl reads {}", self.path);
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        file.write_all(contents).map_err(|error| error.to_string())?;
        let path = file.path().display().to_string();
        self.check_profile(&path)?;
        let keys = self.openssl(&path, &["-nocerts", "-nodes"])?;
        let count = keys.matches("-----BEGIN PRIVATE KEY-----").count();
        if count != usize::from(self.key_matches_leaf) {
            return Err(format!("{count} private keys"));
        }
        if let Some(alias) = &self.alias
            && !keys.lines().any(|line| line.trim() == format!("friendlyName: {alias}"))
        {
            return Err(format!("the key is not named {alias}"));
        }
        let leaf = self.openssl(&path, &["-clcerts", "-nokeys"])?;
        let others = self.openssl(&path, &["-cacerts", "-nokeys"])?;
        let (leaf, mut others) = (fingerprints(&leaf)?, fingerprints(&others)?);
        if leaf != self.leaf_sha256.clone().into_iter().collect::<Vec<_>>() {
            return Err(format!("leaf {leaf:?} instead of {:?}", self.leaf_sha256));
        }
        let mut expected = self.ca_sha256.clone();
        others.sort();
        expected.sort();
        if others != expected {
            return Err(format!("other certificates {others:?} instead of {expected:?}"));
        }
        if self.key_matches_leaf {
            let key = piped(&["pkey", "-pubout"], &keys)?;
            let certificates = self.openssl(&path, &["-clcerts", "-nokeys"])?;
            if key != piped(&["x509", "-noout", "-pubkey"], &certificates)? {
                return Err("the key is not the leaf's".to_owned());
            }
            Ok(())
        } else {
            self.check_java(&path)
        }
    }

    /// Checks the algorithms that OpenSSL tells.
    fn check_profile(&self, path: &str) -> Result<(), String> {
        let password = format!("pass:{}", self.password);
        let info = run(Command::new("openssl")
            .args(["pkcs12", "-legacy", "-info", "-noout", "-in", path, "-passin", &password]))?;
        let info = String::from_utf8_lossy(&info.stderr).into_owned();
        let wanted: &[&str] = match self.profile.as_deref() {
            Some("Modern2023") => &["MAC: sha256", "PBES2", "AES-256-CBC"],
            Some("LegacyDES") => &["MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC"],
            Some(other) => return Err(format!("unknown profile {other}")),
            None => &[],
        };
        match wanted.iter().find(|wanted| !info.contains(**wanted)) {
            Some(missing) => Err(format!("no {missing} in: {info}")),
            None => Ok(()),
        }
    }

    /// Checks that Java trusts each certificate.
    fn check_java(&self, path: &str) -> Result<(), String> {
        if Command::new("keytool").arg("-help").output().is_err() {
            println!("skipped: no keytool reads {}", self.path);
            return Ok(());
        }
        let list = run(Command::new("keytool").args([
            "-J-Duser.language=en",
            "-list",
            "-storetype",
            "PKCS12",
            "-keystore",
            path,
            "-storepass",
            &self.password,
        ]))?;
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let trusted = list.matches("trustedCertEntry").count();
        if trusted == self.ca_sha256.len() {
            Ok(())
        } else {
            Err(format!("Java trusts {trusted} of {}: {list}", self.ca_sha256.len()))
        }
    }

    fn openssl(&self, path: &str, what: &[&str]) -> Result<String, String> {
        let password = format!("pass:{}", self.password);
        let output = run(Command::new("openssl")
            .args(["pkcs12", "-legacy", "-in", path, "-passin", &password])
            .args(what))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Returns the SHA-256 of each certificate in a text of PEM blocks, in hex.
fn fingerprints(pem: &str) -> Result<Vec<String>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    pem.split_inclusive(END)
        .filter(|block| block.contains("-----BEGIN CERTIFICATE-----"))
        .map(|block| {
            let line = piped(&["x509", "-noout", "-fingerprint", "-sha256"], block)?;
            let hex = line.trim().split('=').next_back().unwrap_or_default();
            Ok(hex.replace(':', "").to_ascii_lowercase())
        })
        .collect()
}

fn piped(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    file.write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    let output = run(Command::new("openssl").args(arguments).arg("-in").arg(file.path()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
    }
}
