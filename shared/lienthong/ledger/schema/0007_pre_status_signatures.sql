-- A status's signature is judged when the status is recorded; an invalid one refuses it, so that it never stands here.
-- Workers of the version before judge none and leave all of this null.

alter table status
    add column verdict  text check (verdict in ('valid', 'indeterminate', 'unsigned')),
    add column signer   text,
    add column reason   text,
    add column vi       text,
    add column en       text,
    add column evidence jsonb,
    add check (num_nulls(verdict, reason, vi, en, evidence) in (0, 5)),
    add check (verdict <> 'unsigned' or (signer is null and evidence = '[]'));
comment on column status.verdict is 'on the signature of the status; null when it was not judged';
comment on column status.signer is 'the name in the certificate of whoever signed the status';
comment on column status.evidence is 'what the verdict rests on, by digest; the bytes are in the payload store';
