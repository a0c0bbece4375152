//! What a form's answer leaves for the next page: a notice, or what was typed with what is wrong about it.
//!
//! It waits in the database for the next look at that page in the same session: account numbers do not belong into an
//! address, and what was posted about one order is not said on the page of another, however many tabs are open.

use std::collections::BTreeMap;

use backoffice::{
    Backoffice, Fault,
    staff::{form_answers, sessions::SessionKey},
};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use crate::context::Ctx;

/// The page of an address, whatever of it was encoded.
fn page_of(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\0', "\u{fffd}")
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Flash {
    /// Which form it belongs to.
    pub form: String,
    /// Said at the top of the page: good news, or the error of the form as a whole.
    pub notice: Option<String>,
    pub is_error: bool,
    pub values: BTreeMap<String, String>,
    /// Field name to sentence.
    pub errors: BTreeMap<String, String>,
}

impl Flash {
    pub fn good(form: &str, notice: String) -> Self {
        Self { form: form.into(), notice: Some(notice), ..Self::default() }
    }

    pub fn value(&self, field: &str) -> Option<String> {
        self.values.get(field).cloned()
    }

    pub fn error(&self, field: &str) -> Option<String> {
        self.errors.get(field).cloned()
    }
}

impl Ctx {
    /// Takes what a form left for this page.
    pub async fn take_flash(&self) -> Flash {
        if !self.visitor.waits.answers {
            return Flash::default();
        }
        let Some(session) = self.session_key() else { return Flash::default() };
        let left = form_answers::take(self.backoffice(), &session, &page_of(&self.path)).await;
        match left.map(|answer| answer.map(serde_json::from_value).transpose()) {
            Ok(Ok(flash)) => flash.unwrap_or_default(),
            Ok(Err(_)) => Flash::default(),
            Err(error) => {
                tracing::warn!(%error, "a form's answer cannot be shown");
                Flash::default()
            }
        }
    }

    pub fn session_key(&self) -> Option<SessionKey> {
        key_of(&self.visitor.session)
    }

    pub(crate) async fn session_key_or_new(&self) -> Result<SessionKey, Fault> {
        key_or_new(&self.visitor.session).await
    }

    /// Sends the browser to a page, which shows this.
    pub async fn redirect_with(&self, flash: &Flash, path: &str) {
        leave_or_lose(self.backoffice(), &self.visitor.session, flash, path).await;
        self.redirect(path);
    }
}

fn key_of(session: &Session) -> Option<SessionKey> {
    session.id().map(|id| SessionKey::of(&id.0.to_be_bytes()))
}

/// Before a log-in there is none until it is needed; an empty one would not be kept.
pub async fn key_or_new(session: &Session) -> Result<SessionKey, Fault> {
    if let Some(key) = key_of(session) {
        return Ok(key);
    }
    let begun = async {
        session.insert("begun", true).await?;
        session.save().await
    };
    begun.await.map_err(|error| Fault::Inconsistent(error.to_string()))?;
    key_of(session).ok_or_else(|| Fault::Inconsistent("a session without an id".into()))
}

async fn leave(backoffice: &Backoffice, session: &Session, flash: &Flash, path: &str) -> Result<(), Fault> {
    let key = key_or_new(session).await?;
    let answer = serde_json::to_value(flash).map_err(|error| Fault::Inconsistent(error.to_string()))?;
    form_answers::leave(backoffice, &key, &page_of(path), &answer).await
}

async fn leave_or_lose(backoffice: &Backoffice, session: &Session, flash: &Flash, path: &str) {
    if let Err(error) = leave(backoffice, session, flash, path).await {
        tracing::warn!(%error, "a form's answer was lost");
    }
}

/// Leaves bad news for a page of this session, where there is no form.
pub async fn say(backoffice: &Backoffice, session: &Session, path: &str, form: &str, sentence: String) {
    let flash = Flash { is_error: true, ..Flash::good(form, sentence) };
    leave_or_lose(backoffice, session, &flash, path).await;
}
