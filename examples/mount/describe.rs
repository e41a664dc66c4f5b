//! Describes mounted files without their contents: for a secret, only its length.

use std::{error::Error, fs, os::unix::fs::PermissionsExt, path::Path};

use akv_provider::proto::File;
use x509_parser::{
    pem::Pem,
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

/// Returns mode, size, path, and the kind of content.
pub(crate) fn file(directory: &Path, file: &File) -> Result<String, Box<dyn Error>> {
    let metadata = fs::metadata(directory.join(&file.path))?;
    let mode = metadata.permissions().mode() & 0o777;
    Ok(format!("{mode:04o} {:>6}  {:<16} {}", metadata.len(), file.path, contents(&file.contents)?))
}

fn contents(contents: &[u8]) -> Result<String, Box<dyn Error>> {
    // A SEQUENCE that begins with version 3: PKCS#12.
    if contents.starts_with(&[0x30, 0x82]) && contents.get(4..7) == Some(&[2, 1, 3]) {
        return Ok(format!("a PKCS#12 store of {} bytes", contents.len()));
    }
    let blocks = Pem::iter_from_buffer(contents).collect::<Result<Vec<_>, _>>()?;
    if blocks.is_empty() {
        return Ok(format!("a secret of {} bytes", contents.len()));
    }
    let mut described = Vec::new();
    for block in blocks.iter().filter(|block| block.label != "CERTIFICATE") {
        described.push(match block.label.as_str() {
            "PUBLIC KEY" => {
                format!("public key, {}", key(&SubjectPublicKeyInfo::from_der(&block.contents)?.1))
            }
            "PRIVATE KEY" => format!("private key of {} bytes in PKCS#8", block.contents.len()),
            other => format!("a PEM block {other}"),
        });
    }
    let chain = blocks.iter().filter(|block| block.label == "CERTIFICATE");
    let chain = chain
        .map(|block| Ok(X509Certificate::from_der(&block.contents)?.1))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    match chain.as_slice() {
        [] => {}
        [leaf] => described.push(format!(
            "certificate of {}, by {}, {}",
            leaf.subject(),
            leaf.issuer(),
            key(leaf.public_key())
        )),
        [leaf, ..] => {
            let names: Vec<_> = chain.iter().map(|certificate| certificate.subject().to_string()).collect();
            let ordered = chain.windows(2).all(|pair| pair[0].issuer() == pair[1].subject());
            let order = if ordered { "in order" } else { "out of order" };
            described.push(format!(
                "{} certificates {order}: {}, {}",
                chain.len(),
                names.join(" <- "),
                key(leaf.public_key())
            ));
        }
    }
    Ok(described.join("; "))
}

fn key(key: &SubjectPublicKeyInfo<'_>) -> String {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        _ => "of another kind".to_owned(),
    }
}
