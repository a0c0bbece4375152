-- A sale in won that Toss settles in dollars has three amounts of which two are in won: they are never compared or added
-- across. `booked_currency` and `settled_currency` are set where they are not the row's own.

drop function reconciled_rows(timestamptz, timestamptz, date, jsonb);
create function reconciled_rows(from_at timestamptz, to_at timestamptz, today date, plan jsonb)
returns table (
    transaction_key text, nth smallint, day date, rail text, payment_key text, order_id text, method text, currency text,
    transaction_at timestamptz, status text,
    ours numeric, toss numeric, settled numeric, discount numeric, points numeric,
    fee numeric, fee_base numeric, fee_instalment numeric, fee_other numeric, supply numeric, vat numeric, pay_out numeric,
    fee_due numeric, paid_out_date date, due date, is_estimate boolean, class text, remarks text[],
    booked_currency text, settled_currency text
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
               -- The contract's rate is for a sale in this currency: nothing can be said of one that is settled in another.
               case when x.settled_currency = x.currency
                    then round(x.settled * coalesce(r.per_mille, f.per_mille) / 1000, coalesce(r.places, f.places, 2))
                         + case when x.settled > 0 then coalesce(r.flat, f.flat) else 0 end end as fee_due
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
            case when g.booked_amount is not null and g.listed_amount is not null and abs(g.ours) <> abs(g.toss)
                  and coalesce(g.booked_currency, g.currency) = g.currency then 'amount' end,
            case when g.nth = 1 and g.settled is not null and g.booked_amount is not null
                  and g.settled_currency = case when g.listed_amount is null then coalesce(g.booked_currency, g.currency) else g.currency end
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
            case when g.settled_currency = g.currency and g.fee_due is null then 'no_rate' end
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
           m.remarks, nullif(m.booked_currency, m.currency), nullif(m.settled_currency, m.currency)
    from remarked m
$$;

alter table differences add column booked_currency text, add column settled_currency text;
alter table closed_rows add column booked_currency text, add column settled_currency text;
alter table after_close add column booked_currency text, add column settled_currency text;
