//! An account ends and what is theirs is handed over; from where somebody may come in.

#[cfg(feature = "ssr")]
use backoffice::{
    leaving::{self, Waiting},
    staff::{
        Invalid, Permission,
        addresses::{self, Whose},
        rights::{self, Wanted},
    },
};
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    action::{Done, action},
    explain::OrExplain as _,
    routes,
};

/// Ends an account. What they had taken goes to `hand_to`, or to nobody; with `waiting` as `withdraw` what nobody has decided
/// is taken back, otherwise it can still be decided.
#[server(prefix = "/fn", endpoint = "disable_staff")]
pub async fn disable_staff(
    #[server(default)] id: String,
    #[server(default)] hand_to: String,
    #[server(default)] waiting: String,
) -> Result<(), AppError> {
    let typed = [("hand_to", hand_to.as_str()), ("waiting", &waiting)];
    action("leaving", &format!("{}#leaving", routes::person(&id)), &typed, async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let id = id.parse().map_err(|_| Invalid::NotFound).or_explain(ctx)?;
        let to = match hand_to.as_str() {
            "" => None,
            to => Some(to.parse().map_err(|_| Invalid::Colleague).or_explain(ctx)?),
        };
        let waiting = if waiting == "withdraw" { Waiting::Withdrawn } else { Waiting::Stay };
        let left = leaving::leave(ctx.backoffice(), &actor, id, to, waiting).await.or_explain(ctx)?;
        let words = [
            ("differences", left.differences.to_string()),
            ("files", left.files.to_string()),
            ("withdrawn", left.withdrawn.to_string()),
        ];
        let told = if left == leaving::Left::default() {
            ctx.t("staff-disabled")
        } else {
            ctx.tr("staff-left", &words)
        };
        Ok(Done::on(routes::STAFF.to_owned(), told))
    })
    .await
}

/// From where a person, or everybody with a role, may come in. `whose` is `person` or `role`, `id` an account's, the word of
/// one of the four roles, or the id of another. Nothing typed is from anywhere.
#[server(prefix = "/fn", endpoint = "set_addresses")]
pub async fn set_addresses(
    #[server(default)] whose: String,
    #[server(default)] id: String,
    #[server(default)] allowed_ips: String,
) -> Result<(), AppError> {
    let is_person = whose == "person";
    let page = if is_person { routes::person(&id) } else { routes::ROLES.to_owned() };
    let page = format!("{page}#addresses-{}", routes::encode(&id));
    action(&format!("addresses-{id}"), &page, &[("allowed_ips", &allowed_ips)], async |ctx| {
        let actor = ctx.allow(Permission::ManageStaff)?;
        let whose = if is_person {
            Whose::Person(id.parse().map_err(|_| Invalid::NotFound).or_explain(ctx)?)
        } else {
            Whose::Role(Wanted::parse(&id).ok_or(rights::Refused::NoSuchRole).or_explain(ctx)?)
        };
        addresses::set(ctx.backoffice(), &actor, whose, &allowed_ips).await.or_explain(ctx)?;
        Ok(ctx.t("addresses-set"))
    })
    .await
}
