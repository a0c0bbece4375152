//! One's own passkeys, apps and codes for bad days.

use backoffice::staff::{
    Staff,
    factors::{self, Begun, Factor},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    fields::{no_script, passkey_words},
    functions::{AddPasskey, BeginTotp, ConfirmTotp, RemoveFactor, RenewRecoveryCodes},
};
use crate::{
    components::{
        errors,
        form::Field,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    flash::Flash,
    islands::{Copy, Passkey},
    routes,
};

fn row(ctx: &Ctx, factor: Factor) -> AnyView {
    let label = ctx.tr("factor-remove-name", &[("name", factor.name.clone())]);
    let last = factor.last_used_at.map_or_else(|| ctx.t("never").into_any(), list::time);
    view! {
        <tr>
            <td class="id">{factor.name.clone()}</td>
            <td class="what">{ctx.words.word("factor-kind", factor.kind.as_str())}</td>
            <td class="when begun">{list::time(factor.added_at)}</td>
            <td class="when">{last}</td>
            <td class="act">
                <details class="confirm">
                    <summary aria-label=label>{ctx.t("factor-remove")}</summary>
                    <form method="post" action=ctx.href(RemoveFactor::PATH)>
                        <input type="hidden" name="id" value=factor.id.to_string()/>
                        <p>{ctx.tr("factor-remove-sure", &[("name", factor.name)])}</p>
                        <button class="button danger" type="submit">{ctx.t("factor-remove")}</button>
                    </form>
                </details>
            </td>
        </tr>
    }
    .into_any()
}

fn table(ctx: &Ctx, has: Vec<Factor>) -> AnyView {
    if has.is_empty() {
        return view! { <p class="empty">{ctx.t("factor-none")}</p> }.into_any();
    }
    let rows = has.into_iter().map(|factor| row(ctx, factor)).collect_view();
    view! {
        <table class="rows factor-rows">
            <thead>
                <tr>
                    <th scope="col">{ctx.t("name")}</th>
                    <th scope="col">{ctx.t("col-way")}</th>
                    <th scope="col">{ctx.t("factor-added-at")}</th>
                    <th scope="col">{ctx.t("session-last")}</th>
                    <th scope="col">{ctx.t("col-act")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// The codes that were just made. They are shown this once.
fn codes(ctx: &Ctx, flash: &Flash) -> Option<AnyView> {
    let codes = flash.value("codes").filter(|_| !flash.is_error)?;
    let lines = codes.lines().map(|code| view! { <li><code>{code.to_owned()}</code></li> }).collect_view();
    let view = view! {
        <section class="card recovery-codes">
            <h2>{ctx.t("recovery-codes")}</h2>
            <div class="pad">
                <p>{ctx.t("recovery-once")}</p>
                <ol>{lines}</ol>
                <p><Copy text=codes label=ctx.t("copy") done=ctx.t("copied")/></p>
            </div>
        </section>
    };
    Some(view.into_any())
}

fn passkey(ctx: &Ctx, flash: &Flash) -> AnyView {
    let inner = if ctx.backoffice().passkeys.is_none() {
        view! { <p class="pad">{ctx.t("passkey-not-here")}</p> }.into_any()
    } else {
        let empty = Flash::default();
        let flash = if flash.form == "passkey" { flash } else { &empty };
        let name = Field {
            value: ctx.t("passkey-name-first"),
            id: Some("passkey-name".into()),
            ..Field::text("name", ctx.t("factor-name"), flash)
        };
        view! {
            <form class="pad" method="post" action=ctx.href(AddPasskey::PATH)>
                <p class="soft">{ctx.t("passkey-what")}</p>
                {name.view()}
                <input type="hidden" name="proof_credential" value=""/>
                <Passkey asks="offer".to_owned() words=passkey_words(ctx, "passkey-add")/>
                {no_script(ctx)}
            </form>
        }
        .into_any()
    };
    view! {
        <section class="card">
            <h2>{ctx.t("passkey")}</h2>
            {inner}
        </section>
    }
    .into_any()
}

fn app(ctx: &Ctx, begun: Option<Begun>, flash: &Flash) -> AnyView {
    let inner = match begun {
        None => view! {
            <form class="pad" method="post" action=ctx.href(BeginTotp::PATH)>
                <p class="soft">{ctx.t("totp-what")}</p>
                <button class="button quiet wide" type="submit">{ctx.t("totp-begin")}</button>
            </form>
        }
        .into_any(),
        Some(begun) => {
            let empty = Flash::default();
            let flash = if flash.form == "totp" { flash } else { &empty };
            let name = Field {
                value: ctx.t("totp-name-first"),
                id: Some("totp-name".into()),
                ..Field::text("name", ctx.t("factor-name"), flash)
            };
            let code = Field {
                autocomplete: "one-time-code",
                input_mode: "numeric",
                ..Field::text("code", ctx.t("factor-code"), flash)
            };
            view! {
                <form class="pad" method="post" action=ctx.href(ConfirmTotp::PATH)>
                    <p>{ctx.t("totp-scan")}</p>
                    <div class="qr" role="img" aria-label=ctx.t("totp-qr") inner_html=begun.qr></div>
                    <p class="soft">{ctx.t("totp-by-hand")} " " <code class="totp-secret">{begun.secret}</code></p>
                    {name.view()}
                    {code.view()}
                    <button class="button wide" type="submit">{ctx.t("totp-confirm")}</button>
                </form>
                <form class="pad" method="post" action=ctx.href(BeginTotp::PATH)>
                    <button class="link" type="submit">{ctx.t("totp-again")}</button>
                </form>
            }
            .into_any()
        }
    };
    view! {
        <section class="card">
            <h2>{ctx.t("totp")}</h2>
            {inner}
        </section>
    }
    .into_any()
}

async fn recovery(ctx: &Ctx, me: &Staff) -> Result<Option<AnyView>, backoffice::Fault> {
    if !me.has_factor {
        return Ok(None);
    }
    let left = factors::recovery_codes_left(ctx.backoffice(), me.id).await?;
    let view = view! {
        <section class="card part">
            <h2>{ctx.t("recovery-codes")}</h2>
            <form class="pad" method="post" action=ctx.href(RenewRecoveryCodes::PATH)>
                <p>{ctx.tr("recovery-left", &[("count", left.to_string())])}</p>
                <button class="button quiet" type="submit">{ctx.t("recovery-renew")}</button>
            </form>
        </section>
    };
    Ok(Some(view.into_any()))
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let Some(me) = ctx.visitor.staff.clone() else {
        return Ok(errors::missing(&ctx, ctx.t("error-logged-out")));
    };
    let backoffice = ctx.backoffice();
    let has = factors::of(backoffice, me.id).await?;
    let begun = factors::begun_totp(backoffice, &me).await?;
    let missing = backoffice.second_factor.is_missing(&me);
    let body = view! {
        <h1>{ctx.t("factors")}</h1>
        {missing.then(|| view! { <p class="notice bad">{ctx.t("factors-needed")}</p> })}
        {codes(&ctx, &flash)}
        {table(&ctx, has)}
        <div class="two even factors">
            {passkey(&ctx, &flash)}
            {app(&ctx, begun, &flash)}
        </div>
        {recovery(&ctx, &me).await?}
    };
    Ok(Frame { title: ctx.t("factors"), active: routes::ACCOUNT, flash, body: body.into_any() })
}
