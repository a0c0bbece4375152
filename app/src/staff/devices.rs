//! One's devices on one's own page, and the news, on every page, that somebody came in from a new one.

use backoffice::{
    Fault,
    staff::{Staff, devices, devices::Device},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::{ConfirmDevice, ForgetDevice};
use crate::{
    components::{agent::browser, list},
    context::Ctx,
    format, routes,
};

fn row(ctx: &Ctx, device: Device, here: Option<&str>) -> AnyView {
    let browser = browser(&ctx.words, &device.agent);
    let label = ctx.tr("device-forget-of", &[("agent", browser.clone())]);
    let is_here = here == Some(device.id.as_str());
    view! {
        <tr>
            <td class="what" title=device.agent>{browser}</td>
            <td class="id"><code>{device.ip}</code></td>
            <td class="when begun">{list::time(device.first_seen_at)}</td>
            <td class="when">{list::time(device.last_seen_at)}</td>
            <td class="act">
                {is_here.then(|| view! { <span class="soft">{ctx.t("device-here")}</span> " " })}
                <form method="post" action=ctx.href(ForgetDevice::PATH)>
                    <input type="hidden" name="id" value=device.id/>
                    <button class="button quiet" type="submit" aria-label=label>{ctx.t("device-forget")}</button>
                </form>
            </td>
        </tr>
    }
    .into_any()
}

/// The browsers that somebody has come in with.
pub async fn section(ctx: &Ctx, me: &Staff) -> Result<AnyView, Fault> {
    let here = ctx.visitor.device.as_ref().map(|device| device.id());
    let devices = devices::of_staff(&ctx.backoffice().pool, me.id).await?;
    let rows = devices.into_iter().map(|device| row(ctx, device, here.as_deref())).collect_view();
    let view = view! {
        <section class="part" id="devices">
            <h2>{ctx.t("devices")}</h2>
            <p class="soft">{ctx.t("devices-how")}</p>
            <table class="rows session-rows">
                <thead>
                    <tr>
                        <th scope="col">{ctx.t("session-agent")}</th>
                        <th scope="col">{ctx.t("session-ip")}</th>
                        <th scope="col">{ctx.t("device-first")}</th>
                        <th scope="col">{ctx.t("device-last")}</th>
                        <th scope="col">{ctx.t("col-act")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    };
    Ok(view.into_any())
}

/// Somebody came in from a device that was not there before: said on the others until it was seen there.
pub async fn news(ctx: &Ctx) -> AnyView {
    if !ctx.visitor.waits.devices {
        return ().into_any();
    }
    let Some(here) = ctx.session_key() else { return ().into_any() };
    let news = match devices::news(&ctx.backoffice().pool, &here).await {
        Ok(news) => news,
        Err(fault) => {
            tracing::warn!(%fault, "no news of devices");
            return ().into_any();
        }
    };
    let Some(newest) = news.first().map(|device| device.id.clone()) else { return ().into_any() };
    let lines = news
        .into_iter()
        .take(3)
        .map(|device| {
            let words = [
                ("time", format::short_time(device.first_seen_at)),
                ("agent", browser(&ctx.words, &device.agent)),
                ("ip", device.ip),
            ];
            view! { <li>{ctx.tr("device-new", &words)}</li> }
        })
        .collect_view();
    view! {
        <section class="notice unsure news" aria-label=ctx.t("device-new-title")>
            <p><b>{ctx.t("device-new-title")}</b></p>
            <ul>{lines}</ul>
            <p>
                {ctx.t("device-new-not-me")} " "
                <a href=format!("{}#devices", ctx.href(routes::ACCOUNT))>{ctx.t("account")}</a>
            </p>
            <form method="post" action=ctx.href(ConfirmDevice::PATH)>
                <input type="hidden" name="id" value=newest/>
                <input type="hidden" name="back" value=ctx.path.clone()/>
                <button class="button quiet" type="submit">{ctx.t("device-confirm")}</button>
            </form>
        </section>
    }
    .into_any()
}
