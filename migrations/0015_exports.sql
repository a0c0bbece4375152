-- Files that people take out of the house: who, what, why. The file itself goes after a day.

create table exports (
    id            uuid primary key,
    -- what and by which filter, as backoffice::exports reads it
    what          jsonb not null,
    -- the words of the file, in the language of whoever asked
    title         text not null,
    heads         jsonb not null,
    words         jsonb not null,
    format        text not null check (format in ('csv', 'xlsx')),
    reason        text not null,
    is_masked     boolean not null,
    asked_by      uuid references staff (id),
    asked_by_name text not null,
    asked_at      timestamptz not null,
    state         text not null check (state in ('waiting', 'running', 'done', 'failed', 'gone')),
    rows          bigint not null default 0,
    bytes         bigint not null default 0,
    ended_at      timestamptz
);
create index exports_by_person on exports (asked_by, asked_at desc);
create index exports_to_forget on exports (ended_at) where state in ('done', 'failed');

create table export_parts (
    export_id uuid not null references exports (id),
    nth       integer not null,
    bytes     bytea not null,
    primary key (export_id, nth)
);
