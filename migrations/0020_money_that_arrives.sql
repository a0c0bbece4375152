-- A refund is done when the buyer has the money. After Toss has taken a refund of a deposited virtual account, a bank pays
-- it out two business days later, or gives it back (virtualAccount.refundStatus).

alter table payments
    -- NONE, PENDING, COMPLETED, FAILED or PARTIAL_FAILED, as Toss said last
    add column refund_status text,
    -- it has changed, and its refunds do not know yet
    add column bank_news     boolean not null default false;
create index payments_bank_news on payments (payment_key) where bank_news;

alter table refunds
    -- what Toss promises of this method at the moment of the request
    add column arrival       text,
    -- where the money is since Toss took the refund; nothing where no money goes back (an account nobody paid into)
    add column stage         text check (stage in ('accepted', 'at_the_bank', 'arrived', 'partly_arrived', 'returned')),
    add column stage_at      timestamptz,
    -- the person who said so, where it was one, and their words
    add column stage_by_name text,
    add column stage_note    text,
    -- an answer to an earlier question says nothing of it (migration 3)
    add column stage_seq     bigint not null default 0,
    -- days in Korea: by when the buyer has it, and until when a bank may take its time
    add column expected_on   date,
    add column bank_due_on   date,
    -- when Toss is asked about it next
    add column look_at       timestamptz;

update payments set refund_status = raw #>> '{virtualAccount,refundStatus}'
where rail = 'toss_payments' and coalesce(raw #>> '{virtualAccount,refundStatus}', 'NONE') <> 'NONE';

update refunds r set arrival = case
        when p.rail = 'toss_pay' then case p.method when 'TOSS_MONEY' then 'at_once' else 'card_three_to_four_days' end
        when p.method = '가상계좌' and p.approved_at is null then 'nothing_to_return'
        when p.method = '가상계좌' then 'two_business_days'
        when p.method = '계좌이체' then 'at_once'
        when p.method = '휴대폰' or p.method like '%문화상품권' then 'same_day'
        when p.method = '해외간편결제' and r.amount = p.total_amount then 'five_business_days'
        when p.method = '해외간편결제' then 'up_to_thirty_days'
        when p.method = '간편결제' and jsonb_typeof(p.raw -> 'card') is distinct from 'object' then 'at_once'
        else 'card_three_to_four_days' end
from payments p where p.payment_key = r.payment_key;
-- The default is for processes of the version before that still run.
alter table refunds alter column arrival set not null, alter column arrival set default 'card_three_to_four_days';

update refunds r set stage_at = r.settled_at,
    stage = case when r.arrival <> 'two_business_days' then 'accepted' else case p.refund_status
        when 'COMPLETED' then 'arrived' when 'FAILED' then 'returned' when 'PARTIAL_FAILED' then 'partly_arrived'
        else 'at_the_bank' end end
from payments p
where p.payment_key = r.payment_key and r.state = 'succeeded' and r.arrival <> 'nothing_to_return';
-- Of what a bank has had for longer than it may, and Toss has told nothing, nobody will hear any more.
update refunds set stage = 'accepted' where stage = 'at_the_bank' and stage_at < now() - interval '30 days';
update refunds set look_at = greatest(stage_at, now()) + random() * interval '8 hours',
    bank_due_on = (stage_at at time zone 'Asia/Seoul')::date + 14
where stage in ('at_the_bank', 'partly_arrived', 'returned');
alter table refunds
    add constraint refunds_stage_after_success check (stage is null or state = 'succeeded'),
    add constraint refunds_bank_is_asked check
        ((look_at is not null) = coalesce(stage in ('at_the_bank', 'partly_arrived', 'returned'), false));

create index refunds_by_stage on refunds (stage, requested_at desc, id desc) where stage is not null;
create index refunds_not_arrived on refunds (look_at) where look_at is not null;
