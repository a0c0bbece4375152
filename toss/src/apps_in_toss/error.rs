//! What can come back instead of an answer. Without an idempotency key one thing matters: may it have happened?

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};

use super::{ResultType, codes};
use crate::{
    observe::{Failure, Outcome},
    redact::{self, Silence, Unreadable},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing happened at Toss.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// It may have happened: ask for the status before anything else.
    #[error(transparent)]
    MaybeDone(#[from] MaybeDone),
}

/// Nothing happened at Toss.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    #[error("{0}")]
    Refused(Refusal),
    /// No connection was made.
    #[error("Apps in Toss could not be reached: {0}")]
    NotReached(Silence),
    /// The two sides did not accept each other's certificates.
    #[error("{0}")]
    Tls(TlsProblem),
}

/// It may have happened.
#[derive(Debug, thiserror::Error)]
pub enum MaybeDone {
    /// Toss itself does not know, and says so.
    #[error("Toss does not say whether it happened: {0}")]
    Said(Refusal),
    #[error("no answer from Apps in Toss: {0}")]
    NoAnswer(Silence),
    #[error("an answer from Apps in Toss that could not be read (HTTP {status}): {how}")]
    Unreadable { status: u16, how: Unreadable },
    /// A success whose content says otherwise, or says it of something else.
    #[error("an answer that contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A success that carries an error code.
    #[error("a success that says {0}")]
    FailedInside(String),
}

/// A refusal. Of Toss's answer only the code is kept: its reason is free text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{code}: {reason} ({result_type}, HTTP {status})")]
pub struct Refusal {
    pub status: u16,
    pub result_type: ResultType,
    /// A word (`PAYMENT_EXISTING_PAYMENT`) or digits (`4109`).
    pub code: String,
    /// What Toss documents of the code, in Korean; empty for one that it does not document.
    pub reason: String,
    /// Of 4095: how long to wait.
    pub retry_after_seconds: Option<u64>,
}

/// Why there is no mutual trust, as a sentence that says what to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    #[error(
        "Apps in Toss asks for a client certificate and got none: set APPS_IN_TOSS_CERT and APPS_IN_TOSS_KEY"
    )]
    NoCertificate,
    #[error("Apps in Toss says that our client certificate has ended: have a new one issued in its console")]
    OurCertificateEnded,
    #[error(
        "Apps in Toss does not accept our client certificate ({0}): it was issued by somebody else or revoked; take the one of its console"
    )]
    OurCertificateRefused(String),
    #[error(
        "the server's certificate was not issued by an authority we know: set APPS_IN_TOSS_CA to the sandbox's ca.pem, or take it out for Toss's own hosts"
    )]
    ServerUnknown,
    #[error(
        "the server's certificate has ended or is not valid yet: look at this machine's clock, then ask whoever runs it"
    )]
    ServerEnded,
    #[error(
        "the server's certificate is for another name than the address we called: look at APPS_IN_TOSS_URL and APPS_IN_TOSS_PAY_URL"
    )]
    ServerNameDiffers,
    #[error(
        "the two sides cannot agree on TLS ({0}): look at both addresses and that nothing in between opens the connection"
    )]
    Other(String),
}

impl TlsProblem {
    /// Finds what TLS had to say in an error of the HTTP library. A refused client certificate shows only when the
    /// answer is read (TLS 1.3), and even so the other side has read no request.
    pub(super) fn find(error: &(dyn StdError + 'static)) -> Option<Self> {
        use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};
        let mut next = Some(error);
        while let Some(error) = next {
            let tls = error.downcast_ref::<Tls>();
            if let Some(tls) = tls {
                return Some(match tls {
                    Tls::AlertReceived(Alert::CertificateRequired) => Self::NoCertificate,
                    Tls::AlertReceived(Alert::CertificateExpired) => Self::OurCertificateEnded,
                    Tls::AlertReceived(
                        alert @ (Alert::UnknownCA
                        | Alert::BadCertificate
                        | Alert::CertificateRevoked
                        | Alert::CertificateUnknown
                        | Alert::UnsupportedCertificate
                        | Alert::AccessDenied
                        | Alert::DecryptError),
                    ) => Self::OurCertificateRefused(format!("{alert:?}")),
                    Tls::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => Self::ServerUnknown,
                    Tls::InvalidCertificate(
                        Bad::Expired
                        | Bad::ExpiredContext { .. }
                        | Bad::NotValidYet
                        | Bad::NotValidYetContext { .. },
                    ) => Self::ServerEnded,
                    Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                        Self::ServerNameDiffers
                    }
                    Tls::AlertReceived(alert) => Self::Other(format!("{alert:?}")),
                    Tls::PeerIncompatible(why) => Self::Other(format!("{why:?}")),
                    _ => Self::Other("no reason given".to_owned()),
                });
            }
            // An I/O error hides what it carries from `source`.
            let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = match carried {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }
}

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        let refused = |code: &str, result_type: &ResultType| Self::Refused {
            code: code.to_owned(),
            result_type: Some(result_type.as_str().to_owned()),
        };
        let no_answer = |failure, why: String| Self::NoAnswer { failure, why };
        match error {
            Error::NotDone(NotDone::Refused(refusal)) | Error::MaybeDone(MaybeDone::Said(refusal)) => {
                refused(&refusal.code, &refusal.result_type)
            }
            Error::MaybeDone(MaybeDone::FailedInside(code)) => refused(code, &ResultType::Success),
            Error::NotDone(NotDone::NotReached(why)) | Error::MaybeDone(MaybeDone::NoAnswer(why)) => {
                no_answer((*why).into(), why.to_string())
            }
            Error::NotDone(NotDone::Tls(problem)) => no_answer(Failure::Tls, problem.to_string()),
            Error::MaybeDone(MaybeDone::Unreadable { how, .. }) => {
                no_answer(Failure::Unreadable, how.to_string())
            }
            Error::MaybeDone(MaybeDone::Contradiction(what)) => {
                no_answer(Failure::Contradiction, (*what).to_owned())
            }
        }
    }
}

impl Refusal {
    /// `code` as it came.
    pub fn new(status: u16, result_type: ResultType, code: &str, retry_after_seconds: Option<u64>) -> Self {
        let code = redact::code(code);
        let reason = codes::find(&code).unwrap_or_default().to_owned();
        Self { status, result_type, code, reason, retry_after_seconds }
    }
}

impl Error {
    /// What Toss said, where it said something.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NotDone(NotDone::Refused(refusal)) | Self::MaybeDone(MaybeDone::Said(refusal)) => {
                Some(refusal)
            }
            _ => None,
        }
    }

    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code.as_str())
    }

    /// Toss has no such payment.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotDone(NotDone::Refused(refusal)) if refusal.status == 404)
    }

    /// Nobody is there: the next call will fare no better.
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::NotDone(NotDone::NotReached(_) | NotDone::Tls(_)) | Self::MaybeDone(MaybeDone::NoAnswer(_))
        )
    }

    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::MaybeDone(_))
    }
}
