-- A document's signatures are judged, and judged again while something about them could not be found out: a row each.
-- Workers of the version before go on writing `reason` and `grounds` only; what they leave out has a default.

alter table verification
    drop constraint verification_pkey,
    add column verification   uuid not null default gen_random_uuid() primary key,
    add column judgement      integer not null default 1 check (judgement > 0),
    add column value          text not null default 'information' check (value in ('paper', 'information', 'refused')),
    add column vi             text not null default 'Chưa xét chữ ký số',
    add column en             text not null default 'The signatures have not been judged',
    add column held_until     timestamptz,
    add column judged_at      timestamptz not null default now(),
    add column judge_again_at timestamptz,
    add unique (document, judgement),
    add check (value <> 'paper' or verdict = 'valid'),
    add check (verdict <> 'invalid' or value = 'refused'),
    add check (held_until is null or (verdict = 'indeterminate' and value = 'information'));
comment on column verification.grounds is
    'every signature and file, the evidence by digest, and the rule that decided; held to by the digest of its entry';
comment on column verification.held_until is 'the document waits, at most until then; null when it does not';
comment on column verification.judge_again_at is 'null when this judgement is for good, or another one follows it';
create index verification_judge_again on verification (judge_again_at) where judge_again_at is not null;

grant update (judge_again_at) on verification to lienthong_signature_verify;

alter table notice drop constraint notice_kind_check,
    add check (kind in ('receipt', 'verified', 'refusal', 'delivered'));
