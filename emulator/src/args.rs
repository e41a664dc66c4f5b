//! The command line of `akv-emulator`.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use thiserror::Error;

/// The parsed flags.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) seed: Option<PathBuf>,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) proxy: Option<SocketAddr>,
    pub(crate) imds: Option<SocketAddr>,
    pub(crate) nmi: Option<SocketAddr>,
    pub(crate) ca_out: Option<PathBuf>,
    pub(crate) cloud_out: Option<PathBuf>,
    pub(crate) tokens_out: Option<PathBuf>,
    pub(crate) authority: Option<AuthorityFiles>,
    pub(crate) trusted_issuers: Vec<IssuerSource>,
    pub(crate) service_account: ServiceAccount,
}

/// The files of a certificate authority, in PEM.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AuthorityFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// An issuer of service-account tokens and the place of its JSON Web Key Set, written as `URL=JWKS`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IssuerSource {
    pub(crate) url: String,
    pub(crate) key_set: KeySetSource,
}

/// The place of a JSON Web Key Set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeySetSource {
    File(PathBuf),
    Url(String),
}

/// A service account, written as `namespace/name`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The command that the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Box<Args>),
    Help,
}

/// The command line is invalid.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ArgsError {
    #[error("unknown argument '{argument}'; --help lists them")]
    Unknown { argument: String },
    #[error("{flag} needs a value")]
    NoValue { flag: &'static str },
    #[error("{flag} given twice")]
    Twice { flag: &'static str },
    #[error("{flag} needs {other} beside it")]
    Alone { flag: &'static str, other: &'static str },
    #[error("{flag} '{value}' is not {expected}")]
    BadValue { flag: &'static str, value: String, expected: &'static str },
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ArgsError> {
        let mut arguments = arguments.into_iter();
        let mut args = Args::default();
        let (mut account, mut ca_cert, mut ca_key) = (None, None, None);
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy().into_owned();
            let (name, inline) = match text.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(OsString::from(value))),
                None => (text, None),
            };
            if matches!(name.as_str(), "--help" | "-h") {
                return Ok(Self::Help);
            }
            let flag = FLAGS.iter().find(|(flag, ..)| *flag == name).map(|(flag, ..)| *flag);
            let flag = flag.ok_or(ArgsError::Unknown { argument: name })?;
            let value = inline.or_else(|| arguments.next()).ok_or(ArgsError::NoValue { flag })?;
            match flag {
                "--seed" => once(flag, &mut args.seed, path(value))?,
                "--https" => once(flag, &mut args.https, address(flag, &value)?)?,
                "--proxy" => once(flag, &mut args.proxy, address(flag, &value)?)?,
                "--imds" => once(flag, &mut args.imds, address(flag, &value)?)?,
                "--nmi" => once(flag, &mut args.nmi, address(flag, &value)?)?,
                "--ca-out" => once(flag, &mut args.ca_out, path(value))?,
                "--cloud-out" => once(flag, &mut args.cloud_out, path(value))?,
                "--tokens-out" => once(flag, &mut args.tokens_out, path(value))?,
                "--ca-cert" => once(flag, &mut ca_cert, path(value))?,
                "--ca-key" => once(flag, &mut ca_key, path(value))?,
                "--trust-issuer" => args.trusted_issuers.push(issuer(flag, &value)?),
                _ => once(flag, &mut account, service_account(flag, &value)?)?,
            }
        }
        args.authority = match (ca_cert, ca_key) {
            (Some(certificate), Some(key)) => Some(AuthorityFiles { certificate, key }),
            (Some(_), None) => return Err(ArgsError::Alone { flag: "--ca-cert", other: "--ca-key" }),
            (None, Some(_)) => return Err(ArgsError::Alone { flag: "--ca-key", other: "--ca-cert" }),
            (None, None) => None,
        };
        args.service_account = account.unwrap_or_default();
        Ok(Self::Run(Box::new(args)))
    }
}

impl Default for ServiceAccount {
    fn default() -> Self {
        Self { namespace: "default".to_owned(), name: "app".to_owned() }
    }
}

/// Returns the text for `--help`.
pub(crate) fn help() -> String {
    let mut text =
        "akv-emulator plays Microsoft Entra, Azure Key Vault, IMDS and NMI on loopback.\n\n".to_owned();
    for (flag, value, meaning) in FLAGS {
        text.push_str(&format!("  {:<34} {meaning}\n", format!("{flag} {value}")));
    }
    text
}

fn once<T>(flag: &'static str, place: &mut Option<T>, value: T) -> Result<(), ArgsError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ArgsError::Twice { flag }),
    }
}

fn path(value: OsString) -> PathBuf {
    PathBuf::from(value)
}

fn address(flag: &'static str, value: &OsString) -> Result<SocketAddr, ArgsError> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| ArgsError::BadValue {
        flag,
        value: text.into_owned(),
        expected: "an address and port, as in 127.0.0.1:8443",
    })
}

fn issuer(flag: &'static str, value: &OsString) -> Result<IssuerSource, ArgsError> {
    let text = value.to_string_lossy();
    match text.split_once('=') {
        Some((url, key_set)) if !url.is_empty() && !key_set.is_empty() => {
            let is_url = ["https://", "http://"].iter().any(|scheme| key_set.starts_with(scheme));
            let key_set =
                if is_url { KeySetSource::Url(key_set.into()) } else { KeySetSource::File(key_set.into()) };
            Ok(IssuerSource { url: url.to_owned(), key_set })
        }
        _ => Err(ArgsError::BadValue {
            flag,
            value: text.into_owned(),
            expected: "an issuer and its keys, as in https://issuer.example=jwks.json",
        }),
    }
}

fn service_account(flag: &'static str, value: &OsString) -> Result<ServiceAccount, ArgsError> {
    let text = value.to_string_lossy();
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(ArgsError::BadValue {
            flag,
            value: text.into_owned(),
            expected: "a service account, as in default/app",
        }),
    }
}

/// Flag, placeholder of its value, meaning.
const FLAGS: &[(&str, &str, &str)] = &[
    ("--seed", "FILE", "vaults and identities to start with (see seed.example.yaml)"),
    ("--https", "ADDRESS", "address for HTTPS; default 127.0.0.1:0, a free port"),
    ("--proxy", "ADDRESS", "address for the HTTP proxy; default 127.0.0.1:0"),
    ("--imds", "ADDRESS", "address for IMDS; default 127.0.0.1:0, on a node 169.254.169.254:80"),
    ("--nmi", "ADDRESS", "address for NMI; default 127.0.0.1:0, on a node 127.0.0.1:2579"),
    ("--ca-cert", "FILE", "a certificate authority instead of a new one at each start, in PEM"),
    ("--ca-key", "FILE", "its private key, in PEM (PKCS#8)"),
    ("--trust-issuer", "URL=JWKS", "accept another cluster's tokens; JWKS is a file or URL; repeatable"),
    ("--ca-out", "FILE", "write the certificate authority to trust there"),
    ("--cloud-out", "FILE", "write an environment file for AzureStackCloud there"),
    ("--tokens-out", "FILE", "write service-account tokens as the driver passes them there"),
    ("--service-account", "NAMESPACE/NAME", "the service account of the tokens; default default/app"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, ArgsError> {
        Command::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_value_follows_its_flag_after_a_space_or_an_equals_sign() {
        let expected = Args {
            seed: Some("a.yaml".into()),
            https: Some(([127, 0, 0, 1], 8443).into()),
            service_account: ServiceAccount { namespace: "n".into(), name: "s".into() },
            ..Args::default()
        };
        let expected = Command::Run(Box::new(expected));
        let spaced = parse(&["--seed", "a.yaml", "--https", "127.0.0.1:8443", "--service-account", "n/s"]);
        assert_eq!(spaced.as_ref(), Ok(&expected));
        assert_eq!(parse(&["--seed=a.yaml", "--https=127.0.0.1:8443", "--service-account=n/s"]), spaced);
    }

    #[test]
    fn a_trusted_issuer_has_its_keys_in_a_file_or_at_a_url() {
        let arguments =
            ["--trust-issuer=https://a.test=jwks.json", "--trust-issuer", "https://b.test=https://c.test/k"];
        let Ok(Command::Run(args)) = parse(&arguments) else { panic!("it is valid") };
        let source = |url: &str, key_set| IssuerSource { url: url.to_owned(), key_set };
        assert_eq!(
            args.trusted_issuers,
            [
                source("https://a.test", KeySetSource::File("jwks.json".into())),
                source("https://b.test", KeySetSource::Url("https://c.test/k".to_owned())),
            ]
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (arguments, message) in [
            (&["--sed"][..], "unknown argument '--sed'; --help lists them"),
            (&["--seed"], "--seed needs a value"),
            (&["--seed", "a", "--seed", "b"], "--seed given twice"),
            (&["--ca-cert", "a"], "--ca-cert needs --ca-key beside it"),
            (&["--ca-key", "a"], "--ca-key needs --ca-cert beside it"),
            (
                &["--trust-issuer", "https://a.test"],
                "--trust-issuer 'https://a.test' is not an issuer and its keys, as in \
                 https://issuer.example=jwks.json",
            ),
            (&["--imds", "80"], "--imds '80' is not an address and port, as in 127.0.0.1:8443"),
            (
                &["--service-account", "app"],
                "--service-account 'app' is not a service account, as in default/app",
            ),
        ] {
            let error = parse(arguments).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn help_wins_over_the_rest() {
        assert_eq!(parse(&["--seed", "x", "-h", "--nonsense"]), Ok(Command::Help));
        assert!(help().contains("--ca-out FILE"));
    }
}
