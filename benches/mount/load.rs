//! A minimal client with little CPU use: one TLS connection, one request at a time.

use std::{io, sync::Arc};

use akv_emulator::Emulator;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Failure, azure::VAULT};

/// The address of an emulator's vault, and the TLS configuration for it.
pub(crate) struct Load<'a> {
    azure: &'a Emulator,
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// An open connection to the vault.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(azure: &'a Emulator, resumes: bool) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(azure.ca_pem().as_bytes())?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        let name = ServerName::try_from(format!("{VAULT}.vault.azure.net"))?;
        Ok(Self { azure, connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(self.azure.https_address()).await?;
        tcp.set_nodelay(true)?;
        let stream = self.connector.connect(self.name.clone(), tcp).await?;
        Ok(Connection { stream, buffer: Vec::with_capacity(4096) })
    }
}

impl Connection {
    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends a request, and reads its answer to the end; the status must be 200.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match whole(&self.buffer) {
                Some(true) if self.buffer.starts_with(b"HTTP/1.1 200") => return Ok(()),
                Some(true) => return Err(io::Error::other("the emulator refuses")),
                _ => {}
            }
        }
    }
}

/// Returns whether an answer is complete; `None` until its headers are.
fn whole(answer: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())?;
    Some(body.len() >= length)
}
