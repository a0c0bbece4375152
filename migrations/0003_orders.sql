-- Orders, and what Toss says of their payments.

-- A number taken before Toss is asked. The answer to a later question never gives way to the answer to an
-- earlier one, whichever process asked and whatever its clock says.
create sequence asked;

create table orders (
    order_id              text primary key check (length(order_id) between 1 and 64),
    rail                  text not null default 'toss_payments',
    -- merchant: registered by the merchant's server. toss: first heard of from Toss.
    origin                text not null check (origin in ('merchant', 'toss')),
    order_name            text not null,
    amount                numeric not null check (amount > 0),
    currency              text not null,
    customer_name         text,
    customer_mobile_phone text,
    customer_email        text,
    user_key              text,
    -- Toss's own word; READY until a payment says otherwise
    status                text not null,
    method                text,
    -- card issuer, bank or easy-pay provider
    method_detail         text,
    balance_amount        numeric,
    payment_key           text,
    created_at            timestamptz not null,
    paid_at               timestamptz,
    updated_at            timestamptz not null,
    -- why a person has to look at it
    attention             text,
    -- part of the idempotency key of the next confirm
    confirm_refusals      integer not null default 0
);
create index orders_by_time on orders (created_at desc, order_id desc);
create index orders_by_status on orders (status, created_at desc, order_id desc);
create index orders_by_method on orders (method, created_at desc, order_id desc);
create index orders_by_id_prefix on orders (order_id text_pattern_ops);
create index orders_by_payment_key on orders (payment_key);
create index orders_by_name on orders (customer_name text_pattern_ops);
create index orders_by_paid_at on orders (paid_at);
create index orders_waiting_for_a_person on orders (updated_at desc) where attention is not null;

create table payments (
    payment_key            text primary key,
    order_id               text not null references orders (order_id),
    status                 text not null,
    method                 text,
    currency               text not null,
    total_amount           numeric not null,
    balance_amount         numeric not null check (balance_amount >= 0 and balance_amount <= total_amount),
    approved_at            timestamptz,
    last_transaction_key   text,
    -- Toss may leave both out of later answers (toss-api.md A5.3, A6): the first ones are kept
    secret                 text,
    refund_receive_account jsonb,
    raw                    jsonb not null,
    asked                  bigint not null,
    fetched_at             timestamptz not null
);
create index payments_by_order on payments (order_id);

create table transactions (
    transaction_key text primary key,
    payment_key     text not null,
    order_id        text not null,
    method          text,
    -- the payment's status at that moment
    status          text not null,
    currency        text not null,
    -- what moved, without a sign: the status says which way
    amount          numeric not null check (amount >= 0),
    transaction_at  timestamptz not null,
    -- payment: read off a Payment. list: seen in Toss's own list.
    source          text not null check (source in ('payment', 'list'))
);
create index transactions_by_time on transactions (transaction_at desc, transaction_key desc);
create index transactions_by_payment on transactions (payment_key);
create index transactions_by_order on transactions (order_id);
