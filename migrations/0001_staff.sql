-- Who may come in, and who is in.

create table staff (
    id            uuid primary key,
    email         text not null check (email = lower(email) and length(email) between 3 and 254),
    name          text not null check (length(name) between 1 and 80),
    role          text not null check (role in ('viewer', 'support', 'finance', 'admin')),
    -- argon2id, in PHC form
    password_hash text not null,
    created_at    timestamptz not null,
    disabled_at   timestamptz,
    last_login_at timestamptz
);
create unique index staff_email on staff (email);

create table staff_sessions (
    -- sha256 of the cookie's value: who reads this table cannot become anybody
    id_hash      bytea primary key,
    staff_id     uuid references staff (id) on delete cascade,
    data         jsonb not null,
    created_at   timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index staff_sessions_staff on staff_sessions (staff_id);
create index staff_sessions_expiry on staff_sessions (expires_at);

-- Slows guessing down, by account and by address. Only a hash of the e-mail is kept: people type passwords there.
create table login_failures (
    email_hash bytea not null,
    ip         text not null,
    at         timestamptz not null default now()
);
create index login_failures_email on login_failures (email_hash, at);
create index login_failures_ip on login_failures (ip, at);
