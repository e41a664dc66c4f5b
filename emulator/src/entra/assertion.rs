//! Federation: a service-account token in place of a secret
//! (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Entra, errors::EntraError};
use crate::{
    cloud::ISSUER,
    directory::{Application, BINDING_AUDIENCE},
    jws::{Token, Unverified},
    route::Service,
    service_account::Assertion,
};

/// Returns the audience that an endpoint prescribes. At other endpoints each federated credential names its own.
pub(crate) fn audience_for(service: Service) -> Option<&'static str> {
    (service == Service::TokenProxy).then_some(BINDING_AUDIENCE)
}

impl Entra<'_> {
    /// Checks that the application trusts the assertion, that its issuer signed it, and that it is valid now.
    pub(super) fn check_assertion(
        &self,
        application: &Application,
        assertion: &str,
    ) -> Result<(), EntraError> {
        let token = Token::<Assertion>::parse(assertion).ok_or(EntraError::MalformedAssertion)?;
        let claims = &token.claims;
        let mut trusted = application
            .federations
            .iter()
            .filter(|federation| {
                self.trusted_issuers.accepts(&federation.issuer, &claims.iss)
                    && federation.subject == claims.sub
            })
            .peekable();
        if trusted.peek().is_none() {
            return Err(EntraError::NoFederation {
                issuer: claims.iss.clone(),
                subject: claims.sub.clone(),
                audience: claims.aud.text(),
            });
        }
        if !trusted.any(|federation| claims.aud.has(self.audience.unwrap_or(&federation.audience))) {
            return Err(EntraError::WrongAudience { audience: claims.aud.text() });
        }
        match self.verify(&token) {
            None => return Err(EntraError::IssuerUnreachable),
            Some(Err(Unverified::UnknownKey)) => return Err(EntraError::UnknownSigningKey),
            Some(Err(Unverified::BadSignature)) => return Err(EntraError::BadSignature),
            Some(Ok(())) => {}
        }
        let now = self.clock.unix();
        if now < claims.nbf - SKEW || now >= claims.exp + SKEW {
            return Err(EntraError::AssertionExpired {
                now: moment(now),
                from: moment(claims.nbf),
                until: moment(claims.exp),
            });
        }
        Ok(())
    }

    /// Verifies the signature of a token; `None` means that the keys of its issuer are not known.
    fn verify(&self, token: &Token<'_, Assertion>) -> Option<Result<(), Unverified>> {
        if token.claims.iss != ISSUER {
            return Some(self.trusted_issuers.keys(&token.claims.iss)?.verify(token));
        }
        let key = token.key_id.as_deref().and_then(|id| self.issuer.key(id));
        Some(match key {
            None => Err(Unverified::UnknownKey),
            Some(key) if key.signed(token) => Ok(()),
            Some(_) => Err(Unverified::BadSignature),
        })
    }
}

pub(super) fn moment(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// Entra accepts a clock skew of five minutes.
const SKEW: i64 = 300;
