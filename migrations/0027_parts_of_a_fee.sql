-- The parts of a fee as Toss names them (toss-api.md A8): the discount on instalments and the saving of points had been
-- counted among instalments and the rest. `interest_fee` is told beside the fee, and is no part of it.

alter table settlements
    add column fee_instalment_discount numeric,
    add column fee_point_saving        numeric,
    add column interest_fee            numeric;
alter table reconciled_days
    add column fee_instalment_discount numeric not null default 0,
    add column fee_point_saving        numeric not null default 0,
    add column interest_fee            numeric not null default 0;

-- What Toss said is kept as it came.
update settlements s set
    fee_base = f.base, fee_instalment = f.instalment, fee_instalment_discount = f.discount, fee_point_saving = f.saving,
    fee_other = f.other, interest_fee = (r.raw ->> 'interestFee')::numeric
from source_rows r, lateral (
    select coalesce(sum(fee) filter (where type = 'BASE'), 0) as base,
           coalesce(sum(fee) filter (where type = 'INSTALLMENT'), 0) as instalment,
           coalesce(sum(fee) filter (where type = 'INSTALLMENT_DISCOUNT'), 0) as discount,
           coalesce(sum(fee) filter (where type = 'POINT_SAVING'), 0) as saving,
           coalesce(sum(fee) filter (where type not in ('BASE', 'INSTALLMENT', 'INSTALLMENT_DISCOUNT', 'POINT_SAVING')), 0) as other
    from jsonb_to_recordset(r.raw -> 'fees') as p (type text, fee numeric)) f
where r.source = 'settlements' and r.key = s.transaction_key and r.occurrence = s.occurrence
  and jsonb_typeof(r.raw -> 'fees') = 'array' and r.raw -> 'fees' <> '[]';
update settlements set fee_instalment_discount = 0, fee_point_saving = 0
where fee_base is not null and fee_instalment_discount is null;

-- The body is as it was (migration 19) but for these columns and one finding: that the parts do not add up.
drop function reconciled_rows(timestamptz, timestamptz, date, jsonb);
create function reconciled_rows(from_at timestamptz, to_at timestamptz, today date, expectations jsonb)
returns table (
    transaction_key text, occurrence smallint, day date, rail text, payment_key text, order_id text, method text, currency text,
    transaction_at timestamptz, status text,
    ours numeric, toss numeric, settled numeric, discount numeric, points numeric,
    fee numeric, fee_base numeric, fee_instalment numeric, fee_instalment_discount numeric,
    fee_point_saving numeric, fee_other numeric, interest_fee numeric, supply numeric, vat numeric, payout numeric,
    fee_due numeric, paid_out_date date, due date, is_estimate boolean, class text, findings text[],
    booked_currency text, settled_currency text
) language sql stable parallel safe as $$
    with rule as materialized (
        select * from jsonb_to_recordset(expectations) as r(
            day date, rail text, method text, currency text, due date, listed boolean, settles boolean,
            settlements_read boolean, agreed boolean, per_mille numeric, flat numeric, places integer)
    ), pair as (
        select t.transaction_key, 1::smallint as occurrence, t.rail, t.payment_key, t.order_id, t.method, t.currency, t.transaction_at,
               t.status, t.booked_amount, t.booked_currency, t.booked_status, t.listed_amount, t.listed_status, t.listed_times,
               t.discount, t.points, t.is_estimate,
               s.amount as settled, s.currency as settled_currency, s.fee, s.fee_base, s.fee_instalment, s.fee_instalment_discount,
               s.fee_point_saving, s.fee_other, s.interest_fee,
               s.supply_amount, s.vat, s.discount as settled_discount, s.points as settled_points, s.pay_out_amount, s.paid_out_date
        from transactions t
        left join settlements s on s.transaction_key = t.transaction_key and s.occurrence = 1 and s.gone_at is null
        where t.transaction_at >= from_at and t.transaction_at < to_at
        union all
        select s.transaction_key, s.occurrence, 'toss_payments', s.payment_key, s.order_id, s.method, s.currency, s.transaction_at,
               case when s.is_cancel then 'CANCELED' else 'DONE' end, null, null, null, null, null, 0,
               0, 0, false,
               s.amount, s.currency, s.fee, s.fee_base, s.fee_instalment, s.fee_instalment_discount,
               s.fee_point_saving, s.fee_other, s.interest_fee,
               s.supply_amount, s.vat, s.discount, s.points, s.pay_out_amount, s.paid_out_date
        from settlements s
        where s.transaction_at >= from_at and s.transaction_at < to_at and s.gone_at is null
          and (s.occurrence > 1 or not exists (select 1 from transactions t where t.transaction_key = s.transaction_key))
    ), sided as (
        select p.*, (p.transaction_at at time zone interval '9 hours')::date as day,
               p.status in ('CANCELED', 'PARTIAL_CANCELED', 'REFUND_SUCCESS', 'REFUNDED') as is_out,
               -- An issued account moves nothing, nor does the cancel of one that nobody paid into (toss-api.md A7), nor a
               -- deposit that the bank took back.
               case when p.status = 'WAITING_FOR_DEPOSIT' then false
                    when p.method is distinct from '가상계좌' or p.occurrence > 1 then true
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
    ), examined as (
        select g.*,
               -- Toss tells no figures of in-app purchases: 15 % to the store and 5 % to Toss (toss-api.md B6.1).
               case when g.rail = 'iap' then round(g.ours * 0.15) + round(g.ours * 0.05) end as store_fee,
               array_remove(array[
            case when g.occurrence > 1 then 'settled_twice' end,
            case when g.listed_times > 1 then 'listed_twice' end,
            case when g.occurrence = 1 and g.booked_amount is null then 'not_booked' end,
            case when g.occurrence = 1 and g.listed_amount is null and g.rail <> 'iap' then case when g.listed then 'not_listed' else 'list_not_read' end end,
            case when g.booked_currency <> g.currency or g.settled_currency <> g.currency then 'currency' end,
            case when g.booked_amount is not null and g.listed_amount is not null and abs(g.ours) <> abs(g.toss)
                  and coalesce(g.booked_currency, g.currency) = g.currency then 'amount' end,
            case when g.occurrence = 1 and g.settled is not null and g.booked_amount is not null
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
            case when g.occurrence = 1 and g.settled is not null and abs(coalesce(g.fee_base, g.fee) - g.fee_due) > power(10::numeric, -g.places)
                 then 'fee_rate' end,
            case when g.settled is not null and g.supply_amount + g.vat <> g.fee then 'fee_sum' end,
            case when g.settled is not null and g.fee_base + g.fee_instalment + g.fee_instalment_discount + g.fee_point_saving
                  + g.fee_other <> g.fee then 'fee_parts' end,
            case when g.settled is not null
                  and g.settled - g.settled_discount - g.settled_points - g.fee <> g.pay_out_amount then 'payout' end,
            case when g.agreed and g.paid_out_date > g.due then 'paid_late' end,
            case when g.rail = 'iap' and g.booked_amount = 0 then 'no_price' end,
            case when g.settled_currency = g.currency and g.fee_due is null then 'no_rate' end
        ], null) as findings
        from signed g
        offset 0
    )
    select m.transaction_key, m.occurrence, m.day, m.rail, m.payment_key, m.order_id, m.method, m.currency, m.transaction_at, m.status,
           m.ours, m.toss, coalesce(m.settled, 0),
           case when m.settled is not null then m.settled_discount when m.is_out then -m.discount else m.discount end,
           case when m.settled is not null then m.settled_points when m.is_out then -m.points else m.points end,
           coalesce(m.fee, m.store_fee, 0), m.fee_base, m.fee_instalment, m.fee_instalment_discount,
           m.fee_point_saving, m.fee_other, m.interest_fee,
           coalesce(m.supply_amount, m.fee, m.store_fee, 0), coalesce(m.vat, 0),
           coalesce(m.pay_out_amount, m.ours - m.store_fee, 0),
           m.fee_due, m.paid_out_date, m.due, m.is_estimate,
           case when m.findings && array['settled_twice', 'listed_twice'] then 'duplicate'
                when m.findings && array['not_booked'] then 'missing_here'
                when m.findings && array['not_listed'] then 'missing_at_toss'
                when m.findings && array['amount', 'settled_amount', 'currency'] then 'amount_differs'
                when m.findings && array['status'] then 'status_differs'
                when m.findings && array['refund_not_settled'] then 'settled_but_refunded'
                when m.findings && array['fee_rate', 'fee_sum', 'fee_parts', 'payout'] then 'fee_differs'
                when m.findings && array['not_settled', 'paid_late'] then 'late'
                when m.findings && array['not_due', 'list_not_read', 'settlements_not_read'] then 'expected'
                else 'matched' end,
           m.findings, nullif(m.booked_currency, m.currency), nullif(m.settled_currency, m.currency)
    from examined m
$$;
