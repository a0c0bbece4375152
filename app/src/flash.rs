//! What a form's answer leaves for the next page: a notice, or what was typed with what is wrong about it.
//!
//! It rides in the session, not in the address bar: account numbers do not belong there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{context::Ctx, error::AppError};

const KEY: &str = "flash";

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
    /// Takes what the last form left for this page.
    pub async fn take_flash(&self) -> Flash {
        match self.visitor.session.remove::<Flash>(KEY).await {
            Ok(flash) => flash.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "no flash");
                Flash::default()
            }
        }
    }

    async fn leave_flash(&self, flash: Flash) {
        if let Err(error) = self.visitor.session.insert(KEY, flash).await {
            tracing::warn!(%error, "a form's answer was lost");
        }
    }

    /// Ends a server function that a plain form posts to. A browser is sent back to the page with what it needs; a
    /// program gets the error itself.
    pub async fn finish(
        &self,
        form: &str,
        values: &[(&str, &str)],
        outcome: Result<String, AppError>,
        back_to: &str,
    ) -> Result<(), AppError> {
        let error = match outcome {
            Ok(notice) => {
                if self.wants_html {
                    self.leave_flash(Flash::good(form, notice)).await;
                    // Good news stands at the top of the page: nobody is scrolled past it.
                    let top = back_to.split('#').next().unwrap_or(back_to);
                    leptos_axum::redirect(&self.href(top));
                }
                return Ok(());
            }
            Err(error) => error,
        };
        if !self.wants_html {
            self.status(match &error {
                AppError::LoggedOut => http::StatusCode::UNAUTHORIZED,
                AppError::Forbidden => http::StatusCode::FORBIDDEN,
                AppError::Invalid { .. } => http::StatusCode::BAD_REQUEST,
                AppError::Fault | AppError::Transport { .. } => http::StatusCode::INTERNAL_SERVER_ERROR,
            });
            return Err(error);
        }
        let mut flash = Flash { form: form.into(), is_error: true, ..Flash::default() };
        flash.values =
            values.iter().map(|(name, value)| ((*name).to_owned(), value.replace('\0', ""))).collect();
        match error {
            AppError::Invalid { field, message } if !field.is_empty() => {
                flash.errors.insert(field, message);
            }
            AppError::Invalid { message, .. } => flash.notice = Some(message),
            AppError::LoggedOut => flash.notice = Some(self.t("error-logged-out")),
            AppError::Forbidden => flash.notice = Some(self.t("error-forbidden")),
            AppError::Fault | AppError::Transport { .. } => flash.notice = Some(self.t("error-fault")),
        }
        self.leave_flash(flash).await;
        leptos_axum::redirect(&self.href(back_to));
        Ok(())
    }
}
