-- Finance: what our books hold, what Toss lists and what Toss settles, side by side.

-- One row a transaction, with what each side says of it. `status`, `currency`, `amount` and `transaction_at` are the
-- list's where it was read, else ours.
alter table transactions
    add column rail            text not null default 'toss_payments' check (rail in ('toss_payments', 'toss_pay', 'iap')),
    -- read off a payment; null: our books do not hold it
    add column booked_amount   numeric,
    add column booked_currency text,
    add column booked_status   text,
    -- read in Toss's own list; null: it was not in it
    add column listed_amount   numeric,
    add column listed_status   text,
    -- how often the list has it: once
    add column listed_times    smallint not null default 0,
    add column listed_at       timestamptz,
    -- what the buyer did not pay in money (Toss Pay)
    add column discount        numeric not null default 0,
    add column points          numeric not null default 0,
    -- what of it bears no VAT; null: not told
    add column tax_free        numeric,
    -- reckoned from a price list, not told by Toss
    add column is_estimate     boolean not null default false;
update transactions t set
    rail = coalesce((select p.rail from payments p where p.payment_key = t.payment_key), 'toss_payments'),
    listed_amount = case when source = 'list' then amount end,
    listed_status = case when source = 'list' then status end,
    listed_times = case when source = 'list' then 1 else 0 end;
update transactions t set booked_amount = amount, booked_currency = currency, booked_status = status
    where source = 'payment' or exists (select 1 from payments p where p.payment_key = t.payment_key);
alter table transactions drop column source;

-- Rows of Toss's lists as they came.
create table told_rows (
    source text not null check (source in ('transactions', 'settlements', 'toss_pay')),
    key    text not null,
    nth    smallint not null,
    raw    jsonb not null,
    read_at timestamptz not null,
    primary key (source, key, nth)
);

-- A stretch counts as read only when Toss's list of it was read to its end.
alter table compared_windows rename to read_windows;
alter table read_windows rename column compared_at to read_at;
alter table read_windows
    add column source text not null default 'transactions' check (source in ('transactions', 'settlements', 'toss_pay')),
    add column rows   bigint,
    drop constraint compared_windows_pkey,
    add primary key (source, starts_at);

create table settlements (
    transaction_key text not null,
    -- 1, and 2 for a row that Toss has twice
    nth             smallint not null check (nth >= 1),
    payment_key     text not null,
    order_id        text not null,
    method          text,
    currency        text not null,
    -- negative on a cancel
    amount          numeric not null,
    -- with VAT; the parts are null on shops of version 1.x
    fee             numeric not null,
    fee_base        numeric,
    fee_instalment  numeric,
    fee_other       numeric,
    supply_amount   numeric,
    vat             numeric,
    discount        numeric not null default 0,
    points          numeric not null default 0,
    pay_out_amount  numeric not null,
    is_cancel       boolean not null,
    -- of the approval or of the cancel that it settles
    transaction_at  timestamptz not null,
    sold_date       date not null,
    paid_out_date   date not null,
    read_at         timestamptz not null,
    -- Toss had it once and has it no more
    gone_at         timestamptz,
    primary key (transaction_key, nth)
);
create index settlements_by_time on settlements (transaction_at);
create index settlements_by_pay_out on settlements (paid_out_date);
create index settlements_by_sold_date on settlements (sold_date);
create index settlements_by_payment on settlements (payment_key);

-- What the contract with Toss says; the latest one that began holds. '*' is every method without a line of its own.
create table contract_rates (
    method       text not null,
    currency     text not null,
    valid_from   date not null,
    -- with VAT, in thousandths of the amount
    per_mille    numeric not null check (per_mille between 0 and 200),
    -- with VAT, for each approval
    flat         numeric not null default 0 check (flat >= 0),
    cycle        text not null check (cycle in ('daily', 'weekly', 'monthly')),
    -- business days from the end of the cycle to the pay-out
    pay_out_days smallint not null check (pay_out_days between 0 and 60),
    primary key (method, currency, valid_from)
);
-- What an in-app product costs: Toss does not tell it.
create table iap_prices (
    sku   text primary key,
    price numeric not null check (price > 0)
);

-- The one place where a row gets its class. `plan` says for each day, rail, method and currency what may be expected by
-- `today`: Toss's list is read (listed), the rail is settled (settles), when (due), whether all of its settlements up to
-- then are read (settlements_read), and the fee.
create function reconciled_rows(from_at timestamptz, to_at timestamptz, today date, plan jsonb)
returns table (
    transaction_key text, nth smallint, day date, rail text, payment_key text, order_id text, method text, currency text,
    transaction_at timestamptz, status text,
    ours numeric, toss numeric, settled numeric, discount numeric, points numeric,
    fee numeric, fee_base numeric, fee_instalment numeric, fee_other numeric, supply numeric, vat numeric, pay_out numeric,
    fee_due numeric, paid_out_date date, due date, is_estimate boolean, class text, remarks text[]
) language sql stable parallel safe as $$
    with rule as materialized (
        select * from jsonb_to_recordset(plan) as r(
            day date, rail text, method text, currency text, due date, listed boolean, settles boolean,
            settlements_read boolean, agreed boolean, per_mille numeric, flat numeric, places integer)
    ), pair as (
        select t.transaction_key, 1::smallint as nth, t.rail, t.payment_key, t.order_id, t.method, t.currency, t.transaction_at,
               t.status, t.booked_amount, t.booked_currency, t.booked_status, t.listed_amount, t.listed_status, t.listed_times,
               t.discount, t.points, t.is_estimate,
               s.amount as settled, s.currency as settled_currency, s.fee, s.fee_base, s.fee_instalment, s.fee_other,
               s.supply_amount, s.vat, s.discount as settled_discount, s.points as settled_points, s.pay_out_amount, s.paid_out_date
        from transactions t
        left join settlements s on s.transaction_key = t.transaction_key and s.nth = 1 and s.gone_at is null
        where t.transaction_at >= from_at and t.transaction_at < to_at
        union all
        select s.transaction_key, s.nth, 'toss_payments', s.payment_key, s.order_id, s.method, s.currency, s.transaction_at,
               case when s.is_cancel then 'CANCELED' else 'DONE' end, null, null, null, null, null, 0,
               0, 0, false,
               s.amount, s.currency, s.fee, s.fee_base, s.fee_instalment, s.fee_other,
               s.supply_amount, s.vat, s.discount, s.points, s.pay_out_amount, s.paid_out_date
        from settlements s
        where s.transaction_at >= from_at and s.transaction_at < to_at and s.gone_at is null
          and (s.nth > 1 or not exists (select 1 from transactions t where t.transaction_key = s.transaction_key))
    ), sided as (
        select p.*, (p.transaction_at at time zone interval '9 hours')::date as day,
               p.status in ('CANCELED', 'PARTIAL_CANCELED', 'REFUND_SUCCESS', 'REFUNDED') as is_out,
               -- An issued account moves nothing, nor does the cancel of one that nobody paid into (toss-api.md A7), nor a
               -- deposit that the bank took back.
               case when p.status = 'WAITING_FOR_DEPOSIT' then false
                    when p.method is distinct from '가상계좌' or p.nth > 1 then true
                    when p.status in ('CANCELED', 'PARTIAL_CANCELED')
                    then exists (select 1 from transactions d where d.payment_key = p.payment_key and d.status = 'DONE')
                    else not exists (select 1 from transactions d where d.payment_key = p.payment_key and d.status = 'DONE'
                                       and d.transaction_at > p.transaction_at)
                     and not exists (select 1 from payments w where w.payment_key = p.payment_key and w.status = 'WAITING_FOR_DEPOSIT')
               end as moves
        -- Each step is reckoned once for each row: without the fence the planner would write it into every place that reads it.
        from pair p
        offset 0
    ), signed as (
        select x.*,
               case when x.booked_amount is null then 0 when not x.moves then 0
                    when x.booked_status in ('CANCELED', 'PARTIAL_CANCELED', 'REFUND_SUCCESS', 'REFUNDED') then -x.booked_amount
                    else x.booked_amount end as ours,
               case when x.listed_amount is null then 0 when not x.moves then 0
                    when x.listed_status in ('CANCELED', 'PARTIAL_CANCELED', 'REFUND_SUCCESS', 'REFUNDED') then -x.listed_amount
                    else x.listed_amount end as toss,
               coalesce(r.due, f.due) as due, coalesce(r.listed, f.listed, false) as listed,
               coalesce(r.settles, f.settles, false) and x.moves as settles,
               coalesce(r.settlements_read, f.settlements_read, false) as settlements_read,
               coalesce(r.agreed, f.agreed, false) as agreed,
               coalesce(r.places, f.places, 2) as places,
               round(x.settled * coalesce(r.per_mille, f.per_mille) / 1000, coalesce(r.places, f.places, 2))
                   + case when x.settled > 0 then coalesce(r.flat, f.flat) else 0 end as fee_due
        from sided x
        left join rule r on r.day = x.day and r.rail = x.rail and r.currency = x.currency and r.method = x.method
        left join rule f on f.day = x.day and f.rail = x.rail and f.method = '*'
            and f.currency = case when x.currency in (select k.currency from rule k where k.method = '*') then x.currency else '*' end
        offset 0
    ), remarked as (
        select g.*,
               -- Toss tells no figures of in-app purchases: 15 % to the store and 5 % to Toss (toss-api.md B6.1).
               case when g.rail = 'iap' then round(g.ours * 0.15) + round(g.ours * 0.05) end as store_fee,
               array_remove(array[
            case when g.nth > 1 then 'settled_twice' end,
            case when g.listed_times > 1 then 'listed_twice' end,
            case when g.nth = 1 and g.booked_amount is null then 'not_booked' end,
            case when g.nth = 1 and g.listed_amount is null and g.rail <> 'iap' then case when g.listed then 'not_listed' else 'list_not_read' end end,
            case when g.booked_currency <> g.currency or g.settled_currency <> g.currency then 'currency' end,
            case when g.booked_amount is not null and g.listed_amount is not null and abs(g.ours) <> abs(g.toss) then 'amount' end,
            case when g.nth = 1 and g.settled is not null and g.booked_amount is not null
                  and g.settled <> case when g.listed_amount is null then g.ours else g.toss end then 'settled_amount' end,
            case when g.booked_status is not null and g.listed_status is not null and
                      (case when g.booked_status in ('CANCELED', 'PARTIAL_CANCELED') then 'CANCELED' else g.booked_status end)
                   <> (case when g.listed_status in ('CANCELED', 'PARTIAL_CANCELED') then 'CANCELED' else g.listed_status end)
                 then 'status' end,
            case when g.settles and g.settled is null then
                case when reconciled_rows.today <= g.due then 'not_due'
                     when not g.settlements_read then 'settlements_not_read'
                     when g.is_out and exists (select 1 from settlements a
                                               where a.payment_key = g.payment_key and not a.is_cancel and a.gone_at is null)
                     then 'refund_not_settled'
                     else 'not_settled' end end,
            case when g.nth = 1 and g.settled is not null and abs(coalesce(g.fee_base, g.fee) - g.fee_due) > power(10::numeric, -g.places)
                 then 'fee_rate' end,
            case when g.settled is not null and g.supply_amount + g.vat <> g.fee then 'fee_sum' end,
            case when g.settled is not null
                  and g.settled - g.settled_discount - g.settled_points - g.fee <> g.pay_out_amount then 'pay_out' end,
            case when g.agreed and g.paid_out_date > g.due then 'paid_late' end,
            case when g.rail = 'iap' and g.booked_amount = 0 then 'no_price' end,
            case when g.settled is not null and g.fee_due is null then 'no_rate' end
        ], null) as remarks
        from signed g
        offset 0
    )
    select m.transaction_key, m.nth, m.day, m.rail, m.payment_key, m.order_id, m.method, m.currency, m.transaction_at, m.status,
           m.ours, m.toss, coalesce(m.settled, 0),
           case when m.settled is not null then m.settled_discount when m.is_out then -m.discount else m.discount end,
           case when m.settled is not null then m.settled_points when m.is_out then -m.points else m.points end,
           coalesce(m.fee, m.store_fee, 0), m.fee_base, m.fee_instalment, m.fee_other,
           coalesce(m.supply_amount, m.fee, m.store_fee, 0), coalesce(m.vat, 0),
           coalesce(m.pay_out_amount, m.ours - m.store_fee, 0),
           m.fee_due, m.paid_out_date, m.due, m.is_estimate,
           case when m.remarks && array['settled_twice', 'listed_twice'] then 'duplicate'
                when m.remarks && array['not_booked'] then 'missing_here'
                when m.remarks && array['not_listed'] then 'missing_at_toss'
                when m.remarks && array['amount', 'settled_amount', 'currency'] then 'amount_differs'
                when m.remarks && array['status'] then 'status_differs'
                when m.remarks && array['refund_not_settled'] then 'settled_but_refunded'
                when m.remarks && array['fee_rate', 'fee_sum', 'pay_out'] then 'fee_differs'
                when m.remarks && array['not_settled', 'paid_late'] then 'late'
                when m.remarks && array['not_due', 'list_not_read', 'settlements_not_read'] then 'expected'
                else 'matched' end,
           m.remarks
    from remarked m
$$;

-- What the last reconciliation of a day found. Rows that agree are not kept one by one: they are in the two tables above.
create table reconciled_days (
    day            date not null,
    rail           text not null,
    currency       text not null,
    class          text not null,
    rows           bigint not null,
    ours           numeric not null,
    toss           numeric not null,
    settled        numeric not null,
    discount       numeric not null,
    points         numeric not null,
    fee            numeric not null,
    fee_base       numeric not null,
    fee_instalment numeric not null,
    fee_other      numeric not null,
    supply         numeric not null,
    vat            numeric not null,
    pay_out        numeric not null,
    -- rows that are an estimate
    estimates      bigint not null,
    primary key (day, rail, currency, class)
);
create table reconciliations (
    day           date primary key,
    reconciled_at timestamptz not null
);

-- A row that does not agree, and what people make of it. Nothing here changes the books by itself.
create table differences (
    transaction_key text not null,
    nth             smallint not null,
    day             date not null,
    rail            text not null,
    payment_key     text not null,
    order_id        text not null,
    method          text,
    currency        text not null,
    transaction_at  timestamptz not null,
    class           text not null,
    remarks         text[] not null,
    ours            numeric not null,
    toss            numeric not null,
    settled         numeric not null,
    fee             numeric not null,
    fee_due         numeric,
    pay_out         numeric not null,
    due             date,
    -- open: to be worked. asked: one person accepts it, a second one has to. accepted: by people, with a reason.
    -- agreed: a later reconciliation found both sides to agree.
    state           text not null check (state in ('open', 'asked', 'accepted', 'agreed')),
    -- came to light when its day was closed already
    after_close     boolean not null default false,
    assignee        uuid references staff (id),
    reason          text,
    asked_by        uuid references staff (id),
    accepted_by     uuid references staff (id),
    found_at        timestamptz not null,
    changed_at      timestamptz not null,
    primary key (transaction_key, nth),
    check (accepted_by is null or accepted_by <> asked_by)
);
create index differences_to_work on differences (transaction_at desc, transaction_key desc) where state in ('open', 'asked');
create index differences_by_day on differences (day, class, transaction_at desc, transaction_key desc);

create table difference_steps (
    id              bigint generated always as identity primary key,
    transaction_key text not null,
    nth             smallint not null,
    at              timestamptz not null,
    actor           text not null,
    actor_name      text not null,
    kind            text not null,
    note            text,
    foreign key (transaction_key, nth) references differences (transaction_key, nth)
);
create index difference_steps_by_difference on difference_steps (transaction_key, nth, id);

-- A day that somebody has signed for: its rows as they were, and a hash over them.
create table closed_days (
    day            date primary key,
    closed_at      timestamptz not null,
    closed_by      uuid references staff (id),
    closed_by_name text not null,
    note           text,
    rows           bigint not null,
    sums           jsonb not null,
    hash           bytea not null
);
create table closed_rows (
    day             date not null references closed_days (day),
    transaction_key text not null,
    nth             smallint not null,
    rail            text not null,
    currency        text not null,
    class           text not null,
    ours            numeric not null,
    toss            numeric not null,
    settled         numeric not null,
    fee             numeric not null,
    vat             numeric not null,
    pay_out         numeric not null,
    primary key (day, transaction_key, nth)
);
-- What a closed day would have held besides, or otherwise, had it been known.
create table after_close (
    day             date not null references closed_days (day),
    transaction_key text not null,
    nth             smallint not null,
    rail            text not null,
    currency        text not null,
    class           text not null,
    ours            numeric not null,
    toss            numeric not null,
    settled         numeric not null,
    fee             numeric not null,
    vat             numeric not null,
    pay_out         numeric not null,
    found_at        timestamptz not null,
    primary key (day, transaction_key, nth)
);

create function closed_is_closed() returns trigger language plpgsql as $$
begin
    raise exception 'a closed day is not changed' using errcode = 'restrict_violation';
end $$;
create trigger closed_days_stay before update or delete on closed_days for each row execute function closed_is_closed();
create trigger closed_rows_stay before update or delete on closed_rows for each row execute function closed_is_closed();
create trigger closed_days_stay_whole before truncate on closed_days for each statement execute function closed_is_closed();
create trigger closed_rows_stay_whole before truncate on closed_rows for each statement execute function closed_is_closed();

-- What came to the bank, from its own statement.
create table bank_statements (
    id          uuid primary key,
    file_name   text not null,
    first_day   date not null,
    last_day    date not null,
    uploaded_at timestamptz not null,
    uploaded_by uuid references staff (id)
);
create table bank_lines (
    id        uuid primary key,
    statement_id uuid not null references bank_statements (id),
    day       date not null,
    currency  text not null default 'KRW',
    deposit   numeric not null check (deposit > 0),
    memo      text not null,
    is_toss   boolean not null,
    balance   numeric,
    -- the same line of an overlapping statement is the same line
    nth       smallint not null
);
create unique index bank_lines_once on bank_lines (day, deposit, memo, coalesce(balance, -1), nth);
create index bank_lines_by_day on bank_lines (day);
