//! From where somebody may come in: addresses of a person, or of everybody who has a role. A person's own hold instead of
//! those of the role. Whoever sets them does not lock themselves out.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Invalid, Permissions, Role, Staff, StaffError,
    rights::{self, RightsError, Wanted},
    roles,
};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
};

/// More than that belongs into the firewall.
pub const MOST_ADDRESSES: usize = 50;

/// Whose addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Person(Uuid),
    Role(Wanted),
}

/// As typed: addresses and networks between spaces, commas or lines.
fn parse(text: &str) -> Result<Vec<String>, Invalid> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let net = |word: &str| {
        let net = word.parse::<IpNet>().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
        net.map(|net| net.trunc().to_string()).ok_or(Invalid::Addresses)
    };
    let mut nets = words.take(MOST_ADDRESSES + 1).map(net).collect::<Result<Vec<_>, _>>()?;
    nets.sort_unstable();
    nets.dedup();
    if nets.len() > MOST_ADDRESSES { Err(Invalid::Addresses) } else { Ok(nets) }
}

impl Staff {
    /// Whether they may come in from there. Where there is a list, what is not known is not in it.
    pub fn may_come_from(&self, ip: &str) -> bool {
        let allowed = &self.held.allowed_ips;
        let Ok(ip) = ip.parse::<IpAddr>() else { return allowed.is_empty() };
        let is_in = |net: &String| net.parse::<IpNet>().is_ok_and(|net| net.contains(&ip));
        allowed.is_empty() || allowed.iter().any(is_in)
    }
}

/// Of the four roles that have any.
pub async fn of_presets(backoffice: &Backoffice) -> Result<Vec<(Role, Vec<String>)>, Fault> {
    let rows = sqlx::query!(r#"select role as "role: Role", allowed_ips from role_addresses"#)
        .fetch_all(&backoffice.pool)
        .await?;
    Ok(rows.into_iter().map(|row| (row.role, row.allowed_ips)).collect())
}

/// From where they may come; nothing typed is from anywhere.
pub async fn set(
    backoffice: &Backoffice,
    actor: &Actor,
    whose: Whose,
    typed: &str,
) -> Result<(), RightsError> {
    let nets = parse(typed)?;
    let mut tx = backoffice.pool.begin().await?;
    rights::begin(&mut tx).await?;
    let (kind, subject) = write(&mut tx, actor, whose, &nets).await?;
    lets_in(&mut tx, actor).await?;
    let detail = json!({ "allowedIps": nets });
    let act = Act { action: "staff.addresses_set", subject_kind: kind, subject: &subject, detail };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// What they are of, for the audit log.
async fn write(
    tx: &mut PgConnection,
    actor: &Actor,
    whose: Whose,
    nets: &[String],
) -> Result<(&'static str, String), RightsError> {
    let held = |permissions: Option<Permissions>| permissions.unwrap_or_default();
    Ok(match whose {
        Whose::Person(id) => {
            rights::reach_person(tx, actor, id).await?;
            sqlx::query!("update staff set allowed_ips = $2 where id = $1", id, nets).execute(tx).await?;
            ("staff", id.to_string())
        }
        Whose::Role(wanted) => {
            let gift = roles::gift(tx, wanted).await?;
            rights::reach(tx, actor, held(gift.right.permissions)).await?;
            match wanted {
                Wanted::Own(id) => {
                    sqlx::query!("update own_roles set allowed_ips = $2 where id = $1", id, nets)
                        .execute(tx)
                        .await?;
                }
                Wanted::Preset(role) => {
                    sqlx::query!(
                        "insert into role_addresses (role, allowed_ips) values ($1, $2)
                         on conflict (role) do update set allowed_ips = excluded.allowed_ips",
                        role.as_str(),
                        nets,
                    )
                    .execute(tx)
                    .await?;
                }
            }
            ("role", gift.right.own_role.unwrap_or_else(|| gift.right.role.as_str().to_owned()))
        }
    })
}

/// Whoever has set them is still let in from where they are.
async fn lets_in(tx: &mut PgConnection, actor: &Actor) -> Result<(), StaffError> {
    let Actor::Staff { id, via, .. } = actor else { return Ok(()) };
    let me = super::get_in(tx, *id).await?.ok_or(Invalid::NotFound)?;
    let is_in = me.may_come_from(via.ip.as_deref().unwrap_or_default());
    if is_in { Ok(()) } else { Err(Invalid::OwnAddress.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_however_they_are_written() {
        let typed = " 192.0.2.7,10.1.2.3/8\n2001:db8::1/64  192.0.2.7\t";
        assert_eq!(parse(typed).unwrap(), ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/64"]);
        assert!(parse(" \n").unwrap().is_empty());
        for wrong in ["office", "10.0.0.0/33", "192.0.2", "1.2.3.4/", "::/129"] {
            assert_eq!(parse(wrong), Err(Invalid::Addresses), "{wrong}");
        }
        let many: Vec<String> = (0..=MOST_ADDRESSES).map(|n| format!("10.0.0.{n}")).collect();
        assert_eq!(parse(&many.join(" ")), Err(Invalid::Addresses));
    }
}
