//! The one place that maps typed errors to the failure codes that operators see.

use crate::{
    cloud::CloudError,
    content::error::ContentError,
    failure::FailureCode as Code,
    identity::{IdentityError, LastAnswer, TokenErrorResponse, TokenSource},
    transport::{ConnectPhase, NetworkFailure},
    vault::{Reason, TenantError, VaultError},
};

use super::{
    error::{MountError, ObjectError},
    timeout_cause::TimeoutCause,
};

impl MountError {
    /// Returns the failure code. If several objects failed, it is the code with the lowest `precedence`.
    pub fn code(&self, precedence: impl Fn(Code) -> u8) -> Code {
        match self {
            Self::Cloud(CloudError::NoFile) => Code::NoCloudFile,
            Self::Cloud(_) => Code::BadCloudFile,
            Self::Tenant { error, .. } => match &**error {
                TenantError::Vault(error) => error.code(),
                TenantError::OtherAuthority(_) | TenantError::NotNamed | TenantError::NoChallenge => {
                    Code::TenantNotKnown
                }
            },
            Self::Identity { error, .. } => error.code(),
            Self::Connect { error, .. } => error.code(),
            Self::Objects { failures, .. } => {
                let codes = failures.iter().map(|failure| failure.error.code());
                codes.min_by_key(|code| precedence(*code)).unwrap_or(Code::InternalError)
            }
            Self::TooLarge { .. } => Code::TooLarge,
            Self::QueueTimeout { .. } => Code::TimeoutQueued,
            Self::Timeout { waiting, .. } => waiting.code(),
        }
    }
}

impl TimeoutCause {
    pub(in crate::mount) fn code(&self) -> Code {
        match self {
            Self::Cloud => Code::TimeoutCloudFile,
            Self::Token { connect_phase: Some(ConnectPhase::Dns), .. }
            | Self::Reads { throttled: false, connect_phase: Some(ConnectPhase::Dns), .. } => {
                Code::DnsTimeout
            }
            Self::Token { connect_phase: Some(_), .. } => Code::TimeoutConnect,
            Self::Token { .. } => Code::TimeoutToken,
            Self::Reads { throttled: true, .. } => Code::TimeoutThrottled,
            Self::Reads { connect_phase: Some(_), .. } => Code::TimeoutConnect,
            Self::Reads { .. } => Code::TimeoutRead,
            Self::Lists { .. } | Self::Memory => Code::TimeoutQueued,
            Self::Conversion => Code::TimeoutConvert,
        }
    }
}

impl IdentityError {
    pub(in crate::mount) fn code(&self) -> Code {
        let source = &self.asked().source;
        match self {
            Self::Refused { asked, answer } if asked.with_certificate => match refused(source, answer) {
                // Entra has the same numbers for the assertions of certificates and of pods.
                Code::PodTokenNotTrusted | Code::PodTokenNotValidNow => Code::WrongClientCertificate,
                code => code,
            },
            Self::Refused { answer, .. } => refused(source, answer),
            Self::Certificate { .. } => Code::NoCredentials,
            Self::Unavailable { answer, .. } => unavailable(answer.status()),
            Self::Foreign { answer, .. } => foreign(answer.status()),
            Self::Timeout { last: LastAnswer(Some(status)), .. } => unavailable(*status),
            Self::Timeout { last: LastAnswer(None), .. } => unanswered(source, NetworkFailure::Silence),
            Self::Unreachable { source: cause, .. } => unanswered(source, NetworkFailure::of(cause.as_ref())),
            Self::TokenProxy { .. } => Code::NoTokenProxy,
        }
    }
}

fn refused(source: &TokenSource, answer: &TokenErrorResponse) -> Code {
    match source {
        TokenSource::Nmi { .. } => Code::NoPodIdentity,
        // IMDS has no error codes of its own for these two cases.
        TokenSource::Imds if answer.words().contains("Identity not found") => Code::IdentityNotOnNode,
        TokenSource::Imds if answer.words().contains("Multiple user assigned identities") => {
            Code::IdentityNotChosen
        }
        _ => answer.number().map_or(Code::IdentityRefused, entra),
    }
}

/// Maps Entra's error numbers that users of a vault meet
/// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
fn entra(number: u32) -> Code {
    match number {
        // No federated credential at all, or none that matches. The longer numbers say which part does not match.
        70_021 | 70_025 | 700_211..=700_213 | 7_002_111..=7_002_139 => Code::NoFederatedCredential,
        700_223 | 700_238 => Code::FederationNotAllowed,
        50_013 | 50_027 | 90_061 | 700_027 | 700_222 | 700_227 | 5_000_811 => Code::PodTokenNotTrusted,
        700_024 => Code::PodTokenNotValidNow,
        7_000_215 => Code::WrongClientSecret,
        7_000_222 => Code::ClientSecretExpired,
        90_002 | 90_013 | 900_021 | 900_023 => Code::UnknownTenant,
        700_016 | 7_000_229 => Code::UnknownClient,
        7_000_112 => Code::ClientDisabled,
        50_001 | 500_011 | 500_014 => Code::UnknownVaultService,
        53_000..=53_011 | 530_031..=530_035 => Code::ConditionalAccess,
        _ => Code::IdentityRefused,
    }
}

fn unavailable(status: u16) -> Code {
    match status {
        300..400 => Code::UnexpectedAnswer,
        407 => Code::ProxyAuthRequired,
        429 => Code::TokenThrottled,
        _ => Code::TokenSourceDown,
    }
}

/// Maps the status of an answer that came from a proxy, firewall or gateway.
fn foreign(status: u16) -> Code {
    match status {
        403 => Code::ForbiddenByProxy,
        407 => Code::ProxyAuthRequired,
        _ => Code::UnexpectedAnswer,
    }
}

fn unanswered(source: &TokenSource, failure: NetworkFailure) -> Code {
    match (source, failure) {
        (_, NetworkFailure::Other) => Code::UnexpectedAnswer,
        (TokenSource::Imds, _) => Code::ImdsUnreachable,
        (TokenSource::Nmi { .. }, _) => Code::NmiUnreachable,
        (TokenSource::TokenProxy { .. }, failure) => match network(failure, Code::NoTokenProxy) {
            Code::DnsTimeout | Code::ConnectFailed | Code::ConnectionLost | Code::NoAnswer => {
                Code::NoTokenProxy
            }
            other => other,
        },
        (TokenSource::Entra { .. }, failure) => network(failure, Code::EntraDnsFailed),
    }
}

fn network(failure: NetworkFailure, no_address: Code) -> Code {
    match failure {
        NetworkFailure::Name => no_address,
        NetworkFailure::NameTimeout => Code::DnsTimeout,
        NetworkFailure::Connect => Code::ConnectFailed,
        NetworkFailure::Lost => Code::ConnectionLost,
        NetworkFailure::Silence => Code::NoAnswer,
        NetworkFailure::NotTrusted => Code::TlsNotTrusted,
        NetworkFailure::NotValidNow => Code::TlsNotValidNow,
        NetworkFailure::Tls => Code::TlsFailed,
        NetworkFailure::Proxy => Code::ProxyUnreachable,
        NetworkFailure::ProxyRefused => Code::ProxyRefused,
        NetworkFailure::ProxyAuthRequired => Code::ProxyAuthRequired,
        NetworkFailure::Other => Code::UnexpectedAnswer,
    }
}

impl VaultError {
    pub(in crate::mount) fn code(&self) -> Code {
        match self {
            Self::NotFound(answer) if answer.reason() == Reason::SoftDeleted => Code::SoftDeleted,
            Self::NotFound(_) => Code::NotFound,
            Self::Disabled(_) => Code::ObjectDisabled,
            Self::NotValidNow(answer) if answer.reason() == Reason::Expired => Code::Expired,
            Self::NotValidNow(_) => Code::NotYetValid,
            Self::Forbidden(answer) => match answer.reason() {
                Reason::Rbac => Code::ForbiddenByRbac,
                Reason::Policy => Code::ForbiddenByPolicy,
                Reason::Firewall => Code::ForbiddenByFirewall,
                Reason::PrivateConnection => Code::ForbiddenByConnection,
                _ => Code::Forbidden,
            },
            Self::Unauthorized(answer) => match answer.reason() {
                Reason::OtherTenant => Code::VaultInOtherTenant,
                Reason::OtherAudience => Code::WrongAudience,
                _ => Code::VaultRefusedToken,
            },
            Self::Rejected(_) => Code::RequestRejected,
            Self::Throttled(_) => Code::Throttled,
            Self::Unavailable(answer) if answer.status() < 400 => Code::UnexpectedAnswer,
            Self::Unavailable(_) => Code::VaultDown,
            // Gateways, Azure's own among them, answer in place of a vault that is down.
            Self::Foreign(answer) if answer.status() == 408 || answer.status() >= 500 => Code::VaultDown,
            Self::Foreign(answer) => foreign(answer.status()),
            // The kind of error already says that no answer came. Its cause may not say why.
            Self::Unreachable(cause) => match NetworkFailure::of(cause.as_ref()) {
                NetworkFailure::Other => Code::ConnectionLost,
                failure => network(failure, Code::VaultDnsFailed),
            },
            Self::Credential(cause) => match NetworkFailure::of(cause.as_ref()) {
                NetworkFailure::Other => Code::TokenSourceDown,
                failure => network(failure, Code::EntraDnsFailed),
            },
            Self::MoreClaims { .. } => Code::ClaimsChallenge,
            Self::InvalidChallenge(_)
            | Self::Malformed(_)
            | Self::Incomplete(_)
            | Self::OtherObject(_)
            | Self::RepeatedVersion(_)
            | Self::RepeatedObject(_)
            | Self::Endless { .. } => Code::UnexpectedAnswer,
        }
    }
}

impl ObjectError {
    pub(in crate::mount) fn code(&self) -> Code {
        match self {
            Self::Vault(error) | Self::List(error) => error.code(),
            Self::NothingFound => Code::NothingFound,
            Self::TooManyListed { .. }
            | Self::TooManyFound
            | Self::ListsTooLarge
            | Self::TooManySteps
            | Self::TooManyStores => Code::TooManyFound,
            Self::Content(error) => content_code(error),
            // The entry's first failure decides, as the message begins with it.
            Self::Outputs { failed } => {
                match failed.first().map_or(Code::CannotConvert, |failed| content_code(&failed.error)) {
                    Code::WrongEncoding => Code::CannotConvert,
                    code => code,
                }
            }
            Self::Clash { .. } | Self::KeyClash(_) => Code::FileClash,
            Self::NoSuchKey { .. } => Code::NoSuchKey,
            Self::Path { .. } | Self::RewrittenPath { .. } => Code::BadParameters,
            Self::NoVersions | Self::NoSuchVersion => Code::NotFound,
            Self::NoFittingVersion => Code::NoFittingVersion,
            Self::AllDisabled | Self::StartDisabled | Self::ChosenDisabled => Code::ObjectDisabled,
        }
    }
}

fn content_code(error: &ContentError) -> Code {
    match error {
        // Of a single file. Of the files that are made of a value, it is one more thing that cannot be converted.
        ContentError::Encoding(_) | ContentError::PemNotEncoded => Code::WrongEncoding,
        ContentError::EmptyCertificate => Code::CertificateNotIssued,
        _ => Code::CannotConvert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entra_said(number: u32) -> Code {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{number}: Words. Trace ID: 1"}}"#
        );
        let source =
            TokenSource::Entra { tenant: "t".parse().unwrap(), host: "login.microsoftonline.com".to_owned() };
        refused(&source, &TokenErrorResponse::parse(401, body.as_bytes()))
    }

    #[test]
    fn known_entra_errors_have_their_own_codes_and_others_share_one() {
        for (numbers, expected) in [
            (
                &[70_021, 70_025, 700_211, 700_212, 700_213, 7_002_121, 7_002_138][..],
                Code::NoFederatedCredential,
            ),
            (&[700_223, 700_238], Code::FederationNotAllowed),
            (&[700_027, 5_000_811, 90_061, 700_222], Code::PodTokenNotTrusted),
            (&[700_024], Code::PodTokenNotValidNow),
            (&[7_000_215], Code::WrongClientSecret),
            (&[7_000_222], Code::ClientSecretExpired),
            (&[90_002, 900_023], Code::UnknownTenant),
            (&[700_016, 7_000_229], Code::UnknownClient),
            (&[7_000_112], Code::ClientDisabled),
            (&[500_011], Code::UnknownVaultService),
            (&[53_003], Code::ConditionalAccess),
            (&[1, 4_294_967_295], Code::IdentityRefused),
        ] {
            for number in numbers {
                assert_eq!(entra_said(*number), expected, "{number}");
            }
        }
    }

    #[test]
    fn a_missing_identity_is_distinguished_from_an_ambiguous_one() {
        for (words, expected) in [
            ("Identity not found", Code::IdentityNotOnNode),
            ("Multiple user assigned identities exist, please specify one", Code::IdentityNotChosen),
            ("Something else", Code::IdentityRefused),
        ] {
            let body = format!(r#"{{"error":"invalid_request","error_description":"{words}"}}"#);
            let answer = TokenErrorResponse::parse(400, body.as_bytes());
            assert_eq!(refused(&TokenSource::Imds, &answer), expected, "{words}");
        }
    }

    #[test]
    fn an_unreachable_service_on_the_node_has_its_own_code() {
        let entra = TokenSource::Entra { tenant: "t".parse().unwrap(), host: "h".to_owned() };
        let proxy = TokenSource::TokenProxy { tenant: "t".parse().unwrap(), host: "h".to_owned() };
        let nmi = TokenSource::Nmi { pod: "n/p".to_owned() };
        for (source, failure, expected) in [
            (&entra, NetworkFailure::Name, Code::EntraDnsFailed),
            (&entra, NetworkFailure::Connect, Code::ConnectFailed),
            (&entra, NetworkFailure::Proxy, Code::ProxyUnreachable),
            (&entra, NetworkFailure::Other, Code::UnexpectedAnswer),
            (&proxy, NetworkFailure::Connect, Code::NoTokenProxy),
            (&proxy, NetworkFailure::NotTrusted, Code::TlsNotTrusted),
            (&TokenSource::Imds, NetworkFailure::Connect, Code::ImdsUnreachable),
            (&nmi, NetworkFailure::Silence, Code::NmiUnreachable),
        ] {
            assert_eq!(unanswered(source, failure), expected, "{source} {failure:?}");
        }
    }
}
