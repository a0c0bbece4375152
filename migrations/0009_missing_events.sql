-- What Toss has done and never told us: found by holding its own list of transactions against what arrived.

alter table webhook_deliveries add column transaction_key text;
create index webhook_deliveries_transaction on webhook_deliveries (transaction_key);

create table missing_events (
    transaction_key text primary key,
    payment_key     text not null,
    order_id        text not null,
    -- the payment's status at that moment: which event never came
    status          text not null,
    currency        text not null,
    amount          numeric not null,
    transaction_at  timestamptz not null,
    found_at        timestamptz not null,
    -- a look-up has brought the books up to date
    applied_at      timestamptz,
    -- it came after all
    came_at         timestamptz
);
create index missing_events_by_time on missing_events (transaction_at desc, transaction_key desc);
create index missing_events_to_apply on missing_events (payment_key) where applied_at is null;
create index missing_events_absent on missing_events (transaction_at) where came_at is null;

-- Which stretches of Toss's list were compared, and when last.
create table compared_windows (
    starts_at   timestamptz primary key,
    ends_at     timestamptz not null,
    compared_at timestamptz not null
);
