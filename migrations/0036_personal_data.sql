-- How long what is kept is kept, and what people may ask of us about their own data.

-- What was destroyed because its time was up; one row for each kind of it.
create table retention_runs (
    class     text primary key,
    -- everything up to here has been looked at
    done_to   timestamptz not null,
    ran_at    timestamptz not null,
    -- rows that went in the last run that found any, and in all
    destroyed bigint not null default 0,
    last_at   timestamptz,
    total     bigint not null default 0
);

-- Orders that were looked at when they were old enough, and had something newer about them.
create table retention_deferred (
    order_id text primary key,
    due_at   timestamptz not null
);
create index retention_deferred_due on retention_deferred (due_at);

-- Whoever bought has asked us to forget them; the law has the sale kept, and nothing else is done with what is personal of it.
alter table orders add column restricted_at timestamptz;
-- Nothing of it is anybody's any more: what Toss tells of it later is kept without what is.
alter table orders add column cleared_at timestamptz;

-- What people have asked of us about their own data. Whose it was is not kept here.
create table data_requests (
    id                uuid primary key,
    kind              text not null check (kind in ('exported', 'erased')),
    made_at           timestamptz not null,
    made_by           uuid,
    made_by_name      text not null,
    reason            text not null,
    orders            bigint not null,
    -- of an erasure
    orders_erased     bigint not null default 0,
    orders_restricted bigint not null default 0,
    profiles_erased   bigint not null default 0
);
create index data_requests_made_at on data_requests (made_at desc, id desc);
