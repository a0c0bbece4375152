-- Deliveries are kept for years: one table a month, so that an old month can go without touching the others.
-- The key is a UUID of version 7, whose time is when the delivery came: one key orders, finds, and tells the month.

-- The smallest key of a moment.
create function webhook_floor(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
    select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

alter table webhook_deliveries rename to webhook_deliveries_before;
alter table webhook_deliveries_before drop constraint webhook_deliveries_duplicate_of_fkey;
drop index webhook_deliveries_order, webhook_deliveries_payment, webhook_deliveries_type, webhook_deliveries_state,
    webhook_deliveries_dedup, webhook_deliveries_transmission, webhook_deliveries_transaction;
alter table webhook_deliveries_before drop constraint webhook_deliveries_pkey;

create table webhook_deliveries (
    id                uuid not null primary key,
    received_at       timestamptz not null,
    source_ip         text,
    -- an address that Toss posts from; null when the address is not known
    listed            boolean,
    -- [[name, value], ...] in the order they came
    headers           jsonb not null,
    body              bytea not null,
    -- from the last byte of the request to our 200; written down a moment later
    answered_in_us    integer,
    -- received: nobody has looked yet; failed: somebody has, in vain, and somebody will again
    state             text not null default 'received'
                      check (state in ('received', 'failed', 'applied', 'unchanged', 'ignored')),
    -- read off the delivery afterwards
    transmission_id   text,
    retried_count     integer,
    event_type        text,
    -- payment, cancel, payout, seller, billing_key, customer or other, and its own id
    subject           text,
    subject_id        text,
    order_id          text,
    payment_key       text,
    transaction_key   text,
    body_status       text,
    dedup_key         text,
    duplicate_of      uuid,
    -- every id in the body
    ids               text[] not null default '{}',
    -- how far it can be trusted: the proof first
    badges            text[] not null default '{}',
    -- what matched: {"value": 1, "reading": "decoded_bytes"}
    proof             jsonb,
    -- what it changed: {"status": [before, after], ...}
    changed           jsonb,
    error             text,
    processed_at      timestamptz
) partition by range (id);
-- What is read off later costs the intake nothing.
create index webhook_deliveries_order on webhook_deliveries (order_id, id desc) where order_id is not null;
create index webhook_deliveries_payment on webhook_deliveries (payment_key) where payment_key is not null;
create index webhook_deliveries_type on webhook_deliveries (event_type, id desc) where event_type is not null;
create index webhook_deliveries_state on webhook_deliveries (state, id desc);
create index webhook_deliveries_dedup on webhook_deliveries (dedup_key, id) where dedup_key is not null;
create index webhook_deliveries_transaction on webhook_deliveries (transaction_key) where transaction_key is not null;
create index webhook_deliveries_ids on webhook_deliveries using gin (ids);
create index webhook_deliveries_badges on webhook_deliveries using gin (badges);
create index webhook_deliveries_open on webhook_deliveries (id) where state in ('received', 'failed');
create index webhook_deliveries_retries on webhook_deliveries (id) where retried_count > 0;

-- Attaching takes a lock that lets readers and writers pass; "create table ... partition of" would not.
create function add_webhook_month(at timestamptz) returns void language plpgsql as $$
declare
    day  timestamp := date_trunc('month', at at time zone 'Asia/Seoul');
    name text := 'webhook_deliveries_' || to_char(day, 'YYYY_MM');
begin
    perform pg_advisory_xact_lock(hashtextextended('add_webhook_month', 0));
    if to_regclass(name) is not null then
        return;
    end if;
    execute format('create table %I (like webhook_deliveries including defaults including constraints)', name);
    execute format('alter table webhook_deliveries attach partition %I for values from (%L) to (%L)', name,
                   webhook_floor(day at time zone 'Asia/Seoul'),
                   webhook_floor((day + interval '1 month') at time zone 'Asia/Seoul'));
end
$$;

select add_webhook_month(month) from (select distinct date_trunc('month', received_at at time zone 'Asia/Seoul')
    at time zone 'Asia/Seoul' as month from webhook_deliveries_before) months;

create function webhook_key_before(at timestamptz, id bigint) returns uuid language sql immutable strict as $$
    select (substr(webhook_floor(at)::text, 1, 13) || '-7' || lpad(to_hex(id >> 44 & 4095), 3, '0') || '-8000-'
            || lpad(to_hex(id & 17592186044415), 12, '0'))::uuid
$$;
insert into webhook_deliveries (id, received_at, source_ip, headers, body, answered_in_us, state, transmission_id, retried_count,
    event_type, subject, subject_id, order_id, payment_key, transaction_key, body_status, dedup_key, duplicate_of, ids,
    badges, changed, error, processed_at)
select webhook_key_before(b.received_at, b.id), b.received_at, b.source_ip, b.headers, b.body, b.stored_in_us, b.state,
    b.transmission_id, b.retried_count, b.event_type,
    case when b.payment_key is not null or b.order_id is not null then 'payment' end, coalesce(b.payment_key, b.order_id),
    b.order_id, b.payment_key, b.transaction_key, b.body_status, b.dedup_key, webhook_key_before(f.received_at, f.id),
    array_remove(array[b.order_id, b.payment_key, b.transaction_key, b.transmission_id], null),
    case b.badge when 'duplicate' then array['fetched_equal', 'duplicate'] else array_remove(array[b.badge], null) end,
    b.changed, b.error, b.processed_at
from webhook_deliveries_before b left join webhook_deliveries_before f on f.id = b.duplicate_of;
drop table webhook_deliveries_before;
drop function webhook_key_before;

-- Payouts and sellers as Toss told of them last. They come by signed events alone.
create table told (
    subject     text not null,
    subject_id  text not null,
    status      text,
    -- when Toss says that it happened: an older event never takes the place of a newer one
    happened_at timestamptz not null,
    delivery_id uuid not null,
    body        jsonb not null,
    primary key (subject, subject_id)
);

-- Looking into many deliveries again.
create table webhook_replays (
    id              uuid primary key,
    -- the filter as it stands in the address of the list
    filter          jsonb not null,
    -- it ends with the last delivery that was there when it began
    last_id         uuid not null,
    -- the last one that was looked into
    at_id           uuid,
    total           bigint not null,
    done            bigint not null default 0,
    changed         bigint not null default 0,
    state           text not null default 'running' check (state in ('running', 'stopped', 'finished')),
    -- why it is waiting
    error           text,
    created_by      uuid references staff (id),
    created_by_name text not null,
    created_at      timestamptz not null,
    ended_at        timestamptz
);
