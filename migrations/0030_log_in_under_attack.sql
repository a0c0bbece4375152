-- Guessing is slowed down by account, by account on a device that is known, and by address; what happens at the door is
-- kept. Processes of the version before cannot let anybody in on these tables: stop those first.

drop table login_failures;

-- What is counted is a keyed hash: people type passwords where an e-mail address belongs.
create table throttle (
    bucket        text primary key,
    -- of whom: to forget all that an account has been tried with; null for an address
    account       text,
    -- when the last try is forgotten: how far that lies ahead is how many there were
    forgotten_at  timestamptz not null,
    -- from when on the next may be tried
    open_at       timestamptz not null,
    -- turned away since it was last written down, and when that was
    refused       bigint not null default 0 check (refused >= 0),
    noted_at      timestamptz
);
create index throttle_account on throttle (account);
create index throttle_forgotten on throttle (forgotten_at);

-- The browsers that somebody has come in with.
create table staff_devices (
    staff_id      uuid not null references staff (id) on delete cascade,
    -- sha256 of the cookie's value: who reads this table cannot be anybody's device
    device_hash   bytea not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at  timestamptz not null default now(),
    agent         text not null check (length(agent) <= 200),
    ip            text not null,
    -- on this one it was said: I know of all devices that came until then
    told_at       timestamptz not null default now(),
    primary key (staff_id, device_hash)
);
create index staff_devices_hash on staff_devices (device_hash);

-- What happened at the door: who came in, who was refused, what was changed about how somebody comes in.
create table security_events (
    id       bigint generated always as identity primary key,
    at       timestamptz not null,
    kind     text not null,
    -- an account that is never deleted; without a reference, an event waits for no lock on it
    staff_id uuid,
    -- a keyed hash of the address that was typed, where it belongs to nobody
    email    text,
    ip       text not null,
    agent    text not null check (length(agent) <= 200),
    -- words and figures of ours, nothing that was typed
    detail   jsonb not null
);
create index security_events_staff on security_events (staff_id, id desc);
create index security_events_ip on security_events (ip, id desc);
create index security_events_kind on security_events (kind, id desc);
create index security_events_email on security_events (email, id desc) where email is not null;
create index security_events_at on security_events (kind, at desc);

-- Written once, and kept for a year.
create function security_events_are_kept() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.at < now() - interval '364 days' then
        return old;
    end if;
    raise exception 'security events are append-only';
end
$$;
create trigger security_events_are_kept before update or delete on security_events
    for each row execute function security_events_are_kept();
create function security_events_are_not_emptied() returns trigger language plpgsql as $$
begin
    raise exception 'security events are append-only';
end
$$;
create trigger security_events_are_not_emptied before truncate on security_events
    for each statement execute function security_events_are_not_emptied();
