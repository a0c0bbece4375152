-- Security events leave the house, for whoever watches many houses. Read in the order in which transactions ended: none is
-- passed over that began earlier and took longer.

alter table security_events add column xact xid8 not null default pg_current_xact_id();
create index security_events_xact on security_events (xact, id);

create table security_places (
    place         text primary key,
    -- everything up to here was taken
    xact          xid8 not null,
    id            bigint not null,
    tried_at      timestamptz,
    failing_since timestamptz,
    error         text
);
