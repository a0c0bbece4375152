-- Every delivery, as it came.

create table webhook_deliveries (
    id                bigint generated always as identity primary key,
    received_at       timestamptz not null,
    source_ip         text,
    -- [[name, value], ...] in the order they came
    headers           jsonb not null,
    body              bytea not null,
    -- read off the delivery afterwards
    transmission_id   text,
    retried_count     integer,
    event_type        text,
    order_id          text,
    payment_key       text,
    body_status       text,
    dedup_key         text,
    state             text not null default 'received'
                      check (state in ('received', 'applied', 'unchanged', 'ignored', 'failed')),
    badge             text,
    duplicate_of      bigint references webhook_deliveries (id),
    -- what it changed: {"status": [before, after], ...}
    changed           jsonb,
    error             text,
    processed_at      timestamptz,
    -- from the last byte of the request to the commit
    stored_in_us      integer
);
create index webhook_deliveries_order on webhook_deliveries (order_id, id desc);
create index webhook_deliveries_payment on webhook_deliveries (payment_key);
create index webhook_deliveries_type on webhook_deliveries (event_type, id desc);
create index webhook_deliveries_state on webhook_deliveries (state, id desc);
create index webhook_deliveries_dedup on webhook_deliveries (dedup_key, id);
create index webhook_deliveries_transmission on webhook_deliveries (transmission_id);
