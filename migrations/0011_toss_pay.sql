-- Payments of mini-apps live beside the others.

alter table payments add column rail text not null default 'toss_payments' check (rail in ('toss_payments', 'toss_pay'));
alter table orders add constraint orders_rail check (rail in ('toss_payments', 'toss_pay'));
create index orders_by_user on orders (user_key, created_at desc, order_id desc) where user_key is not null;
-- Toss tells nobody when a payment of a mini-app changes: these are asked about.
create index orders_moving on orders (updated_at)
    where rail = 'toss_pay' and status in ('READY', 'PAY_STANDBY', 'PAY_APPROVED', 'PAY_PROGRESS', 'REFUND_PROGRESS');

-- What was asked of make-payment, committed before it was sent: the same request again is the same payment.
create table toss_pay_requests (
    order_id text primary key references orders (order_id),
    request  jsonb not null,
    made_at  timestamptz not null
);
