//! What somebody has typed whose log-in was over when they sent it: nothing was done, nothing is lost.

use leptos::prelude::*;

use super::gate;
use crate::{
    components::layout::{Answer, Frame},
    context::{Ctx, Held},
    flash::Flash,
    routes,
};

/// What is nobody's to read from a screen, and what no person has typed.
fn is_shown(name: &str, value: &str) -> bool {
    let is_secret = ["password", "proof_", "token", "credential", "current"];
    !value.trim().is_empty()
        && !is_secret.iter().any(|part| name.contains(part))
        && value.parse::<uuid::Uuid>().is_err()
}

pub async fn page(ctx: Ctx) -> Answer {
    let held =
        use_context::<http::request::Parts>().and_then(|parts| parts.extensions.get::<Held>().cloned());
    let Some(held) = held else {
        ctx.status(http::StatusCode::NOT_FOUND);
        let inner = view! { <p>{ctx.t("page-not-found")}</p> };
        let body = gate::view(&ctx, "page-not-found", inner.into_any());
        return Ok(Frame { title: String::new(), active: "", flash: Flash::default(), body });
    };
    let typed = held
        .fields
        .iter()
        .filter(|(name, value)| is_shown(name, value))
        .map(|(name, value)| view! { <dt>{ctx.words.word("typed", name)}</dt><dd>{value.clone()}</dd> })
        .collect_view();
    let hidden = held
        .fields
        .iter()
        .filter(|(name, _)| !name.contains("password") && !name.starts_with("proof_"))
        .map(|(name, value)| view! { <input type="hidden" name=name.clone() value=value.clone()/> })
        .collect_view();
    let again = (!held.fields.is_empty()).then(|| {
        view! {
            <form method="post" action=ctx.href(&held.path)>
                {hidden}
                <button class="button quiet wide" type="submit">{ctx.t("unsent-again")}</button>
            </form>
        }
    });
    let inner = view! {
        <h2 class="step">{ctx.t("unsent")}</h2>
        <p>{ctx.t(if held.fields.is_empty() { "unsent-file" } else { "unsent-why" })}</p>
        <dl class="facts typed">{typed}</dl>
        <p>
            <a class="button wide" href=ctx.href(routes::LOGIN) target="_blank" rel="noopener">{ctx.t("unsent-log-in")}</a>
        </p>
        {again}
    };
    let body = gate::view(&ctx, "unsent", inner.into_any());
    Ok(Frame { title: String::new(), active: "", flash: Flash::default(), body })
}
