//! What every server function does alike: who asks, what they want, and the answer on the page it belongs to.

use uuid::Uuid;

use crate::{context::Ctx, error::AppError, flash::Flash};

/// Good news, and the page it is shown on.
pub struct Done {
    notice: String,
    /// That of the form when absent.
    page: Option<String>,
    /// What the page shows once, by name.
    shown: Vec<(&'static str, String)>,
}

impl Done {
    pub fn on(page: String, notice: String) -> Self {
        Self { notice, page: Some(page), shown: Vec::new() }
    }

    /// With something that is shown this once.
    pub fn showing(self, name: &'static str, value: String) -> Self {
        let mut shown = self.shown;
        shown.push((name, value));
        Self { shown, ..self }
    }

    /// With one sentence more.
    pub fn also(self, sentence: &str) -> Self {
        Self { notice: format!("{} {sentence}", self.notice), ..self }
    }
}

impl From<String> for Done {
    fn from(notice: String) -> Self {
        Self { notice, page: None, shown: Vec::new() }
    }
}

/// Does what a form asks for. A browser is sent to `page` with the answer to `form`, and with what was `typed` when
/// something is wrong about it; a program gets the error itself.
pub async fn action<D: Into<Done>>(
    form: &str,
    page: &str,
    typed: &[(&str, &str)],
    work: impl AsyncFnOnce(&Ctx) -> Result<D, AppError>,
) -> Result<(), AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    if let Some((field, _)) = typed.iter().find(|(name, text)| may_be_card_number(name, text)) {
        let refused = AppError::field(field, ctx.t("error-card-number"));
        // It is not even kept for the page.
        let typed: Vec<_> = typed.iter().copied().filter(|(name, _)| name != field).collect();
        return refuse(&ctx, form, page, &typed, refused).await;
    }
    let done = work(&ctx).await;
    ctx.backoffice().counts.forget();
    match done {
        Ok(done) => {
            if ctx.wants_html {
                let Done { notice, page: other, shown } = done.into();
                let page = other.as_deref().unwrap_or(page);
                // Good news stands at the top of the page: nobody is scrolled past it.
                let top = page.split('#').next().unwrap_or(page);
                let mut flash = Flash::good(form, notice);
                flash.values = shown.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                ctx.redirect_with(&flash, top).await;
            }
            Ok(())
        }
        Err(error) => refuse(&ctx, form, page, typed, error).await,
    }
}

/// Ids and accounts may look like a card's number by chance; a person's own words do not.
fn may_be_card_number(field: &str, text: &str) -> bool {
    const NUMBERS: [&str; 5] = ["account_number", "order_id", "user_key", "transaction_key", "q"];
    !NUMBERS.contains(&field) && backoffice::contains_card_number(text)
}

/// Answers what a page asks by itself. Where it may not be answered, a browser is sent to `page`.
pub async fn question<T: Default>(
    page: &str,
    work: impl AsyncFnOnce(&Ctx) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let ctx = Ctx::current().ok_or(AppError::Fault)?;
    match work(&ctx).await {
        Ok(answer) => Ok(answer),
        Err(error) => refuse(&ctx, "question", page, &[], error).await.map(|()| T::default()),
    }
}

async fn refuse(
    ctx: &Ctx,
    form: &str,
    page: &str,
    typed: &[(&str, &str)],
    error: AppError,
) -> Result<(), AppError> {
    if !ctx.wants_html {
        ctx.status(match &error {
            AppError::LoggedOut => http::StatusCode::UNAUTHORIZED,
            AppError::Forbidden | AppError::ProofNeeded => http::StatusCode::FORBIDDEN,
            AppError::Invalid { .. } => http::StatusCode::BAD_REQUEST,
            AppError::Wait { .. } => http::StatusCode::TOO_MANY_REQUESTS,
            AppError::Busy { .. } => http::StatusCode::SERVICE_UNAVAILABLE,
            AppError::Fault | AppError::Transport { .. } => http::StatusCode::INTERNAL_SERVER_ERROR,
        });
        if let AppError::Wait { seconds, .. } | AppError::Busy { seconds, .. } = &error {
            ctx.header(http::header::RETRY_AFTER, &seconds.to_string());
        }
        return Err(error);
    }
    let mut flash = Flash { form: form.into(), is_error: true, ..Flash::default() };
    flash.values = typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match error {
        AppError::Invalid { field, message } if !field.is_empty() => {
            flash.errors.insert(field, message);
        }
        AppError::Invalid { message, .. }
        | AppError::Wait { message, .. }
        | AppError::Busy { message, .. } => flash.notice = Some(message),
        AppError::LoggedOut => flash.notice = Some(ctx.t("error-logged-out")),
        AppError::Forbidden => flash.notice = Some(ctx.t("error-forbidden")),
        AppError::ProofNeeded => flash.notice = Some(ctx.t("error-proof-needed")),
        AppError::Fault | AppError::Transport { .. } => flash.notice = Some(ctx.t("error-fault")),
    }
    ctx.redirect_with(&flash, page).await;
    Ok(())
}

/// The id that a form carries.
pub fn parse_id(ctx: &Ctx, text: &str) -> Result<Uuid, AppError> {
    Uuid::parse_str(text).map_err(|_| AppError::form(ctx.t("refund-error-form")))
}
