-- Where the money of a deposited virtual account goes back to, and whose account that is.

-- One row: the key of the keyed hashes, itself sealed with a key that the database never sees.
create table data_keys (
    one       boolean primary key default true check (one),
    index_key text not null,
    -- nothing that a version before has kept is left in the clear
    sealed_at timestamptz
);

-- Sealed from here on. What was kept in the clear before is sealed when the program starts (kept as its JSON until then).
alter table payments alter column refund_receive_account type text using refund_receive_account::text;
alter table refunds alter column refund_account type text using refund_account::text;
alter table refund_batch_lines alter column account type text using account::text;

alter table refunds
    -- bank and last digits, for people; the keyed hash finds other refunds to the same account. Both are kept for good
    add column account_masked text,
    add column account_hash   text,
    -- whose account it is: own (the one the buyer left), same_holder, other_account, other_holder or unknown_buyer
    add column account_check  text;
create index refunds_by_account on refunds (account_hash) where account_hash is not null;

alter table refund_batch_lines
    add column account_masked text,
    add column account_hash   text,
    add column account_check  text;

-- Nothing goes to an account that may not be the buyer's on one person's word.
alter table refunds add constraint refunds_account_seen_by_two
    check (account_check is null or account_check in ('own', 'same_holder') or approval_reason is not null);
