-- Keys of the merchant's own servers, beside the one of the settings: each with its name, what it opens, and what it may do by
-- itself. A key is a secret or two (the one before holds for a while after a change), of which only the hash is here.

create table api_keys (
    id              uuid primary key,
    name            text not null,
    scopes          text[] not null,
    -- won, won a day, points a day, like the limits of a role: above them somebody of the staff decides. Nothing: no limit.
    one_refund      numeric,
    per_day         numeric,
    grants_per_day  bigint,
    -- calls; nothing: as many as any address may
    per_minute      integer check (per_minute > 0),
    created_at      timestamptz not null,
    created_by      uuid references staff (id),
    created_by_name text not null,
    -- who has seen a secret of it, and could be it: none of them is its second person
    seen_by         uuid[] not null default '{}',
    expires_at      timestamptz,
    revoked_at      timestamptz,
    revoked_by_name text
);
create unique index api_keys_name on api_keys (lower(name)) where revoked_at is null;

create table api_key_secrets (
    -- SHA-256
    hash         bytea primary key,
    key_id       uuid not null references api_keys (id),
    -- its last characters, to be told from another one
    ending       text not null,
    made_at      timestamptz not null,
    ends_at      timestamptz,
    -- to the minute
    last_used_at timestamptz
);
create index api_key_secrets_key on api_key_secrets (key_id);

-- Every call of the merchant's servers, for thirty days: never a body, a query or an id that was in the path.
create table api_requests (
    id         bigint generated always as identity primary key,
    at         timestamptz not null,
    -- nothing: the key of the settings, or none that is known
    key_id     uuid,
    key_name   text,
    method     text not null,
    -- as the document of the API writes it
    route      text not null,
    status     integer not null,
    -- of a refusal
    code       text,
    took_ms    integer not null check (took_ms >= 0),
    request_id text not null,
    ip         text
);
create index api_requests_key on api_requests (key_id, id desc);
create index api_requests_route on api_requests (route, id desc);
create index api_requests_refused on api_requests (id desc) where status >= 400;
create index api_requests_refused_of_key on api_requests (key_id, id desc) where status >= 400;
create index api_requests_request on api_requests (request_id);
create index api_requests_at on api_requests using brin (at);

-- What a key has asked for counts against its own day.
alter table refunds add column requested_by_key uuid references api_keys (id);
alter table grants add column requested_by_key uuid references api_keys (id);
create index refunds_of_key on refunds (requested_by_key, requested_at) where requested_by_key is not null;
create index grants_of_key on grants (requested_by_key, requested_at) include (amount, state, needs_second, is_test, batch_id)
    where requested_by_key is not null;
-- A server asks for those that failed.
create index grants_by_state on grants (promotion_code, state, requested_at desc, id desc);

-- Why a payment came to nothing, as the payment window has told the shop (failUrl). Toss tells it in no look-up.
create table failed_attempts (
    id       bigint generated always as identity primary key,
    order_id text not null references orders (order_id),
    at       timestamptz not null,
    code     text not null
);
create index failed_attempts_order on failed_attempts (order_id, id desc);
