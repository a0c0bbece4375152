//! What the answer to a form leaves for the page that it goes back to. It is taken once, by the session it is for. A
//! browser follows a redirect at once: what nobody has taken after a minute was left in a tab that is closed.

use serde_json::Value;
use sqlx::PgPool;

use super::sessions::SessionKey;
use crate::{Backoffice, Fault, kernel::seal::FORM_ANSWER};

pub async fn leave(
    backoffice: &Backoffice,
    session: &SessionKey,
    path: &str,
    answer: &Value,
) -> Result<(), Fault> {
    let answer = backoffice.keys.seal(FORM_ANSWER, &answer.to_string())?;
    sqlx::query!(
        "insert into form_answers (session_hash, path, answer) values ($1, $2, $3)",
        session.hash(),
        path,
        answer,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// Takes the newest. An older one stays only if it was left just now, by another tab on the same page that is still on
/// its way; otherwise nobody came for it.
pub async fn take(backoffice: &Backoffice, session: &SessionKey, path: &str) -> Result<Option<Value>, Fault> {
    let answer = sqlx::query_scalar!(
        r#"with newest as (
            select id from form_answers
            where session_hash = $1 and path = $2 and left_at > now() - interval '1 minute'
            order by id desc limit 1 for update skip locked
           ), taken as (
            delete from form_answers a where a.session_hash = $1 and a.path = $2
               and (a.id in (select id from newest) or a.left_at < now() - interval '5 seconds')
            returning a.id, a.answer)
           select t.answer from taken t join newest n on n.id = t.id"#,
        session.hash(),
        path,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let open = |sealed: String| {
        let answer = backoffice.keys.open(FORM_ANSWER, &sealed)?;
        serde_json::from_str(&answer).map_err(Fault::unreadable("the answer to a form"))
    };
    answer.map(open).transpose()
}

pub async fn delete_expired(pool: &PgPool) -> Result<(), Fault> {
    sqlx::query!("delete from form_answers where left_at <= now() - interval '1 minute'")
        .execute(pool)
        .await?;
    Ok(())
}
