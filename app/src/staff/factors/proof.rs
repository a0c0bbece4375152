//! What stands in the place of an answer until somebody has shown, again, who they are. What they typed comes along and
//! goes on with the proof.

use leptos::prelude::*;

use super::{fields, messages::sentence};
use crate::{
    components::{
        errors,
        layout::{Answer, Frame},
    },
    context::{Ctx, Held},
    flash::Flash,
};

pub async fn page(ctx: Ctx) -> Answer {
    let held =
        use_context::<http::request::Parts>().and_then(|parts| parts.extensions.get::<Held>().cloned());
    let (Some(held), Some(me)) = (held, ctx.visitor.staff.clone()) else {
        return Ok(errors::missing(&ctx, ctx.t("page-not-found")));
    };
    let refused = held.refused.map(|refused| sentence(&ctx, refused));
    let shown = fields::view(&ctx, &me, refused, "proof-go-on").await?;
    let hidden = held
        .fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    let body = view! {
        <h1>{ctx.t("proof")}</h1>
        <section class="card proof">
            <p class="pad">{ctx.t("proof-why")}</p>
            <form class="pad" method="post" action=ctx.href(&held.path)>
                {hidden}
                {shown}
            </form>
        </section>
    };
    Ok(Frame { title: ctx.t("proof"), active: "", flash: Flash::default(), body: body.into_any() })
}
