-- When the movement was booked, counted like questions to Toss are. An answer without it to a question with a smaller number is
-- from before Toss had moved it, however late it came.
alter table transactions add column booked_seq bigint;
