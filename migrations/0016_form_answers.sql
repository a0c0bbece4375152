-- What a form's answer leaves for the page that it goes back to: what was typed, and what is wrong with it. It belongs to
-- that page of that session: two tabs of one person never show the answers of each other's orders.

create table form_answers (
    id           bigint generated always as identity primary key,
    session_hash bytea not null references staff_sessions (id_hash) on delete cascade,
    -- without the base, decoded
    path         text not null,
    answer       jsonb not null,
    left_at      timestamptz not null default clock_timestamp()
);
create index form_answers_page on form_answers (session_hash, path, id);
create index form_answers_left on form_answers (left_at);
