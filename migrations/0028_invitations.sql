-- An account begins with a link: whoever has it chooses the password.

-- nothing: invited, and not here yet
alter table staff alter column password_hash drop not null;

create table staff_invitations (
    -- sha256 of what the link carries: who reads this table cannot become anybody
    token_hash bytea primary key,
    staff_id   uuid not null references staff (id) on delete cascade,
    made_at    timestamptz not null,
    expires_at timestamptz not null,
    ended_at   timestamptz,
    -- withdrawn: another link was made, or the account was disabled
    ended      text check (ended in ('used', 'withdrawn')),
    check ((ended_at is null) = (ended is null))
);
create unique index staff_invitations_open on staff_invitations (staff_id) where ended_at is null;
