-- Standard words for private ones. Only names and a few stored words change; no row is added or
-- dropped. Processes of the version before cannot work on a renamed table: stop them first, then migrate, then start.
--
-- What stays as it was, on purpose: the audit log (its rows are chained), `closed_days.sums` (a closed day is never
-- written again; the key "payOut" in it stays), the identifiers and cron names of jobs (graphile_worker keeps them with
-- the jobs that wait), and `settlements.pay_out_amount`, which is Toss's own name (payOutAmount).

-- 1. Fetches of a payment are numbered.
alter sequence asked rename to fetch_seq;
alter table payments rename column asked to fetch_seq;

-- 2. What Toss said, as it said it.
alter table told rename to event_snapshots;
alter table event_snapshots rename constraint told_pkey to event_snapshots_pkey;
alter table told_rows rename to source_rows;
alter table source_rows rename constraint told_rows_pkey to source_rows_pkey;
alter table source_rows rename constraint told_rows_source_check to source_rows_source_check;
alter table read_windows rename to sync_windows;
alter table sync_windows rename constraint read_windows_pkey to sync_windows_pkey;
alter table sync_windows rename constraint read_windows_source_check to sync_windows_source_check;

-- 3. Which of several rows with one key.
alter table source_rows rename column nth to occurrence;
alter table settlements rename column nth to occurrence;
alter table settlements rename constraint settlements_nth_check to settlements_occurrence_check;
alter table differences rename column nth to occurrence;
alter table difference_steps rename column nth to occurrence;
alter table difference_steps
    rename constraint difference_steps_transaction_key_nth_fkey to difference_steps_transaction_key_occurrence_fkey;
alter table closed_rows rename column nth to occurrence;
alter table after_close rename column nth to occurrence;
alter table bank_lines rename column nth to occurrence;
-- The parts of a file are numbered from 0: another thing.
alter table export_parts rename column nth to part;

-- 4. What Toss pays out.
alter table contract_rates rename column pay_out_days to payout_days;
alter table contract_rates rename constraint contract_rates_pay_out_days_check to contract_rates_payout_days_check;
alter table reconciled_days rename column pay_out to payout;
alter table differences rename column pay_out to payout;
alter table closed_rows rename column pay_out to payout;
alter table after_close rename column pay_out to payout;
alter index settlements_by_pay_out rename to settlements_by_paid_out_date;

-- 5. Why a row is what it is.
alter table differences rename column remarks to findings;
update differences set findings = array_replace(findings, 'pay_out', 'payout') where findings @> array['pay_out'];

-- 6. How far a difference is.
alter table differences drop constraint differences_state_check;
drop index differences_to_work;
update differences set state = case state when 'asked' then 'pending_approval' else 'resolved' end
    where state in ('asked', 'agreed');
alter table differences add constraint differences_state_check
    check (state in ('open', 'pending_approval', 'accepted', 'resolved'));
create index differences_to_work on differences (transaction_at desc, transaction_key desc)
    where state in ('open', 'pending_approval');
update difference_steps set kind = case kind when 'asked' then 'approval_requested' else 'resolved' end
    where kind in ('asked', 'agreed');

-- 7. Why a second person is asked.
alter table refunds rename column approval_because to approval_reason;
alter table refund_batches rename column approval_because to approval_reason;

-- 8. Files that are still to be written name lists, columns and words.
alter table exports rename column heads to headers;
update exports set what = jsonb_set(what, '{list}', to_jsonb(replace(what ->> 'list', 'pay_out', 'payout')))
    where what ->> 'list' in ('pay_out', 'pay_outs');
update exports set what = jsonb_set(what, '{filter,state}',
                                    to_jsonb(case what #>> '{filter,state}' when 'asked' then 'pending_approval' else 'resolved' end))
    where what ->> 'list' = 'differences' and what #>> '{filter,state}' in ('asked', 'agreed');
update exports set words = (
    select jsonb_object_agg(case key when 'pay_out' then 'payout' when 'asked' then 'pending_approval'
                                     when 'agreed' then 'resolved' else key end, value)
    from jsonb_each(words))
    where words ?| array['pay_out', 'asked', 'agreed'];

-- 9. The one place where a row gets its class (migration 14). `expectations` says for each day, rail, method and currency
-- what may be expected by `today`: Toss's list is read (listed), the rail is settled (settles), when (due), whether all of
-- its settlements up to then are read (settlements_read), and the fee. The body is as it was but for names: its parameter
-- and its columns can only be named anew by making it anew.
drop function reconciled_rows(timestamptz, timestamptz, date, jsonb);
create function reconciled_rows(from_at timestamptz, to_at timestamptz, today date, expectations jsonb)
returns table (
    transaction_key text, occurrence smallint, day date, rail text, payment_key text, order_id text, method text, currency text,
    transaction_at timestamptz, status text,
    ours numeric, toss numeric, settled numeric, discount numeric, points numeric,
    fee numeric, fee_base numeric, fee_instalment numeric, fee_other numeric, supply numeric, vat numeric, payout numeric,
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
               s.amount as settled, s.currency as settled_currency, s.fee, s.fee_base, s.fee_instalment, s.fee_other,
               s.supply_amount, s.vat, s.discount as settled_discount, s.points as settled_points, s.pay_out_amount, s.paid_out_date
        from transactions t
        left join settlements s on s.transaction_key = t.transaction_key and s.occurrence = 1 and s.gone_at is null
        where t.transaction_at >= from_at and t.transaction_at < to_at
        union all
        select s.transaction_key, s.occurrence, 'toss_payments', s.payment_key, s.order_id, s.method, s.currency, s.transaction_at,
               case when s.is_cancel then 'CANCELED' else 'DONE' end, null, null, null, null, null, 0,
               0, 0, false,
               s.amount, s.currency, s.fee, s.fee_base, s.fee_instalment, s.fee_other,
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
           coalesce(m.fee, m.store_fee, 0), m.fee_base, m.fee_instalment, m.fee_other,
           coalesce(m.supply_amount, m.fee, m.store_fee, 0), coalesce(m.vat, 0),
           coalesce(m.pay_out_amount, m.ours - m.store_fee, 0),
           m.fee_due, m.paid_out_date, m.due, m.is_estimate,
           case when m.findings && array['settled_twice', 'listed_twice'] then 'duplicate'
                when m.findings && array['not_booked'] then 'missing_here'
                when m.findings && array['not_listed'] then 'missing_at_toss'
                when m.findings && array['amount', 'settled_amount', 'currency'] then 'amount_differs'
                when m.findings && array['status'] then 'status_differs'
                when m.findings && array['refund_not_settled'] then 'settled_but_refunded'
                when m.findings && array['fee_rate', 'fee_sum', 'payout'] then 'fee_differs'
                when m.findings && array['not_settled', 'paid_late'] then 'late'
                when m.findings && array['not_due', 'list_not_read', 'settlements_not_read'] then 'expected'
                else 'matched' end,
           m.findings, nullif(m.booked_currency, m.currency), nullif(m.settled_currency, m.currency)
    from examined m
$$;


-- 10. Who asked for what, and why a return ended.
alter table differences rename column asked_by to requested_by;
alter table exports rename column asked_by to requested_by;
alter table exports rename column asked_by_name to requested_by_name;
alter table exports rename column asked_at to requested_at;
alter table returns rename column closed_because to closed_reason;
update difference_steps set kind = 'unassigned' where kind = 'given_back';
