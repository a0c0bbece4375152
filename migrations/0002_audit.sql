-- Who changed what. A hash chain: each row carries the hash of the one before it.

create table audit (
    seq          bigint primary key,
    at           timestamptz not null,
    -- staff:<id>, job:<name>, merchant-api or command-line
    actor        text not null,
    actor_name   text not null,
    action       text not null,
    subject_kind text not null,
    subject      text not null,
    -- the very bytes that were hashed; the columns above repeat it for searching
    entry        text not null,
    prev_hash    bytea not null check (length(prev_hash) = 32),
    hash         bytea not null check (length(hash) = 32)
);
create index audit_subject on audit (subject_kind, subject, seq desc);
create index audit_actor on audit (actor, seq desc);
create index audit_action on audit (action, seq desc);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end
$$;
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function audit_is_append_only();
