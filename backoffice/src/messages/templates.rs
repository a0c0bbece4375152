//! Templates known to us.

use serde_json::json;

use super::{MessageError, NewTemplate, Refused, Template, note};
use crate::{Backoffice, Fault, audit::Actor};

pub async fn add(backoffice: &Backoffice, actor: &Actor, new: &NewTemplate) -> Result<(), MessageError> {
    let code = new.code.trim();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if code.is_empty() || code.len() > 100 || !code.bytes().all(plain) {
        return Err(Refused::TemplateCode.into());
    }
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Refused::TemplateName.into());
    }
    let fields: Vec<String> =
        new.fields.split(',').map(str::trim).filter(|f| !f.is_empty()).map(str::to_owned).collect();
    let word = |f: &String| f.len() <= 50 && f.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fields.len() > 20 || !fields.iter().all(word) {
        return Err(Refused::TemplateFields.into());
    }
    let follows = Some(new.follows.trim()).filter(|f| matches!(*f, "refund" | "grant"));
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let taken = sqlx::query!(
        "select code, follows from message_templates where code = $1 or ($2::text is not null and follows = $2)",
        code,
        follows,
    )
    .fetch_all(&mut *tx)
    .await?;
    if taken.iter().any(|t| t.code == code) {
        return Err(Refused::TemplateTaken.into());
    }
    if !taken.is_empty() {
        return Err(Refused::FollowsTaken.into());
    }
    sqlx::query!(
        "insert into message_templates (code, name, fields, follows, created_by_name, created_at)
         values ($1, $2, $3, $4, $5, $6)",
        code,
        name,
        &fields,
        follows,
        actor.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "name": name, "fields": fields, "follows": follows });
    note(&mut tx, now, actor, code, "message_template.added", detail).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn list(backoffice: &Backoffice) -> Result<Vec<Template>, Fault> {
    let rows = sqlx::query_as!(
        Template,
        "select code, name, fields, follows, created_by_name from message_templates order by created_at desc limit 200"
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}

pub(super) async fn get(backoffice: &Backoffice, code: &str) -> Result<Template, MessageError> {
    let found = sqlx::query_as!(
        Template,
        "select code, name, fields, follows, created_by_name from message_templates where code = $1",
        code.trim().replace('\0', "")
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    found.ok_or_else(|| Refused::NoSuchTemplate.into())
}
