//! A host that we are mounted in may know who everybody is. Then our own ways in are closed, and the host is asked about
//! each request.

use std::fmt;

use app::{
    context::{Elsewhere, SESSION_STAFF, Visitor},
    staff::entry::{self, Entered, Shown},
};
use async_trait::async_trait;
use axum::http::request::Parts;
use backoffice::staff::{
    Role, Staff,
    identities::{self, HOST, Known, NotLetIn},
};
use uuid::Uuid;

use crate::Jangbu;

/// Somebody, as the host knows them.
#[derive(Debug, Clone)]
pub struct Identified {
    /// Never another person's, whatever else about somebody changes. At most 255 characters.
    pub subject: String,
    /// It stands in every row of the audit log.
    pub name: String,
    /// The host vouches that it is theirs: an account with this address becomes this person's.
    pub email: String,
    pub role: Role,
    /// The host has seen a second factor, recently enough for what it is asked for: Jangbu asks for none then.
    pub second_factor_proven: bool,
}

/// What a host answers. Keep it quick: it is asked for every page and every form.
#[async_trait]
pub trait Identify: fmt::Debug + Send + Sync {
    /// Who asks, by the host's own cookie or header. Nobody: they see nothing, and are sent to [`Identify::log_in_url`].
    async fn identify(&self, parts: &Parts) -> anyhow::Result<Option<Identified>>;

    /// Where one logs in. `back`: the page of ours that was asked for, with the base path; empty when it was no page.
    fn log_in_url(&self, back: &str) -> String;

    /// Where our log-out button leads, on the same origin: browsers let a form of ours lead nowhere else.
    fn log_out_url(&self) -> String;
}

/// Who asks, by the word of the host.
pub(crate) async fn ask(
    jangbu: &Jangbu,
    host: &dyn Identify,
    parts: &Parts,
) -> anyhow::Result<Result<(Option<Staff>, Option<Elsewhere>), NotLetIn>> {
    let Some(person) = host.identify(parts).await? else { return Ok(Ok((None, None))) };
    let known = Known {
        issuer: HOST.to_owned(),
        subject: person.subject,
        name: person.name,
        email: Some(person.email),
        role: person.role,
    };
    Ok(match identities::of_host(&jangbu.backoffice, &known).await? {
        Ok(staff) => {
            let elsewhere = Elsewhere {
                issuer: known.issuer,
                subject: known.subject,
                factor: person.second_factor_proven,
                ..Elsewhere::default()
            };
            Ok((Some(staff), Some(elsewhere)))
        }
        Err(why) => Err(why),
    })
}

/// Answers to forms wait in a session, which belongs to one person: it ends when the host names another one, and begins
/// with the first page of the next. The cookie of a device that is known from now on.
pub(crate) async fn keep_session(jangbu: &Jangbu, visitor: &Visitor) -> anyhow::Result<Option<String>> {
    let of: Option<Uuid> = visitor.session.get(SESSION_STAFF).await?;
    if of == visitor.staff.as_ref().map(|staff| staff.id) {
        return Ok(None);
    }
    if of.is_some() {
        visitor.session.flush().await?;
    }
    if let (Some(staff), Some(known)) = (&visitor.staff, &visitor.elsewhere) {
        let shown = Shown::Elsewhere(known.clone());
        if let Entered::In { set_cookie } = entry::enter(&jangbu.site(), visitor, staff, shown, "").await? {
            return Ok(Some(set_cookie));
        }
    }
    Ok(None)
}

/// Why an account does not let in whoever it is said to be of.
pub(crate) fn sentence(why: NotLetIn) -> &'static str {
    match why {
        NotLetIn::NoAddress => "oidc-no-address",
        NotLetIn::OtherPerson => "oidc-other-person",
        NotLetIn::Disabled => "oidc-disabled",
        NotLetIn::NotFromHere => "error-address",
        NotLetIn::LastAdmin => "oidc-last-admin",
    }
}
