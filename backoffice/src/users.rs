//! Users of the mini-app: their log-in, their profile, which stays encrypted until somebody says why it has to be read,
//! and the end of the link.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use time::OffsetDateTime;
use toss::apps_in_toss::{Error as TossError, Tokens, UserKey};

use crate::{
    Backoffice, Fault,
    audit::{
        self, Act, Actor,
        access::{self, Access, NotShown, Whose},
    },
    events::{self, Data, Kind, data},
    page::{Cursor, Page, push_keyset},
};

#[derive(Debug, Clone)]
pub struct User {
    pub user_key: i64,
    /// Toss's field name to its encrypted text.
    pub sealed: BTreeMap<String, String>,
    pub scope: String,
    pub agreed_terms: Vec<String>,
    pub first_login_at: OffsetDateTime,
    pub last_login_at: OffsetDateTime,
    pub unlinked_at: Option<OffsetDateTime>,
    pub unlink_referrer: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    user_key: i64,
    sealed: serde_json::Value,
    scope: String,
    agreed_terms: Vec<String>,
    first_login_at: OffsetDateTime,
    last_login_at: OffsetDateTime,
    unlinked_at: Option<OffsetDateTime>,
    unlink_referrer: Option<String>,
}

impl TryFrom<Stored> for User {
    type Error = Fault;

    fn try_from(s: Stored) -> Result<Self, Fault> {
        Ok(Self {
            user_key: s.user_key,
            sealed: serde_json::from_value(s.sealed).map_err(Fault::unreadable("a profile"))?,
            scope: s.scope,
            agreed_terms: s.agreed_terms,
            first_login_at: s.first_login_at,
            last_login_at: s.last_login_at,
            unlinked_at: s.unlinked_at,
            unlink_referrer: s.unlink_referrer,
        })
    }
}

/// What Toss may say of the end of a link (toss-api.md B2.6).
pub const UNLINK_REFERRERS: [&str; 3] = ["UNLINK", "WITHDRAWAL_TERMS", "WITHDRAWAL_TOSS"];

/// A user key as somebody types it.
pub fn parse_key(text: &str) -> Option<UserKey> {
    UserKey::parse(text)
}

/// Exchanges a mini-app's authorization code. The tokens are the merchant's, and are not kept here; the profile is.
pub async fn log_in(
    backoffice: &Backoffice,
    actor: &Actor,
    code: &str,
    referrer: &str,
) -> Result<(UserKey, Tokens), Fault> {
    let client = backoffice.apps_in_toss()?;
    let tokens = client.generate_token(code, referrer).await?.value;
    let user = read_profile(backoffice, actor, &tokens.access_token).await?;
    Ok((user, tokens))
}

/// New tokens for an old refresh token, and the profile as it stands now.
pub async fn refresh(
    backoffice: &Backoffice,
    actor: &Actor,
    refresh_token: &SecretString,
) -> Result<(UserKey, Tokens), Fault> {
    let tokens = backoffice.apps_in_toss()?.refresh_token(refresh_token).await?.value;
    let user = read_profile(backoffice, actor, &tokens.access_token).await?;
    Ok((user, tokens))
}

async fn read_profile(
    backoffice: &Backoffice,
    actor: &Actor,
    token: &SecretString,
) -> Result<UserKey, Fault> {
    let client = backoffice.apps_in_toss()?;
    let profile = match client.login_me(token).await {
        // The code is spent: asking once more is harmless.
        Err(TossError::MaybeDone(error)) => {
            tracing::warn!(%error, "login-me");
            client.login_me(token).await?
        }
        other => other?,
    }
    .value;
    let sealed: BTreeMap<&str, &str> = profile.sealed().collect();
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let was_linked = sqlx::query_scalar!(
        r#"select unlinked_at is null as "is_linked!" from toss_users where user_key = $1 for update"#,
        profile.user_key.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into toss_users (user_key, sealed, scope, agreed_terms, first_login_at, last_login_at)
         values ($1, $2, $3, $4, $5, $5)
         on conflict (user_key) do update set sealed = excluded.sealed, scope = excluded.scope,
             agreed_terms = excluded.agreed_terms, last_login_at = excluded.last_login_at, unlinked_at = null,
             unlink_referrer = null",
        profile.user_key.0,
        json!(sealed),
        profile.scope,
        &profile.agreed_terms,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let fields: Vec<&str> = sealed.keys().copied().collect();
    let detail = json!({ "fields": fields });
    note(&mut tx, now, actor, profile.user_key, "user.logged_in", detail).await?;
    if was_linked != Some(true) {
        tell(&mut tx, now, profile.user_key, None).await?;
    }
    tx.commit().await?;
    Ok(profile.user_key)
}

/// Asks Toss to end the link by the user's own token, which says whose it is.
pub async fn unlink_by_token(
    backoffice: &Backoffice,
    actor: &Actor,
    token: &SecretString,
) -> Result<UserKey, Fault> {
    let client = backoffice.apps_in_toss()?;
    let user = client.login_me(token).await?.value.user_key;
    client.remove_by_access_token(token).await?;
    note_unlinked(backoffice, actor, user, "PARTNER").await?;
    Ok(user)
}

/// Asks Toss to end a user's link with the mini-app.
pub async fn unlink(backoffice: &Backoffice, actor: &Actor, user: UserKey) -> Result<(), Fault> {
    backoffice.apps_in_toss()?.remove_by_user_key(user).await?;
    note_unlinked(backoffice, actor, user, "PARTNER").await.map(drop)
}

/// Toss, or we, have ended a link. The profile is forgotten. True when it was not known yet.
pub async fn note_unlinked(
    backoffice: &Backoffice,
    actor: &Actor,
    user: UserKey,
    referrer: &str,
) -> Result<bool, Fault> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let ended = sqlx::query!(
        "insert into toss_users (user_key, first_login_at, last_login_at, unlinked_at, unlink_referrer)
         values ($1, $2, $2, $2, $3)
         on conflict (user_key) do update set unlinked_at = excluded.unlinked_at, sealed = '{}',
             unlink_referrer = excluded.unlink_referrer
         where toss_users.unlinked_at is null or toss_users.unlink_referrer is distinct from excluded.unlink_referrer",
        user.0,
        now,
        referrer,
    )
    .execute(&mut *tx)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    note(&mut tx, now, actor, user, "user.unlinked", json!({ "referrer": referrer })).await?;
    tell(&mut tx, now, user, Some(referrer)).await?;
    tx.commit().await?;
    Ok(true)
}

pub async fn get(backoffice: &Backoffice, user_key: i64) -> Result<Option<User>, Fault> {
    let row = sqlx::query_as!(Stored, "select * from toss_users where user_key = $1", user_key)
        .fetch_optional(&backoffice.pool)
        .await?;
    row.map(User::try_from).transpose()
}

/// Users who have logged in, or whose link has ended, latest first.
pub async fn list(
    backoffice: &Backoffice,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<User>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new("select * from toss_users where true");
    push_keyset(&mut query, cursor, "last_login_at", "user_key::text", size);
    let rows: Vec<Stored> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    let rows = rows.into_iter().map(User::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(rows, size, cursor, |user| (user.last_login_at, user.user_key.to_string())))
}

/// Keeps that somebody reads a profile, and why. Only after this may it be shown.
pub async fn note_reveal(
    backoffice: &Backoffice,
    actor: &Actor,
    user_key: i64,
    why: &str,
) -> Result<Result<(), NotShown>, Fault> {
    let why = match access::reason(why) {
        Ok(why) => why,
        Err(no) => return Ok(Err(no.into())),
    };
    let Some(user) = get(backoffice, user_key).await? else { return Ok(Err(NotShown::Nothing)) };
    note_access(backoffice, actor, &user, access::Kind::Revealed, Some(&why)).await?;
    Ok(Ok(()))
}

/// Keeps that somebody opened the page of a user whose profile is here.
pub async fn note_view(
    backoffice: &Backoffice,
    actor: &Actor,
    user: &User,
    is_masked: bool,
) -> Result<(), Fault> {
    // In the clear it was written down when it was asked for, with the reason.
    if user.sealed.is_empty() || !is_masked {
        return Ok(());
    }
    note_access(backoffice, actor, user, access::Kind::Viewed, None).await
}

async fn note_access(
    backoffice: &Backoffice,
    actor: &Actor,
    user: &User,
    kind: access::Kind,
    reason: Option<&str>,
) -> Result<(), Fault> {
    let what: Vec<&str> = user.sealed.keys().map(String::as_str).collect();
    let seen = Access {
        kind,
        whose: Whose::User(user.user_key),
        what: &what,
        is_masked: kind == access::Kind::Viewed,
        reason,
    };
    access::note(backoffice, actor, seen).await
}

/// Opens the fields of a profile. What cannot be opened is left out, and said in the log.
pub fn open_profile(backoffice: &Backoffice, user: &User) -> BTreeMap<String, String> {
    let Some(key) = backoffice.apps_in_toss.as_ref().and_then(|apps| apps.profile_key.as_ref()) else {
        return BTreeMap::new();
    };
    let open = |(name, sealed): (&String, &String)| match key.open(sealed) {
        Ok(text) => Some((name.clone(), text.expose_secret().to_owned())),
        Err(error) => {
            tracing::warn!(%error, field = name, user_key = user.user_key, "a profile field");
            None
        }
    };
    user.sealed.iter().filter_map(open).collect()
}

async fn note(
    tx: &mut sqlx::PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    user: UserKey,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), Fault> {
    let subject = user.to_string();
    audit::record(tx, now, actor, Act { action, subject_kind: "user", subject: &subject, detail }).await
}

/// Tells the merchant's own systems that a link began or ended. The user's row is held.
async fn tell(
    tx: &mut sqlx::PgConnection,
    now: OffsetDateTime,
    user: UserKey,
    ended_by: Option<&str>,
) -> Result<(), Fault> {
    let kind = if ended_by.is_some() { Kind::UserUnlinked } else { Kind::UserLinked };
    let user = data::User { user_key: user.0, referrer: ended_by.map(str::to_owned) };
    events::tell(tx, now, &[(kind, Data::User(user))]).await
}
