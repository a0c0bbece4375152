-- The list of refunds holds all money that went back, also what was not asked for here: read from the books of transactions.
create index transactions_outgoing on transactions (transaction_at desc, transaction_key collate "C" desc)
    where status in ('CANCELED', 'PARTIAL_CANCELED', 'REFUND_SUCCESS', 'REFUNDED');
