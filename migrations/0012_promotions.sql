-- Points that cost real money: a campaign's budget and every user's cap are ceilings in the database itself.

create table campaigns (
    promotion_code  text primary key check (promotion_code ~ '^[A-Za-z0-9_.-]{1,100}$' and promotion_code not like 'TEST\_%'),
    name            text not null check (length(name) between 1 and 100),
    -- points of one grant unless said otherwise, and the most of one
    amount          bigint not null check (amount > 0),
    -- the most that one user may get of it
    user_cap        bigint not null check (user_cap >= amount),
    budget          bigint not null check (budget >= amount),
    -- granted, or about to be
    promised        bigint not null default 0 check (promised >= 0 and promised <= budget),
    starts_at       timestamptz not null,
    ends_at         timestamptz not null check (ends_at > starts_at),
    -- above this, for one grant or for a file, a second person is asked
    approval_above  bigint check (approval_above >= 0),
    -- no more grants begin
    stopped_at      timestamptz,
    -- Toss starts a promotion only after a grant with its test code
    tested_at       timestamptz,
    created_by_name text not null,
    created_at      timestamptz not null
);
create index campaigns_by_time on campaigns (created_at desc, promotion_code desc);

-- What each user got, or is about to.
create table campaign_users (
    promotion_code text not null references campaigns (promotion_code),
    user_key       bigint not null,
    promised       bigint not null check (promised >= 0),
    cap            bigint not null,
    primary key (promotion_code, user_key),
    check (promised <= cap)
);

create table grant_batches (
    id               uuid primary key,
    promotion_code   text not null references campaigns (promotion_code),
    file_name        text not null,
    event            text not null,
    created_by       uuid references staff (id),
    created_by_name  text not null,
    created_at       timestamptz not null,
    state            text not null check (state in
        ('previewed', 'waiting_for_approval', 'declined', 'running', 'stopped', 'finished')),
    needs_second     boolean not null default false,
    approved_by      uuid references staff (id),
    approved_by_name text,
    lines            integer not null,
    ready            integer not null,
    ready_amount     bigint not null,
    check (approved_by <> created_by),
    check (not needs_second or approved_by_name is not null or state in ('previewed', 'waiting_for_approval', 'declined'))
);
create index grant_batches_by_campaign on grant_batches (promotion_code, created_at desc);

create table grants (
    id                uuid primary key,
    promotion_code    text not null references campaigns (promotion_code),
    user_key          bigint not null check (user_key > 0),
    -- the business event it is for: one grant per campaign, user and event
    event             text not null check (length(event) between 1 and 100),
    amount            bigint not null check (amount > 0),
    -- with Toss's test code: no points move
    is_test           boolean not null default false,
    state             text not null check (state in
        ('waiting_for_approval', 'declined', 'requested', 'sending', 'pending', 'unknown', 'succeeded', 'failed')),
    -- Toss's key for this one payout, stored before it is used
    key               text,
    key_at            timestamptz,
    batch_id          uuid references grant_batches (id),
    needs_second      boolean not null default false,
    requested_by      uuid references staff (id),
    requested_by_name text not null,
    requested_at      timestamptz not null,
    approved_by       uuid references staff (id),
    approved_by_name  text,
    attempts          integer not null default 0,
    -- when execute-promotion left last, in the database's own time
    sent_at           timestamptz,
    -- Toss has said that it has the payout: from then on it is only looked at
    acknowledged_at   timestamptz,
    -- the same by the clock that limits are kept by
    executed_at       timestamptz,
    lease_until       timestamptz,
    fence             bigint not null default 0,
    settled_at        timestamptz,
    error_code        text,
    error_message     text,
    check (approved_by <> requested_by),
    check (not needs_second or approved_by_name is not null or state in ('waiting_for_approval', 'declined')),
    check (sent_at is null or key is not null)
);
create unique index grants_one_per_event on grants (promotion_code, user_key, event)
    where state not in ('failed', 'declined') and not is_test;
create unique index grants_key on grants (key);
create index grants_by_campaign on grants (promotion_code, requested_at desc, id desc);
create index grants_by_user on grants (user_key, requested_at desc, id desc);
create index grants_executed on grants (user_key, executed_at);
create index grants_open on grants (requested_at) where state in ('requested', 'sending', 'pending', 'unknown');
create index grants_waiting on grants (requested_at) where state = 'waiting_for_approval';
create index grants_by_batch on grants (batch_id) where batch_id is not null;

-- A key that was given up stays here: it belongs to its intent for good.
create table grant_keys (
    key      text primary key,
    grant_id uuid not null references grants (id),
    made_at  timestamptz not null
);

create function grants_keep_promise() returns trigger language plpgsql as $$
declare
    before bigint := 0;
    after  bigint := 0;
begin
    if tg_op = 'UPDATE' then
        if (new.id, new.promotion_code, new.user_key, new.event, new.amount, new.is_test)
           is distinct from (old.id, old.promotion_code, old.user_key, old.event, old.amount, old.is_test)
        then
            raise exception 'a grant cannot be changed';
        end if;
        if old.state in ('succeeded', 'failed', 'declined') and new.state <> old.state then
            raise exception 'a grant that is % stays %', old.state, old.state;
        end if;
        if old.state not in ('failed', 'declined') then before := old.amount; end if;
    end if;
    if new.state not in ('failed', 'declined') then after := new.amount; end if;
    if before <> after and not new.is_test then
        update campaigns set promised = promised + after - before where promotion_code = new.promotion_code;
        insert into campaign_users (promotion_code, user_key, promised, cap)
            select new.promotion_code, new.user_key, 0, user_cap from campaigns where promotion_code = new.promotion_code
        on conflict do nothing;
        update campaign_users set promised = promised + after - before
        where promotion_code = new.promotion_code and user_key = new.user_key;
    end if;
    return null;
end
$$;
create trigger grants_keep_promise after insert or update on grants
    for each row execute function grants_keep_promise();
create function grants_are_kept() returns trigger language plpgsql as $$
begin
    raise exception 'grants are kept';
end
$$;
create trigger grants_are_kept before delete or truncate on grants for each statement execute function grants_are_kept();

create table grant_batch_lines (
    batch_id uuid not null references grant_batches (id),
    line     integer not null,
    user_key text not null,
    amount   bigint,
    state    text not null check (state in ('ready', 'refused', 'taken')),
    why      jsonb,
    -- minted with the preview: running the line twice is one grant
    grant_id uuid not null unique,
    primary key (batch_id, line)
);
create index grant_batch_lines_ready on grant_batch_lines (batch_id, line) where state = 'ready';
