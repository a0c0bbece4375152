-- A role that works with the tables does not have to own them: what alters a table is done by functions of the owner's.

-- As in version 10, in the name of the owner.
create or replace function add_webhook_month(at timestamptz) returns void
language plpgsql security definer set search_path = jangbu, pg_temp as $$
declare
    day  timestamp := date_trunc('month', at at time zone 'Asia/Seoul');
    name text := 'webhook_deliveries_' || to_char(day, 'YYYY_MM');
    may  record;
begin
    perform pg_advisory_xact_lock(hashtextextended('add_webhook_month', 0));
    if to_regclass(name) is not null then
        return;
    end if;
    execute format('create table %I (like webhook_deliveries including defaults including constraints)', name);
    execute format('alter table webhook_deliveries attach partition %I for values from (%L) to (%L)', name,
                   webhook_floor(day at time zone 'Asia/Seoul'),
                   webhook_floor((day + interval '1 month') at time zone 'Asia/Seoul'));
    -- Keys are turned month by month: whoever may work with deliveries may with each of them.
    for may in select privilege_type, grantee::regrole as role from pg_class, aclexplode(relacl)
               where pg_class.oid = 'webhook_deliveries'::regclass and grantee <> relowner and grantee <> 0
    loop
        execute format('grant %s on %I to %s', may.privilege_type, name, may.role);
    end loop;
end
$$;

-- The table of a month that has served its time. Whoever asks, the last year stays.
create function old_webhook_month(month text) returns text language plpgsql stable set search_path = jangbu, pg_temp as $$
begin
    if month !~ '^\d{4}_\d{2}$' or month >= to_char((now() - interval '1 year') at time zone 'Asia/Seoul', 'YYYY_MM') then
        raise exception 'webhook deliveries of % are kept', month;
    end if;
    return 'webhook_deliveries_' || month;
end
$$;

-- Waits for readers for a moment only: everybody else waits behind it. Whoever calls tries again.
create function detach_webhook_month(month text) returns void
language plpgsql security definer set search_path = jangbu, pg_temp set lock_timeout = '200ms' as $$
declare
    name    text := old_webhook_month(month);
    -- begun concurrently by a version before this one, and broken off
    pending boolean := (select inhdetachpending from pg_inherits where inhrelid = name::regclass);
begin
    execute format('alter table webhook_deliveries detach partition %I %s', name, case when pending then 'finalize' end);
end
$$;

create function drop_webhook_month(month text) returns void
language plpgsql security definer set search_path = jangbu, pg_temp as $$
begin
    if exists (select from pg_inherits where inhrelid = old_webhook_month(month)::regclass) then
        raise exception 'the webhook deliveries of % are still read', month;
    end if;
    execute format('drop table %I', old_webhook_month(month));
end
$$;

revoke execute on function add_webhook_month(timestamptz), detach_webhook_month(text), drop_webhook_month(text) from public;
