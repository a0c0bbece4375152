//! Who we are to Apps in Toss: a client certificate with its key (toss-api.md B1.1).

use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use x509_parser::parse_x509_certificate;

/// A certificate chain and its private key, found to belong together.
#[derive(Clone)]
pub struct Identity {
    chain_pem: String,
    key_pem: SecretString,
    /// For people: `CN=my-mini-app, O=…`.
    pub subject: String,
    pub issuer: String,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    #[error("no certificate in PEM form (-----BEGIN CERTIFICATE-----) in the certificate file")]
    NoCertificate,
    #[error("the certificate cannot be read: {0}")]
    BadCertificate(String),
    #[error("no private key in PEM form (-----BEGIN PRIVATE KEY-----) in the key file")]
    NoKey,
    #[error("the private key is of a kind that cannot be used: {0}")]
    BadKey(String),
    #[error("certificate and private key do not belong together: take both from the same download")]
    Mismatch,
}

impl Identity {
    /// Reads PEM. The chain begins with our own certificate.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, IdentityError> {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| IdentityError::BadCertificate(e.to_string()))?;
        let own = certificates.first().ok_or(IdentityError::NoCertificate)?;
        let (_, parsed) =
            parse_x509_certificate(own).map_err(|e| IdentityError::BadCertificate(e.to_string()))?;
        let moment = |seconds: i64| {
            OffsetDateTime::from_unix_timestamp(seconds)
                .map_err(|e| IdentityError::BadCertificate(e.to_string()))
        };
        let subject = parsed.subject().to_string();
        let issuer = parsed.issuer().to_string();
        let not_before = moment(parsed.validity().not_before.timestamp())?;
        let not_after = moment(parsed.validity().not_after.timestamp())?;
        let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::NoKey)?;
        let signing = any_supported_type(&private).map_err(|e| IdentityError::BadKey(e.to_string()))?;
        CertifiedKey::new(certificates, signing).keys_match().map_err(|_| IdentityError::Mismatch)?;
        Ok(Self {
            chain_pem: chain.to_owned(),
            key_pem: key.to_owned().into(),
            subject,
            issuer,
            not_before,
            not_after,
        })
    }

    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Whole days until it ends; negative afterwards.
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(86_400)
    }

    pub(super) fn for_reqwest(&self) -> reqwest::Result<reqwest::Identity> {
        reqwest::Identity::from_pem(
            format!("{}\n{}", self.chain_pem, self.key_pem.expose_secret()).as_bytes(),
        )
    }
}
