//! Roles and rights in words.

use backoffice::staff::{Permission, Permissions, Staff, register::Right};

use crate::context::Ctx;

pub fn permission(ctx: &Ctx, permission: Permission) -> String {
    ctx.words.word("permission", permission.as_str())
}

pub fn permissions(ctx: &Ctx, permissions: Permissions) -> String {
    permissions.iter().map(|one| permission(ctx, one)).collect::<Vec<_>>().join(", ")
}

/// The name of the role that somebody has.
pub fn role_of(ctx: &Ctx, staff: &Staff) -> String {
    match staff.own_role() {
        Some(own) => own.name.clone(),
        None => ctx.words.word("role", staff.role.as_str()),
    }
}

/// What somebody may do.
pub fn may(ctx: &Ctx, staff: &Staff) -> String {
    match staff.own_role() {
        Some(own) => permissions(ctx, own.permissions),
        None => ctx.words.word("role-can", staff.role.as_str()),
    }
}

pub fn right(ctx: &Ctx, right: &Right) -> String {
    right.own_role.clone().unwrap_or_else(|| ctx.words.word("role", right.role.as_str()))
}

/// What one may do more, and what less, than the other.
pub fn change(ctx: &Ctx, before: &Right, after: &Right) -> Option<String> {
    let (before, after) = (before.permissions?, after.permissions?);
    let only = |of: Permissions, not: Permissions, key: &str| {
        let only: Permissions = of.iter().filter(|one| !not.contains(*one)).collect();
        (!only.is_empty()).then(|| ctx.words.get(key, &[("what", permissions(ctx, only))]))
    };
    let parts = [only(after, before, "right-more"), only(before, after, "right-less")];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    (!text.is_empty()).then_some(text)
}
