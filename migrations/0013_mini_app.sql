-- Users of the mini-app, their in-app purchases, and the messages that go to them.

create table toss_users (
    user_key        bigint primary key check (user_key > 0),
    -- personal fields as Toss sent them, still encrypted: who reads this table learns nothing
    sealed          jsonb not null default '{}',
    scope           text not null default '',
    agreed_terms    text[] not null default '{}',
    first_login_at  timestamptz not null,
    last_login_at   timestamptz not null,
    unlinked_at     timestamptz,
    -- UNLINK, WITHDRAWAL_TERMS, WITHDRAWAL_TOSS, or PARTNER when we asked for it
    unlink_referrer text
);

create index toss_users_by_login on toss_users (last_login_at desc, (user_key::text) desc);

create table iap_orders (
    order_id      text primary key,
    user_key      bigint,
    sku           text,
    platform      text check (platform in ('ANDROID', 'IOS')),
    -- Toss's own word; null until it could be asked
    status        text,
    reason        text,
    determined_at timestamptz,
    created_at    timestamptz not null,
    looked_at     timestamptz,
    refunded_at   timestamptz
);
create index iap_orders_by_time on iap_orders (created_at desc, order_id desc);
create index iap_orders_by_user on iap_orders (user_key, created_at desc);
create index iap_orders_by_status on iap_orders (status, created_at desc, order_id desc);
-- Nobody tells of a refund: these are asked about, longest unasked first.
create index iap_orders_to_ask on iap_orders (looked_at nulls first)
    where status is distinct from 'REFUNDED';
create index iap_orders_refunded on iap_orders (user_key) where status = 'REFUNDED';

create table iap_refunds (
    id               uuid primary key,
    order_id         text not null references iap_orders (order_id),
    state            text not null check (state in
        ('requested', 'partner_approved', 'rejected_by_partner', 'rejected_by_store', 'refunded', 'detected')),
    -- the user's reason, as the console shows it
    reason           text not null default '',
    requested_at     timestamptz not null,
    recorded_by_name text not null,
    decided_by_name  text,
    decided_at       timestamptz,
    decision_note    text,
    settled_at       timestamptz
);
create unique index iap_refunds_one_open on iap_refunds (order_id) where state in ('requested', 'partner_approved');
create index iap_refunds_by_time on iap_refunds (requested_at desc, id desc);
create index iap_refunds_by_state on iap_refunds (state, requested_at desc, id desc);
create index iap_refunds_by_order on iap_refunds (order_id);

create table message_templates (
    code            text primary key check (code ~ '^[A-Za-z0-9_.-]{1,100}$'),
    name            text not null check (length(name) between 1 and 100),
    -- the gaps of the template, in the order they are asked for
    fields          text[] not null default '{}',
    -- refund or grant: sent by itself to the user it happened to
    follows         text check (follows in ('refund', 'grant')),
    created_by_name text not null,
    created_at      timestamptz not null
);
create unique index message_templates_follows on message_templates (follows) where follows is not null;

create table messages (
    id             uuid primary key,
    template_code  text not null references message_templates (code),
    -- null for a bulk send
    user_key       bigint,
    receivers      integer not null default 1 check (receivers between 1 and 2500),
    context        jsonb not null,
    deployment_id  text,
    -- what it follows: refund:<id> or grant:<id>
    follows        text,
    -- there is nothing to ask afterwards: unknown stays unknown, and is never sent again by a machine
    state          text not null check (state in ('requested', 'sending', 'sent', 'failed', 'unknown')),
    result         jsonb,
    error_code     text,
    error_message  text,
    sent_by_name   text not null,
    requested_at   timestamptz not null,
    sent_at        timestamptz
);
create index messages_by_time on messages (requested_at desc, id desc);
create index messages_by_user on messages (user_key, requested_at desc, id desc);
create index messages_recent on messages (user_key, sent_at) where sent_at is not null;
create unique index messages_follow_once on messages (follows) where follows is not null;
create index messages_open on messages (requested_at) where state in ('requested', 'sending');
