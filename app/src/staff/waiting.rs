//! Rights that wait for a second administrator.

use backoffice::{
    Fault,
    staff::{self, Permission, register::Right, rights, roles},
};
use leptos::{prelude::*, server_fn::ServerFn};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    roles::functions::{DecideRole, DecideRoleChange},
    words,
};
use crate::{context::Ctx, format};

/// One that waits, of a person or of a role.
struct Waits<'a> {
    path: &'static str,
    id: Uuid,
    version: String,
    asked: String,
    before: &'a Right,
    after: &'a Right,
    requested_by: Uuid,
    /// Whoever it is about says neither yes nor no.
    is_about_me: bool,
    /// Nobody who is here could be the second person.
    nobody: bool,
}

fn asked(ctx: &Ctx, key: &str, by: &str, whom: &str, at: OffsetDateTime) -> String {
    let args = [("by", by.to_owned()), ("whom", whom.to_owned()), ("time", format::short_time(at))];
    ctx.words.get(key, &args)
}

fn view_one(ctx: &Ctx, waits: Waits<'_>) -> AnyView {
    let own = ctx.is_me(Some(waits.requested_by));
    let button = |agree: &'static str, class: &'static str, key: &str| {
        view! {
            <form method="post" action=ctx.href(waits.path)>
                <input type="hidden" name="id" value=waits.id.to_string()/>
                <input type="hidden" name="seen" value=waits.version.clone()/>
                <input type="hidden" name="agree" value=agree/>
                <button class=class type="submit">{ctx.words.get(key, &[])}</button>
            </form>
        }
    };
    let actions = (!waits.is_about_me).then(|| {
        let approve = (!own).then(|| button("1", "button", "approve"));
        let decline = if own { "refund-withdraw" } else { "refund-decline" };
        view! { <div class="actions">{approve} {button("", "button quiet", decline)}</div> }
    });
    let note = match () {
        () if waits.is_about_me => Some("right-is-yours"),
        () if waits.nobody => Some("rights-nobody"),
        () if own => Some("refund-waiting-own"),
        () => None,
    };
    view! {
        <div class="waiting-box">
            <p><strong>{waits.asked}</strong></p>
            <p>{words::right(ctx, waits.before)} " → " {words::right(ctx, waits.after)}</p>
            <p>{words::change(ctx, waits.before, waits.after)}</p>
            {note.map(|key| view! { <p class="soft">{ctx.words.get(key, &[])}</p> })}
            {actions}
        </div>
    }
    .into_any()
}

/// All of them; nothing where none waits.
pub async fn view(ctx: &Ctx) -> Result<Option<AnyView>, Fault> {
    let (people, contents) =
        (rights::requests(ctx.backoffice()).await?, roles::requests(ctx.backoffice()).await?);
    if people.is_empty() && contents.is_empty() {
        return Ok(None);
    }
    let me = ctx.visitor.staff.as_ref();
    let mut boxes = Vec::new();
    for request in &people {
        let besides = [Some(request.requested_by), Some(request.staff)];
        let others = staff::others_who_may(ctx.backoffice(), Permission::ManageStaff, &besides).await?;
        let at = request.requested_at;
        boxes.push(view_one(
            ctx,
            Waits {
                path: DecideRole::PATH,
                id: request.staff,
                version: request.version(),
                asked: asked(ctx, "right-request", &request.requested_by_name, &request.name, at),
                before: &request.before,
                after: &request.after,
                requested_by: request.requested_by,
                is_about_me: ctx.is_me(Some(request.staff)),
                nobody: others == 0,
            },
        ));
    }
    for request in &contents {
        let besides = [Some(request.requested_by)];
        let others = staff::others_who_may(ctx.backoffice(), Permission::ManageStaff, &besides).await?;
        let (at, name) = (request.requested_at, words::right(ctx, &request.before));
        boxes.push(view_one(
            ctx,
            Waits {
                path: DecideRoleChange::PATH,
                id: request.role,
                version: request.version(),
                asked: asked(ctx, "role-request", &request.requested_by_name, &name, at),
                before: &request.before,
                after: &request.after,
                requested_by: request.requested_by,
                is_about_me: me.and_then(|me| me.own_role()).is_some_and(|own| own.id == request.role),
                nobody: others == 0,
            },
        ));
    }
    Ok(Some(boxes.into_iter().collect_view().into_any()))
}
