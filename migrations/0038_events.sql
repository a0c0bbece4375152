-- What happened, told to the merchant's own systems (Standard Webhooks 1.0). An event is written in the transaction of its change,
-- beside one row for each endpoint that is to hear of it.

create table events (
    id      uuid primary key,
    -- of one subject in the order of its changes: whoever writes one holds the subject's row
    seq     bigint generated always as identity unique,
    -- lists are read in the order in which transactions ended: none is passed over that began earlier and took longer
    xact    xid8 not null default pg_current_xact_id(),
    kind    text not null,
    -- what it is about, and what the order of telling is kept for: order:<id>, iap:<id>, user:<key>, grant:<id>, …
    subject text not null,
    at      timestamptz not null,
    data    jsonb not null
);
create index events_told on events (xact, seq);
create index events_subject on events (subject, at desc);
create index events_kind on events (kind, at desc);
create index events_at on events (at desc);

create table event_endpoints (
    id              uuid primary key,
    name            text not null,
    -- http: posted to an address; stream: taken by the program that this is mounted in
    way             text not null check (way in ('http', 'stream')),
    url             text check ((url is null) = (way = 'stream')),
    -- empty: every kind
    kinds           text[] not null,
    -- paused: by itself, what is to be told is kept; disabled: by somebody, nothing more is kept for it
    state           text not null default 'active' check (state in ('active', 'paused', 'disabled')),
    -- failing (for three days), or gone (it said so itself)
    paused_because  text,
    created_at      timestamptz not null,
    created_by      uuid references staff (id),
    created_by_name text not null,
    removed_at      timestamptz,
    -- how it answers
    last_success_at timestamptz,
    failing_since   timestamptz,
    -- in a row
    failures        integer not null default 0,
    last_error      text,
    -- nothing is sent before
    retry_at        timestamptz,
    -- one process at a time, by the database's time
    holder          uuid,
    held_until      timestamptz
);
create unique index event_streams on event_endpoints (name) where way = 'stream' and removed_at is null;

create table event_secrets (
    id          uuid primary key,
    endpoint_id uuid not null references event_endpoints (id),
    -- sealed
    secret      text not null,
    made_at     timestamptz not null,
    -- the one before is signed with for a while, too
    ends_at     timestamptz
);
create index event_secrets_endpoint on event_secrets (endpoint_id);

-- What is still to be told. No foreign keys: writing an event must not wait for whoever works on an endpoint.
create table event_queue (
    endpoint_id uuid not null,
    seq         bigint not null,
    subject     text not null,
    attempts    integer not null default 0,
    first_at    timestamptz,
    next_at     timestamptz not null,
    primary key (endpoint_id, seq)
);
create index event_queue_subject on event_queue (endpoint_id, subject, seq);
create index event_queue_next on event_queue (endpoint_id, next_at);
create index event_queue_attempts on event_queue (endpoint_id, attempts, seq);

-- Every request and what was answered.
create table event_attempts (
    id          bigint generated always as identity primary key,
    endpoint_id uuid not null,
    seq         bigint not null,
    at          timestamptz not null,
    attempt     integer not null,
    -- delivered; failed: it is tried again; given_up: it is not
    outcome     text not null check (outcome in ('delivered', 'failed', 'given_up')),
    status      integer,
    ms          integer not null,
    -- the first of its body, or why there was no answer
    answer      text not null
);
create index event_attempts_event on event_attempts (seq, id desc);
create index event_attempts_endpoint on event_attempts (endpoint_id, id desc);
create index event_attempts_outcome on event_attempts (endpoint_id, outcome, id desc) where outcome <> 'delivered';
create index event_attempts_at on event_attempts (at);

-- What a run of reconciliation has changed.
create index differences_changed on differences (changed_at);
