-- A second person for large money, a person for what a machine cannot tell, and a ceiling in the database itself.

alter table refunds drop constraint refunds_state_check;
alter table refunds add constraint refunds_state_check check (state in
    ('requested', 'waiting_for_approval', 'approved', 'declined', 'sending', 'succeeded', 'failed', 'unknown'));

alter table refunds
    -- which limit asks for a second person: one_refund, per_day or currency
    add column approval_because text,
    add column approved_by      uuid references staff (id),
    add column approved_by_name text,
    add column approved_at      timestamptz,
    add column settled_by_name  text,
    -- the cancels Toss already knew when the intent was taken down: none of them can be ours
    add column known_cancels    text[] not null default '{}',
    -- in the database's own time
    add column last_attempt_at  timestamptz,
    -- the refund of a return: it stops the legal clock, also where it is a part
    add column for_return       boolean not null default false,
    add column unknown_since    timestamptz,
    -- why a machine cannot tell how it ended
    add column needs_person     text,
    -- Nobody approves their own, and nothing that needs a second person is sent without one.
    add constraint refunds_two_people check (approved_by <> requested_by),
    add constraint refunds_not_without_second check (approval_because is null or approved_by_name is not null
        or state in ('waiting_for_approval', 'declined'));

-- Two agents, two tabs, two processes: one wins. What waits for a second person holds the place.
drop index refunds_one_open;
create unique index refunds_one_open on refunds (payment_key)
    where state in ('requested', 'waiting_for_approval', 'approved', 'sending', 'unknown');
drop index refunds_open;
create index refunds_open on refunds (state, requested_at)
    where state in ('requested', 'waiting_for_approval', 'approved', 'sending', 'unknown');
create index refunds_by_state on refunds (state, requested_at desc, id desc);
create index refunds_by_person on refunds (requested_by, requested_at desc);
create index refunds_settled on refunds (settled_at) where state = 'succeeded';

-- Never too much: what is promised of a payment, open or done, stays within what was captured.
alter table payments add column refunds_promised numeric not null default 0;
update payments p set refunds_promised = coalesce((select sum(amount) from refunds r
    where r.payment_key = p.payment_key and r.state not in ('failed', 'declined')), 0);
alter table payments add constraint payments_never_too_much
    check (refunds_promised >= 0 and refunds_promised <= total_amount);

create function refunds_keep_promise() returns trigger language plpgsql as $$
declare
    before numeric := 0;
    after  numeric := 0;
begin
    if tg_op = 'UPDATE' then
        if (new.id, new.order_id, new.payment_key, new.amount, new.currency, new.refundable_amount, new.idempotency_key)
           is distinct from
           (old.id, old.order_id, old.payment_key, old.amount, old.currency, old.refundable_amount, old.idempotency_key)
        then
            raise exception 'an intent to refund cannot be changed';
        end if;
        if old.state in ('succeeded', 'failed', 'declined') and new.state <> old.state then
            raise exception 'a refund that is % stays %', old.state, old.state;
        end if;
        if old.state not in ('failed', 'declined') then before := old.amount; end if;
    end if;
    if new.state not in ('failed', 'declined') then after := new.amount; end if;
    if before <> after then
        update payments set refunds_promised = refunds_promised + after - before where payment_key = new.payment_key;
    end if;
    return null;
end
$$;
create trigger refunds_keep_promise after insert or update on refunds
    for each row execute function refunds_keep_promise();

create function refunds_are_kept() returns trigger language plpgsql as $$
begin
    raise exception 'refunds are kept';
end
$$;
create trigger refunds_are_kept before delete or truncate on refunds
    for each statement execute function refunds_are_kept();

-- Above these, in won, a second person is asked. No number: no limit.
create table refund_limits (
    role       text primary key check (role in ('support', 'finance', 'admin')),
    one_refund numeric check (one_refund >= 0),
    per_day    numeric check (per_day >= 0)
);
insert into refund_limits (role) values ('support'), ('finance'), ('admin');
