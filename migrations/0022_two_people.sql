-- Two people that one cannot be.

alter table staff
    -- since when the account has the role and the password that it has, and who gave them
    add column access_set_at timestamptz,
    add column access_set_by uuid references staff (id);
update staff set access_set_at = created_at;
-- The default is for processes of the version before that still run.
alter table staff alter column access_set_at set not null, alter column access_set_at set default now();

create function staff_role_is_new() returns trigger language plpgsql as $$
begin
    if new.role <> old.role then
        new.access_set_at := greatest(new.access_set_at, now());
    end if;
    return new;
end
$$;
create trigger staff_role_is_new before update of role on staff for each row execute function staff_role_is_new();

-- Points that one person may grant in a day on their own word.
alter table refund_limits add column grants_per_day bigint check (grants_per_day >= 0);
-- What a new installation begins with; whoever runs one already keeps what they have set.
update refund_limits set
    one_refund = case role when 'support' then 300000 else 3000000 end,
    per_day = case role when 'support' then 1000000 else 20000000 end,
    grants_per_day = case role when 'support' then 100000 else 1000000 end
where not exists (select 1 from staff);

-- A limit that somebody wants raised, until a second person has said yes or no.
create table limit_requests (
    role              text primary key references refund_limits (role),
    one_refund        numeric check (one_refund >= 0),
    per_day           numeric check (per_day >= 0),
    grants_per_day    bigint check (grants_per_day >= 0),
    requested_by      uuid not null references staff (id),
    requested_by_name text not null,
    requested_at      timestamptz not null
);

alter table campaigns
    add column created_by       uuid references staff (id),
    -- it gives points on one person's word: a second one has to have seen it
    add column needs_second     boolean not null default false,
    add column approved_by      uuid references staff (id),
    add column approved_by_name text,
    add constraint campaigns_two_people check (approved_by <> created_by);

alter table grants
    -- who says, after Toss was asked, that it was not paid: a second person has to say so as well
    add column not_paid_by      uuid references staff (id),
    add column not_paid_by_name text;
create index grants_by_person on grants (requested_by, requested_at desc);
