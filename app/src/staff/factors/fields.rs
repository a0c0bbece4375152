//! The part of a form in which somebody shows who they are, wherever it stands.

use backoffice::staff::{
    Staff,
    factors::{self, Kind},
};
use leptos::prelude::*;

use crate::{
    context::{Ctx, Elsewhere},
    islands::{Passkey, PasskeyWords},
    routes,
};

pub(in crate::staff) fn passkey_words(ctx: &Ctx, button: &str) -> PasskeyWords {
    PasskeyWords {
        button: ctx.t(button),
        missing: ctx.t("passkey-no-browser"),
        ended: ctx.t("passkey-ended"),
        waits: ctx.t("passkey-waits"),
    }
}

/// What stands where a passkey is asked for and the browser runs no script.
pub(super) fn no_script(ctx: &Ctx) -> AnyView {
    view! { <noscript><p class="soft">{ctx.t("passkey-no-script")}</p></noscript> }.into_any()
}

/// A field whose error is what was wrong about the last proof.
fn field(
    name: &'static str,
    label: String,
    kind: &'static str,
    auto: &'static str,
    error: String,
) -> AnyView {
    let note = format!("{name}-note");
    let invalid = if error.is_empty() { "false" } else { "true" };
    view! {
        <label class="field">
            <span class="label">{label}</span>
            <input name=name type=kind autocomplete=auto aria-invalid=invalid aria-describedby=note.clone() autofocus=!error.is_empty()/>
            <span class="note error" id=note>{error}</span>
        </label>
    }
    .into_any()
}

/// Whoever has nothing to show here shows it where they came from, in another window: what was typed stays in this one.
fn elsewhere(ctx: &Ctx, known: &Elsewhere, submit: String) -> AnyView {
    let name = ctx.site.doors.oidc.as_deref().filter(|_| !known.is_host());
    let link = name.map(|name| {
        let words = ctx.tr("oidc-again", &[("name", name.to_owned())]);
        let href = ctx.href(&routes::oidc_again());
        view! { <p><a class="button wide" href=href target="_blank" rel="noopener">{words}</a></p> }
    });
    let how = if link.is_some() { "oidc-again-how" } else { "host-again-how" };
    view! {
        {link}
        <p class="soft">{ctx.t(how)}</p>
        <button class="button quiet wide" type="submit">{submit}</button>
    }
    .into_any()
}

/// Code, passkey or, where there is neither yet, the password.
pub(super) async fn view(
    ctx: &Ctx,
    staff: &Staff,
    refused: Option<String>,
    button: &str,
) -> Result<AnyView, backoffice::Fault> {
    let submit = ctx.t(button);
    let refused = refused.unwrap_or_default();
    if !staff.has_factor
        && let Some(known) = &ctx.visitor.elsewhere
    {
        return Ok(elsewhere(ctx, known, submit));
    }
    if !staff.has_factor {
        let password =
            field("proof_password", ctx.t("password-current"), "password", "current-password", refused);
        return Ok(view! {
            {password}
            <button class="button wide" type="submit">{submit}</button>
        }
        .into_any());
    }
    let has = factors::of(ctx.backoffice(), staff.id).await?;
    let has_passkey = has.iter().any(|factor| factor.kind == Kind::Passkey);
    let has_app = has.iter().any(|factor| factor.kind == Kind::Totp);
    let offers_passkey = has_passkey && ctx.backoffice().passkeys.is_some();
    let code = has_app.then(|| {
        view! {
            {field("proof_code", ctx.t("factor-code"), "text", "one-time-code", refused.clone())}
            <button class="button wide" type="submit">{submit.clone()}</button>
        }
    });
    let passkey = offers_passkey.then(|| {
        view! {
            <input type="hidden" name="proof_credential" value=""/>
            <Passkey asks="prove".to_owned() words=passkey_words(ctx, "passkey-use")/>
            {no_script(ctx)}
        }
    });
    let alone = (!has_app).then(|| view! { <p class="note error" role="alert">{refused}</p> });
    let recovery = view! {
        <details class="recovery">
            <summary>{ctx.t("factor-lost")}</summary>
            {field("proof_recovery", ctx.t("recovery-code"), "text", "off", String::new())}
            <button class="button quiet" type="submit">{submit}</button>
            <p class="soft">{ctx.t("factor-lost-all")}</p>
        </details>
    };
    Ok(view! {
        {alone}
        {code}
        {passkey}
        {recovery}
    }
    .into_any())
}
