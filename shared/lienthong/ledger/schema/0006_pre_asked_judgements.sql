-- A document that was asked to be judged again is not asked for once more before that is done: an outage must not fill
-- the queue faster than it is worked off.

alter table verification add column asked_at timestamptz;
comment on column verification.asked_at is 'since when another judgement has been asked for that is not made yet';
create index verification_asked on verification (asked_at) where asked_at is not null;

grant update (asked_at) on verification to lienthong_signature_verify;
