-- Made-up trade whose every figure is right: transactions on both sides, and their settlements.
-- {rows} payments over the {days} days from {first}; every seventh is cancelled, half of those in part, some of them days later.
-- {pay_days} is (day, paid_out_date) of every day that may occur.
with pay_day as (
    select * from {pay_days} as p (day, paid_out)
), payment as (
    select n, 'pay' || n as payment_key, 'ord' || n as order_id,
           case when n % 997 = 0 then '카드'
                else (array['카드', '카드', '카드', '카드', '카드', '간편결제', '간편결제', '계좌이체', '가상계좌', '휴대폰'])[1 + n % 10]
           end as method,
           case when n % 997 = 0 then 'USD' else 'KRW' end as currency,
           case when n % 997 = 0 then 100.25 + n % 50 else 1000 + (n % 90 * 7919 % 90) * 1000 + n % 10 end::numeric as amount,
           timestamptz '{first} 00:00:00+09' + ((n - 1)::numeric / {rows} * {days} * 86400)::integer * interval '1 second' as at
    from generate_series(1, {rows}) as n
), movement as (
    select 'tx' || n as transaction_key, payment_key, order_id, method, currency, 'DONE' as status, amount, at from payment
    union all
    select 'tx' || n || 'c', payment_key, order_id, method, currency,
           case when n % 2 = 0 then 'CANCELED' else 'PARTIAL_CANCELED' end,
           case when n % 2 = 0 then amount else trunc(amount / 2) end,
           least(at + (n % 5) * interval '20 hours' + interval '3 minutes', timestamptz '{first} 23:59:59+09' + ({days} - 1) * interval '1 day')
    from payment where n % 7 = 0
), issued as (
    select 'tx' || n || 'i' as transaction_key, payment_key, order_id, method, currency, 'WAITING_FOR_DEPOSIT' as status,
           0::numeric as amount, at - interval '1 second' as at
    from payment where method = '가상계좌' and n > 100
), taken as (
    insert into transactions (transaction_key, payment_key, order_id, method, status, currency, amount, transaction_at,
                              booked_amount, booked_currency, booked_status, listed_amount, listed_status, listed_times, listed_at)
    select transaction_key, payment_key, order_id, method, status, currency, amount, at, amount, currency, status, amount, status, 1, at
    from (select * from movement union all select * from issued) m
), reckoned as (
    select m.*, case when status = 'DONE' then amount else -amount end as signed,
           (at at time zone interval '9 hours')::date as day,
           case method when '가상계좌' then 0 when '계좌이체' then 18 when '휴대폰' then 35 else 31 end as per_mille
    from movement m
), priced as (
    select r.*, case when method = '가상계좌' and signed > 0 then 300
                     else round(signed * per_mille / 1000, case when currency = 'KRW' then 0 else 2 end) end as fee
    from reckoned r
), split as (
    select p.*, round(fee / 1.1, case when currency = 'KRW' then 0 else 2 end) as supply from priced p
)
insert into settlements (transaction_key, occurrence, payment_key, order_id, method, currency, amount, fee, fee_base, fee_instalment,
                         fee_instalment_discount, fee_point_saving, fee_other, supply_amount, vat, pay_out_amount, is_cancel, transaction_at, sold_date, paid_out_date, read_at)
select transaction_key, 1, payment_key, order_id, method, currency, signed, fee, fee, 0, 0, 0, 0, supply, fee - supply, signed - fee,
       status <> 'DONE', at, s.day, p.paid_out, at
from split s join pay_day p on p.day = s.day
where p.paid_out <= '{until}'
