-- The audit log without a lock: a row is written in the transaction of its change, and sealed into a Merkle tree (RFC 9162)
-- afterwards. The chain of before stays as it was; its end is the first thing that is sealed.

alter table audit rename to audit_chain;
alter index audit_pkey rename to audit_chain_pkey;
alter index audit_subject rename to audit_chain_subject;
alter index audit_actor rename to audit_chain_actor;
alter index audit_action rename to audit_chain_action;
alter trigger audit_append_only on audit_chain rename to audit_chain_append_only;

-- What is hashed is made of these columns: there is nothing beside them that could differ.
create table audit (
    seq          bigint generated always as identity primary key,
    at           timestamptz not null,
    -- staff:<id>, job:<name>, merchant-api or command-line
    actor        text not null,
    actor_name   text not null,
    role         text,
    ip           text,
    agent        text,
    factor       text,
    action       text not null,
    subject_kind text not null,
    subject      text not null,
    -- kept as it was written, to the last byte
    detail       json not null
);
create index audit_subject on audit (subject_kind, subject, seq desc);
create index audit_actor on audit (actor, seq desc);
create index audit_action on audit (action, seq desc);
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function audit_is_append_only();

-- Rows that nobody has sealed yet: written with the row, taken away by whoever seals it. Nothing is looked for by number or
-- time, so nothing is passed over when transactions end in another order than they began.
create table audit_unsealed (
    seq        bigint not null,
    written_at timestamptz not null default clock_timestamp()
);

-- Which row stands where in the tree.
create table audit_leaves (
    leaf bigint primary key,
    seq  bigint not null
);
create unique index audit_leaves_seq on audit_leaves (seq);
create trigger audit_leaves_append_only before update or delete or truncate on audit_leaves
    for each statement execute function audit_is_append_only();

-- Full tiles of 256 hashes (c2sp.org/tlog-tiles); the open ones stand in the head.
create table audit_tiles (
    level  smallint not null,
    n      bigint not null,
    hashes bytea not null check (length(hashes) = 8192),
    primary key (level, n)
);
create trigger audit_tiles_append_only before update or delete or truncate on audit_tiles
    for each statement execute function audit_is_append_only();

-- Where the tree ends: its open tiles, and its newest checkpoint (c2sp.org/tlog-checkpoint).
create table audit_head (
    is_one     boolean primary key default true check (is_one),
    size       bigint not null,
    open_tiles bytea[] not null,
    checkpoint text not null,
    sealed_at  timestamptz not null
);

-- One a minute at most: those that leave the house.
create table audit_checkpoints (
    size       bigint primary key,
    checkpoint text not null,
    made_at    timestamptz not null
);
create trigger audit_checkpoints_append_only before update or delete or truncate on audit_checkpoints
    for each statement execute function audit_is_append_only();

-- How far each place outside has been told.
create table audit_places (
    place         text primary key,
    size          bigint not null,
    tried_at       timestamptz,
    failing_since timestamptz,
    error         text
);

-- What the checks of the log have found.
create table audit_checks (
    at       timestamptz primary key,
    leaves   bigint not null,
    -- how many checkpoints from outside the log was held against
    outside  bigint not null,
    findings bigint not null,
    -- the first of them
    first    jsonb
);

-- How the log stands: what the last check found, whether rows wait for more than a minute, whom nothing reaches.
create view audit_state as
    select greatest(c.at, o.at) as checked_at, greatest(c.findings, o.findings, 0) as findings,
           case when o.findings > 0 then o.first else c.first end as first,
           exists (select from audit_unsealed where written_at < now() - interval '1 minute') as is_late,
           array(select place from audit_places where failing_since < now() - interval '10 minutes' order by place) as unreachable
    from (select) one
    left join lateral (select at, findings, first from audit_checks where outside = 0 order by at desc limit 1) c on true
    -- What only a checkpoint from outside could tell stays until another check with one says otherwise.
    left join lateral (select at, findings, first from audit_checks where outside > 0 order by at desc limit 1) o on true;

-- What people read: the chain, and what follows it.
create view audit_rows as
    select seq, at, actor, actor_name, entry::json ->> 'role' as role, entry::json ->> 'ip' as ip, null::text as agent,
           null::text as factor, action, subject_kind, subject, coalesce(entry::json -> 'detail', 'null') as detail
    from audit_chain
    union all
    select seq, at, actor, actor_name, role, ip, agent, factor, action, subject_kind, subject, detail
    from audit;

-- The numbers go on where the chain ends.
select setval(pg_get_serial_sequence('audit', 'seq'), max(seq)) from audit_chain having max(seq) is not null;
with ends as (
    insert into audit (at, actor, actor_name, action, subject_kind, subject, detail)
    select now(), 'job:audit', 'audit', 'audit.chain_ended', 'audit', seq::text,
           json_build_object('rows', seq, 'head', encode(hash, 'hex'))
    from audit_chain order by seq desc limit 1
    returning seq
)
insert into audit_unsealed (seq) select seq from ends;
