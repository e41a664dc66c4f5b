//! Certificate objects: DER to PEM.

use super::{
    error::ContentError,
    pem::{CERTIFICATE, PemText},
};

/// Writes the `cer` of a certificate object as one PEM block.
///
/// Compat: the bytes are not parsed as X.509; Key Vault's answer is written unchanged.
///
/// # Errors
/// The certificate is empty.
pub fn render(cer: &[u8]) -> Result<Vec<u8>, ContentError> {
    if cer.is_empty() {
        return Err(ContentError::EmptyCertificate);
    }
    let mut text = PemText::new();
    text.push_block(CERTIFICATE, cer);
    Ok(text.into_public())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_one_pem_block() {
        let text = render(&[0x30; 49]).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "-----BEGIN CERTIFICATE-----\n\
             MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw\n\
             MA==\n\
             -----END CERTIFICATE-----\n"
        );
    }

    #[test]
    fn a_certificate_without_bytes_is_an_error() {
        assert_eq!(render(&[]), Err(ContentError::EmptyCertificate));
    }
}
