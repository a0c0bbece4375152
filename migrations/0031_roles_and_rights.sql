-- What people may do, and how that changes.
--
-- Processes of the version before know only the base of a role of the house's own: make such roles when none of them
-- runs any more.

-- Roles beside the four that every house has.
create table own_roles (
    id              uuid primary key,
    name            text not null check (length(name) between 1 and 40),
    -- the role whose limits hold for whoever has this one
    base            text not null check (base in ('viewer', 'support', 'finance', 'admin')),
    -- a word that a version does not know is no permission
    permissions     text[] not null,
    -- from where whoever has it comes in; empty: from anywhere
    allowed_ips     text[] not null default '{}',
    version         integer not null default 1,
    created_at      timestamptz not null,
    created_by_name text not null
);
create unique index own_roles_name on own_roles (lower(name));

-- The same for the four; what has no row may come from anywhere.
create table role_addresses (
    role        text primary key check (role in ('viewer', 'support', 'finance', 'admin')),
    allowed_ips text[] not null
);

alter table staff
    -- nothing: one of the four; otherwise `role` is its base
    add column own_role_id uuid references own_roles (id),
    -- instead of those of the role; empty: those of the role
    add column allowed_ips text[] not null default '{}',
    -- since when somebody who was let in again could have logged in
    add column opened_at   timestamptz,
    -- disabled because nobody came
    add column is_dormant  boolean not null default false;
create index staff_own_role on staff (own_role_id) where own_role_id is not null;
-- Nobody is closed for the days before this was counted by the last link.
update staff set opened_at = access_set_at;

create or replace function staff_role_is_new() returns trigger language plpgsql as $$
begin
    if new.role <> old.role or new.own_role_id is distinct from old.own_role_id then
        new.access_set_at := greatest(new.access_set_at, now());
    end if;
    return new;
end
$$;
drop trigger staff_role_is_new on staff;
create trigger staff_role_is_new before update of role, own_role_id on staff
    for each row execute function staff_role_is_new();

-- Another content of a role is another role of everybody who has it.
create function own_role_is_new() returns trigger language plpgsql as $$
begin
    if new.base <> old.base or new.permissions <> old.permissions then
        update staff set access_set_at = greatest(access_set_at, now()), role = new.base where own_role_id = new.id;
    end if;
    return null;
end
$$;
create trigger own_role_is_new after update of base, permissions on own_roles
    for each row execute function own_role_is_new();

-- What somebody holds besides one of the four roles.
create function held(person staff) returns jsonb language sql stable as $$
    select jsonb_build_object(
        'ownRole', (select jsonb_build_object('id', o.id, 'name', o.name, 'permissions', o.permissions)
                    from own_roles o where o.id = person.own_role_id),
        'ownIps', person.allowed_ips,
        'allowedIps', case
            when person.allowed_ips <> '{}' then person.allowed_ips
            when person.own_role_id is not null
            then (select o.allowed_ips from own_roles o where o.id = person.own_role_id)
            else coalesce((select a.allowed_ips from role_addresses a where a.role = person.role), '{}') end)
$$;

-- Another role for somebody, until a second administrator has said yes or no.
create table role_requests (
    staff_id          uuid primary key references staff (id) on delete cascade,
    role              text not null check (role in ('viewer', 'support', 'finance', 'admin')),
    own_role_id       uuid references own_roles (id) on delete cascade,
    requested_by      uuid not null references staff (id),
    requested_by_name text not null,
    requested_at      timestamptz not null
);

-- Another content of a role that people have, likewise.
create table own_role_requests (
    own_role_id       uuid primary key references own_roles (id) on delete cascade,
    name              text not null,
    base              text not null check (base in ('viewer', 'support', 'finance', 'admin')),
    permissions       text[] not null,
    requested_by      uuid not null references staff (id),
    requested_by_name text not null,
    requested_at      timestamptz not null
);

-- The register: whose rights became what, by whom. Kept for three years at least.
create table right_changes (
    id          uuid primary key default gen_random_uuid(),
    at          timestamptz not null,
    staff_id    uuid not null references staff (id),
    -- as it was then, like the names below
    name        text not null,
    kind        text not null check (kind in ('added', 'invited', 'joined', 'role_changed', 'own_role_changed', 'disabled',
                                              'reopened', 'dormant', 'password_reset', 'factor_reset')),
    -- {role, ownRole, permissions}; nothing: no rights. Rows from before have no permissions.
    before      jsonb,
    after       jsonb,
    -- as in the audit log
    by          text not null,
    by_name     text not null,
    second      uuid references staff (id),
    second_name text,
    check ((second is null) = (second_name is null))
);
create index right_changes_by_time on right_changes (at desc, (id::text) desc);
create index right_changes_by_person on right_changes (staff_id, at desc, (id::text) desc);

create function right_changes_are_kept() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and tg_level = 'ROW' then
        if old.at < now() - interval '3 years' then
            return old;
        end if;
    end if;
    raise exception 'the register of right changes is append-only, and kept for three years';
end
$$;
create trigger right_changes_append_only before update or truncate on right_changes
    for each statement execute function right_changes_are_kept();
create trigger right_changes_kept before delete on right_changes
    for each row execute function right_changes_are_kept();

-- What the audit log tells of the time before.
with told as (
    select a.seq, a.at, s.id as staff_id, s.name, a.action, a.actor, a.actor_name, a.entry::jsonb -> 'detail' as detail,
           coalesce(first_value(a.entry::jsonb -> 'detail' ->> 'role') over person, s.role) as role,
           lag(a.action) over person as before
    from audit a join staff s on s.id::text = a.subject
    where a.subject_kind = 'staff' and a.action in ('staff.added', 'staff.invited', 'staff.joined', 'staff.disabled', 'staff.reset')
    window person as (partition by a.subject order by a.seq)
), word as (
    select t.*, case
        when t.action = 'staff.added' and t.detail -> 'invited' = 'true' then 'invited'
        when t.action = 'staff.added' then 'added'
        when t.action = 'staff.joined' then 'joined'
        when t.action = 'staff.disabled' then 'disabled'
        when t.before = 'staff.disabled' then 'reopened'
        else 'password_reset' end as kind
    from told t
)
insert into right_changes (at, staff_id, name, kind, before, after, by, by_name)
select w.at, w.staff_id, coalesce(w.detail ->> 'name', w.name), w.kind,
       case when w.kind not in ('added', 'invited', 'reopened') then jsonb_build_object('role', w.role) end,
       case when w.kind <> 'disabled' then jsonb_build_object('role', w.role) end,
       w.actor, w.actor_name
from word w;
