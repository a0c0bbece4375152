-- What somebody shows besides the password.

create table staff_factors (
    id            uuid primary key,
    staff_id      uuid not null references staff (id) on delete cascade,
    kind          text not null check (kind in ('passkey', 'totp')),
    name          text not null check (length(name) between 1 and 80),
    -- sealed: the public key and the counter of a passkey, the secret of an authenticator app
    secret        text not null,
    -- of a passkey: what the browser finds it by
    credential_id bytea,
    -- of an app: the last time step whose code was used, so that a code works once
    last_step     bigint,
    added_at      timestamptz not null,
    -- nothing: an app that has not shown its first code
    confirmed_at  timestamptz,
    last_used_at  timestamptz,
    check ((kind = 'passkey') = (credential_id is not null)),
    check (kind = 'totp' or confirmed_at is not null)
);
create unique index staff_factors_credential on staff_factors (credential_id);
create index staff_factors_staff on staff_factors (staff_id);
create unique index staff_factors_begun on staff_factors (staff_id) where confirmed_at is null;

create table staff_recovery_codes (
    staff_id  uuid not null references staff (id) on delete cascade,
    -- sha256 of 120 random bits
    code_hash bytea not null,
    made_at   timestamptz not null,
    used_at   timestamptz,
    primary key (staff_id, code_hash)
);

-- What a passkey was asked to sign. One answer each.
create table passkey_challenges (
    challenge_hash bytea primary key,
    session_hash   bytea not null,
    state          jsonb not null,
    expires_at     timestamptz not null default now() + interval '5 minutes'
);
create index passkey_challenges_expiry on passkey_challenges (expires_at);

alter table staff_sessions
    -- when whoever is in it last showed who they are; a log-in is that
    add column proved_at timestamptz not null default now(),
    add column wrong_codes integer not null default 0;

-- What somebody is told on the next page that they open.
create table staff_notices (
    id       uuid primary key,
    staff_id uuid not null references staff (id) on delete cascade,
    kind     text not null,
    detail   jsonb not null,
    at       timestamptz not null,
    seen_at  timestamptz
);
create index staff_notices_unseen on staff_notices (staff_id, at) where seen_at is null;
