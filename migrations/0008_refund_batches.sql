-- Many refunds at once: a file, line by line, each line at most one intent.

create table refund_batches (
    id               uuid primary key,
    file_name        text not null,
    -- sha256 of the file: the same one is recognised when it comes again
    file_hash        bytea not null,
    reason_code      text not null,
    reason           text not null check (length(reason) between 1 and 200),
    created_by       uuid references staff (id),
    created_by_name  text not null,
    created_at       timestamptz not null,
    state            text not null check (state in
        ('previewed', 'waiting_for_approval', 'declined', 'running', 'stopped', 'finished')),
    approval_because text,
    approved_by      uuid references staff (id),
    approved_by_name text,
    approved_at      timestamptz,
    finished_at      timestamptz,
    lines            integer not null,
    ready            integer not null,
    ready_amount     numeric not null,
    check (approved_by <> created_by),
    check (approval_because is null or approved_by_name is not null
        or state in ('previewed', 'waiting_for_approval', 'declined'))
);
create index refund_batches_by_time on refund_batches (created_at desc, id desc);
create index refund_batches_by_hash on refund_batches (file_hash);

create table refund_batch_lines (
    batch_id    uuid not null references refund_batches (id),
    -- as the file counts them, the head line included
    line        integer not null,
    order_id    text not null,
    amount_text text not null,
    amount      numeric,
    -- the balance that was previewed: on another one the line is not run
    balance     numeric,
    -- forgotten once it is not needed any more
    account     jsonb,
    -- ready: will be refunded. refused: cannot be, and why. taken: there is an intent, which says the rest.
    state       text not null check (state in ('ready', 'refused', 'taken')),
    why         jsonb,
    -- minted with the preview: running the line twice is one intent
    refund_id   uuid not null unique,
    primary key (batch_id, line)
);
create index refund_batch_lines_ready on refund_batch_lines (batch_id, line) where state = 'ready';
create index refund_batch_lines_by_order on refund_batch_lines (order_id);
