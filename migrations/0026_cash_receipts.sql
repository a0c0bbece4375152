-- Cash receipts (현금영수증): those that buyers asked for with their payment, those that are asked for here, and what Toss's
-- list of the day has of them.

create table cash_receipts (
    id                uuid primary key,
    order_id          text not null,
    -- here: asked for by us. payment: with the payment, by the buyer. toss: seen in Toss's list first.
    origin            text not null check (origin in ('here', 'payment', 'toss')),
    transaction_type  text not null check (transaction_type in ('CONFIRM', 'CANCEL')),
    -- what a cancel takes back from
    confirm_id        uuid references cash_receipts (id),
    retry_of          uuid unique references cash_receipts (id),
    -- 소득공제 or 지출증빙
    type              text not null,
    amount            numeric not null check (amount > 0),
    tax_free_amount   numeric not null default 0 check (tax_free_amount between 0 and amount),
    -- unknown: sent, and no answer came
    state             text not null check (state in ('requested', 'unknown', 'in_progress', 'completed', 'failed')),
    -- Toss's word for why not
    failure_code      text,
    -- sealed, and gone once the receipt is there
    identity_number   text,
    identity_masked   text,
    receipt_key       text unique,
    issue_number      text,
    receipt_url       text,
    requested_by_name text,
    requested_at      timestamptz not null,
    settled_at        timestamptz,
    -- what Toss's list had of it when it was last read
    listed_amount     numeric,
    listed_at         timestamptz,
    check (receipt_key is not null or state in ('requested', 'unknown', 'failed'))
);
create index cash_receipts_by_order on cash_receipts (order_id, requested_at);
create index cash_receipts_by_time on cash_receipts (requested_at, id);
create index cash_receipts_open on cash_receipts (requested_at) where state in ('requested', 'unknown', 'in_progress');

create index cash_receipts_failed on cash_receipts (requested_at) where state = 'failed' and origin = 'here';

-- What somebody still has to see to: nobody has asked again, and nothing of its kind came after it.
create view failed_cash_receipts as
select r.* from cash_receipts r
where r.state = 'failed' and r.origin = 'here'
  and not exists (select 1 from cash_receipts l
                  where l.order_id = r.order_id and l.transaction_type = r.transaction_type
                    and (l.retry_of = r.id or (l.requested_at > r.requested_at and l.state in ('completed', 'in_progress'))));

-- Orders whose money changed while a receipt of ours stood: more may be receipted than is left.
create table cash_receipt_checks (
    order_id text primary key
);

-- A day counts as read only when Toss's list of it was read to its end.
create table cash_receipt_days (
    day     date primary key,
    read_at timestamptz not null
);
