//! Checkpoints leave the house: whoever can write into the database cannot change what lies elsewhere.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use crate::kernel::place::{NoPlace, Place};
use crate::{Backoffice, Fault, kernel::place::Syslog};

/// How often it is looked for a checkpoint that nobody has been told.
const EVERY: Duration = Duration::from_millis(500);

/// Forgets places that nobody is told at any more.
async fn begin(backoffice: &Backoffice) -> Result<(), Fault> {
    let places: Vec<String> = backoffice.sealing.places.iter().map(ToString::to_string).collect();
    sqlx::query!("delete from audit_places where place <> all($1)", &places)
        .execute(&backoffice.pool)
        .await?;
    Ok(())
}

/// Brings checkpoints outside until told to stop: beside the sealing, which waits for nobody out there.
pub(crate) async fn run(backoffice: &Backoffice, stop: &CancellationToken) {
    let work = async {
        if let Err(error) = begin(backoffice).await {
            tracing::warn!(%error, "old places of checkpoints are not forgotten");
        }
        loop {
            if let Err(error) = tell_all(backoffice).await {
                tracing::warn!(%error, "no checkpoint of the audit log was sent");
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Sets aside a checkpoint for those outside, one a minute at most, and brings it to each of them.
async fn tell_all(backoffice: &Backoffice) -> Result<(), Fault> {
    sqlx::query!(
        "insert into audit_checkpoints (size, checkpoint, made_at)
         select h.size, h.checkpoint, now() from audit_head h
         left join lateral (select size, made_at from audit_checkpoints order by size desc limit 1) c on true
         where c.size is null or (h.size > c.size and c.made_at < now() - interval '1 minute')
         on conflict do nothing"
    )
    .execute(&backoffice.pool)
    .await?;
    for place in &backoffice.sealing.places {
        tell_one(backoffice, place).await?;
    }
    Ok(())
}

async fn tell_one(backoffice: &Backoffice, place: &Place) -> Result<(), Fault> {
    let name = place.to_string();
    let newest = sqlx::query!(
        r#"select size, checkpoint from audit_checkpoints
           where size > coalesce((select p.size from audit_places p where p.place = $1), 0)
             -- what does not answer is asked again after ten seconds
             and not exists (select from audit_places p where p.place = $1 and p.tried_at > now() - interval '10 seconds')
           order by size desc limit 1"#,
        name,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(newest) = newest else { return Ok(()) };
    // Whoever writes first tells it; the others see that somebody has just tried.
    let mine = sqlx::query!(
        "insert into audit_places (place, size, tried_at) values ($1, 0, now())
         on conflict (place) do update set tried_at = now()
         where audit_places.tried_at is null or audit_places.tried_at < now() - interval '10 seconds'",
        name,
    )
    .execute(&backoffice.pool)
    .await?;
    if mine.rows_affected() == 0 {
        return Ok(());
    }
    // Facility 13 (log audit), severity 6; one line, as its parts are words of a checkpoint.
    let line = newest.checkpoint.split_whitespace().collect::<Vec<_>>().join(" ");
    let syslog = Syslog { priority: 110, lines: vec![("checkpoint", line)] };
    let told = place.tell("text/plain; charset=utf-8", &newest.checkpoint, syslog).await;
    let error = told.as_ref().err();
    if let Some(error) = error {
        tracing::warn!(place = name, error, "a checkpoint of the audit log was not taken");
    }
    sqlx::query!(
        "update audit_places set size = case when $3::text is null then $2 else size end, error = $3,
             failing_since = case when $3::text is null then null else coalesce(failing_since, now()) end
         where place = $1",
        name,
        newest.size,
        error,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}
