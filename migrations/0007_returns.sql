-- Goods that came back and withdrawals: from then on the law gives three business days for the money
-- (전자상거래법 제18조 제2항).

create table returns (
    id               uuid primary key,
    order_id         text not null references orders (order_id),
    kind             text not null check (kind in ('returned', 'withdrawn')),
    -- the day, in Korea, from which the law counts
    received_on      date not null,
    -- the last day, inclusive
    due_on           date not null,
    note             text,
    recorded_by_name text not null,
    recorded_at      timestamptz not null,
    closed_at        timestamptz,
    closed_by_name   text,
    -- refunded, or what a person wrote
    closed_because   text,
    check (due_on > received_on)
);
create unique index returns_one_open on returns (order_id) where closed_at is null;
create index returns_open on returns (due_on, id) where closed_at is null;
create index returns_by_order on returns (order_id, recorded_at);
