-- The log-in of the house next door: who somebody is there, and what a log-in leaves between its two requests.

create table staff_identities (
    -- of OpenID Connect, or `host` for whoever our host says it is
    issuer    text not null,
    subject   text not null check (length(subject) between 1 and 255),
    staff_id  uuid not null references staff (id) on delete cascade,
    linked_at timestamptz not null,
    primary key (issuer, subject),
    -- One account is one person there: another one with the same address is somebody else.
    unique (staff_id, issuer)
);

-- A log-in that is under way. It is taken once, by the session that began it.
create table oidc_log_ins (
    -- sha256: who reads this table cannot finish anybody's log-in
    state_hash   bytea primary key,
    session_hash bytea not null,
    -- sealed: what the answer is held against, and where to go then
    secret       text not null,
    expires_at   timestamptz not null default now() + interval '10 minutes'
);
create index oidc_log_ins_expiry on oidc_log_ins (expires_at);

-- Log-outs that the provider has told, so that none counts twice.
create table oidc_log_outs (
    token_hash bytea primary key,
    expires_at timestamptz not null
);
create index oidc_log_outs_expiry on oidc_log_outs (expires_at);

-- The provider ends sessions by its own id of them.
create index staff_sessions_oidc on staff_sessions ((data->'oidc'->>'sid')) where data ? 'oidc';
