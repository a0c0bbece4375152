-- Intents to give money back. The row and its key are committed before Toss is called.

create table refunds (
    id                uuid primary key,
    order_id          text not null references orders (order_id),
    payment_key       text not null references payments (payment_key),
    amount            numeric not null check (amount > 0),
    currency          text not null,
    -- the balance the intent was decided on; sent along as Toss's own lock
    refundable_amount numeric not null,
    reason_code       text not null,
    reason            text not null check (length(reason) between 1 and 200),
    refund_account    jsonb,
    state             text not null check (state in ('requested', 'sending', 'succeeded', 'failed', 'unknown')),
    idempotency_key   text not null unique,
    requested_by      uuid references staff (id),
    requested_by_name text not null,
    requested_at      timestamptz not null,
    attempts          integer not null default 0,
    -- whoever holds the lease may call Toss; the fence tells an old holder that it is too late
    lease_until       timestamptz,
    fence             bigint not null default 0,
    settled_at        timestamptz,
    transaction_key   text unique,
    error_code        text,
    error_message     text,
    trace_id          text,
    check (amount <= refundable_amount)
);
-- Two agents, two tabs, two processes: one wins.
create unique index refunds_one_open on refunds (payment_key) where state in ('requested', 'sending', 'unknown');
create index refunds_by_order on refunds (order_id, requested_at);
create index refunds_by_time on refunds (requested_at desc, id desc);
create index refunds_open on refunds (requested_at) where state in ('requested', 'sending', 'unknown');
