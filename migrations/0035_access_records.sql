-- Who saw whose personal data: the access record (개인정보의 안전성 확보조치 기준, article 8). Each row is told in the audit log by
-- its hash alone, so that it is sealed like every other row, and may still go when its time is up.

create table access_records (
    -- of its row in the audit log, which has the place, the browser and the role
    seq          bigint primary key,
    at           timestamptz not null,
    staff_id     uuid not null,
    kind         text not null check (kind in ('viewed', 'revealed', 'searched', 'exported')),
    -- whose: an order, a user, a file and all orders in it, whoever a body is about; of a search, the keyed hash of its words
    subject_kind text not null check (subject_kind in ('order', 'user', 'export', 'words', 'webhook')),
    subject      text not null,
    -- name, phone, email and so on
    what         text[] not null,
    is_masked    boolean not null,
    reason       text,
    -- of a file: how many people are in it, and the hash over who they are
    people       bigint,
    people_hash  text,
    -- so that nobody finds out from its hash what a row was that is gone
    salt         bytea not null check (length(salt) = 16)
);
create index access_records_staff on access_records (staff_id, at desc);
create index access_records_subject on access_records (subject_kind, subject, seq desc);
create index access_records_kind on access_records (kind, seq desc);
create index access_records_at on access_records (at);

-- Who is in a file in the clear.
create table export_people (
    export_id uuid not null,
    order_id  text not null,
    at        timestamptz not null default now(),
    primary key (export_id, order_id)
);
create index export_people_order on export_people (order_id);
create index export_people_at on export_people (at);

create function access_records_are_kept() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.at < now() - interval '364 days' then
        return old;
    end if;
    raise exception 'the access record is append-only';
end
$$;
create trigger access_records_are_kept before update or delete on access_records
    for each row execute function access_records_are_kept();
create function access_records_are_not_emptied() returns trigger language plpgsql as $$
begin
    raise exception 'the access record is append-only';
end
$$;
create trigger access_records_are_not_emptied before truncate on access_records
    for each statement execute function access_records_are_not_emptied();

-- What somebody looks through once a month is over: what each person saw in it. Signed by somebody else.
create table access_reviews (
    -- its first day
    month            date not null check (extract(day from month) = 1),
    staff_id         uuid not null,
    records          bigint not null,
    reviewed_by      uuid,
    reviewed_by_name text,
    reviewed_at      timestamptz,
    note             text,
    primary key (month, staff_id),
    check (reviewed_by is distinct from staff_id)
);
create index access_reviews_open on access_reviews (month) where reviewed_at is null;

-- What people read first is what was changed; who looked at what has a page of its own.
create index audit_changes on audit (seq desc) where action not like 'personal.%';
