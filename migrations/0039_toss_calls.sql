-- Every call to Toss and how it ended, for thirty days. Nothing in it is anybody's own and nothing is secret: `toss::redact`
-- says what of a body may stand here.

create table toss_calls (
    id               bigint generated always as identity primary key,
    -- when it left
    at               timestamptz not null,
    api              text not null check (api in ('toss_payments', 'apps_in_toss')),
    method           text not null,
    -- as the contract writes it: ids stand beside it
    path             text not null,
    order_id         text,
    -- a payToken as well
    payment_key      text,
    outcome          text not null check (outcome in ('ok', 'refused', 'no_answer')),
    -- of HTTP
    status           integer,
    -- why there is no answer: a word, and a sentence
    failure          text check ((failure is null) = (outcome <> 'no_answer')),
    why              text,
    took_ms          integer not null check (took_ms >= 0),
    trace_id         text,
    -- of the answer that the same idempotency key got the first time
    first_trace_id   text,
    code             text,
    -- of Apps in Toss
    result_type      text,
    -- of the API that answered
    version          text,
    is_other_version boolean not null default false,
    request          jsonb,
    answer           jsonb
);
create index toss_calls_api on toss_calls (api, id desc);
create index toss_calls_path on toss_calls (path, id desc);
create index toss_calls_not_ok on toss_calls (outcome, id desc) where outcome <> 'ok';
create index toss_calls_code on toss_calls (code, id desc) where code is not null;
create index toss_calls_order on toss_calls (order_id, id desc) where order_id is not null;
create index toss_calls_payment on toss_calls (payment_key, id desc) where payment_key is not null;
create index toss_calls_trace on toss_calls (trace_id, id desc) where trace_id is not null;
create index toss_calls_first_trace on toss_calls (first_trace_id, id desc) where first_trace_id is not null;
-- What has served its time lies together at the beginning.
create index toss_calls_at on toss_calls using brin (at);

-- Which versions of the API have answered. It outlives the calls, so that the day of a change stays known.
create table toss_versions (
    version       text primary key,
    first_seen_at timestamptz not null,
    -- to the minute
    last_seen_at  timestamptz not null
);
