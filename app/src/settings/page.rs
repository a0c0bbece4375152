//! How it looks for this person, and how this process is set up.

use backoffice::{Fault, toss_calls};
use leptos::prelude::*;

use super::{limits, preferences::preferences, retention};
use crate::{
    components::{
        badge::badge,
        layout::{Answer, Frame},
    },
    context::Ctx,
    format,
    islands::Copy,
    routes,
    webhooks::list::hook_url,
};

/// Both hosts of the mini-app, and who we are to them.
fn apps_in_toss(ctx: &Ctx) -> AnyView {
    let Some(apps) = &ctx.backoffice().apps_in_toss else {
        return view! { <dt>{ctx.t("nav-apps-in-toss")}</dt> <dd>{ctx.t("apps-in-toss-missing")}</dd> }
            .into_any();
    };
    let certificates = apps
        .client
        .certificates()
        .into_iter()
        .map(|certificate| {
            let days = certificate.days_left;
            let (tone, key) = match (days < 0, certificate.is_soon_over(), certificate.is_used) {
                (true, ..) => ("failed", "certificate-ended"),
                (_, true, _) => ("waiting", "certificate-ends"),
                (_, _, true) => ("done", "certificate-used"),
                _ => ("ended", "certificate-next"),
            };
            let word = ctx.tr(key, &[("days", days.to_string())]);
            let subject = certificate.identity.subject.clone();
            view! { <div><code>{subject}</code> " " {badge((tone, word))}</div> }
        })
        .collect_view();
    let unlink = format!("{}{}", ctx.site.public_url, ctx.href("/hooks/apps-in-toss/unlink"));
    view! {
        <dt>{ctx.t("nav-apps-in-toss")}</dt>
        <dd><code>{apps.client.url().to_owned()}</code></dd>
        <dt>"Toss Pay"</dt>
        <dd>
            <code>{apps.client.pay_url().to_owned()}</code>
            " isTestPayment=" {apps.client.is_test().to_string()}
        </dd>
        <dt>{ctx.t("certificate")}</dt>
        <dd>{certificates}</dd>
        <dt>{ctx.t("settings-unlink")}</dt>
        <dd>
            <code>{unlink.clone()}</code>
            " "
            <Copy text=unlink label=ctx.t("copy") done=ctx.t("copied")/>
        </dd>
    }
    .into_any()
}

/// What has to be known of how Toss Payments answers: in another version of its API, or with an error on purpose.
async fn toss_payments(ctx: &Ctx) -> Result<AnyView, Fault> {
    let other = toss_calls::other_version(ctx.backoffice()).await?.map(|seen| {
        let words = [
            ("version", seen.version),
            ("ours", toss_calls::VERSION.to_owned()),
            ("time", format::full_time(seen.first_seen_at)),
        ];
        view! { <p class="notice bad" role="note">{ctx.tr("settings-other-version", &words)}</p> }
    });
    let rehearsed = ctx.backoffice().toss.test_code().map(|code| {
        let sentence = ctx.tr("settings-test-code", &[("code", code.to_owned())]);
        view! { <p class="notice unsure" role="note">{sentence}</p> }
    });
    Ok(view! { {other} {rehearsed} }.into_any())
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let limits = limits::view(&ctx, &flash).await?;
    let retention = retention::view(&ctx).await?;
    let toss_payments = toss_payments(&ctx).await?;
    let hook = hook_url(&ctx);
    let body = view! {
        <h1>{ctx.t("nav-settings")}</h1>
        {toss_payments}
        <section class="card">
            <h2>{ctx.t("settings-look")}</h2>
            <div class="pad">{preferences(&ctx)}</div>
        </section>
        {limits}
        {retention}
        <section class="card">
            <h2>{ctx.t("settings-process")}</h2>
            <dl class="facts pad">
                <dt>{ctx.t("settings-mode")}</dt>
                <dd>{ctx.words.word("mode", ctx.site.mode.as_str())}</dd>
                <dt>"Toss Payments"</dt>
                <dd><code>{ctx.backoffice().toss.url().to_owned()}</code> " " {toss_calls::VERSION}</dd>
                <dt>{ctx.t("settings-hook")}</dt>
                <dd>
                    <code>{hook.clone()}</code>
                    " "
                    <Copy text=hook label=ctx.t("copy") done=ctx.t("copied")/>
                </dd>
                {apps_in_toss(&ctx)}
                <dt>{ctx.t("settings-version")}</dt>
                <dd>{env!("CARGO_PKG_VERSION")}</dd>
            </dl>
            <p class="pad"><a href=ctx.href(routes::FIREWALL)>{ctx.t("firewall")}</a></p>
        </section>
    };
    Ok(Frame { title: ctx.t("nav-settings"), active: routes::SETTINGS, flash, body: body.into_any() })
}
