-- Withdrawals, updates and replacements act on what was delivered before. States and roles are those of
-- document/life_cycle.py. What was only carried before this migration stays a document like any other.
-- A status-tracker of the version before cannot answer a request of the new kind: the checks make it fail loudly, and
-- the status is a dead letter that the new one takes up.

-- A document may have several withdrawals and updates under its own DocumentId; those are told apart by content.
alter table document
    drop constraint document_sender_document_id_business_key,
    add column acts jsonb;
create unique index document_sender_document_id_business_key on document (sender, document_id, business)
    where business in (0, 3);
create index document_named on document (sender, document_id);
comment on column document.acts is 'what it does to an earlier document; null when it is new';

alter table delivery
    drop constraint delivery_state_check,
    add constraint delivery_state_check check (state in
        ('parked', 'delivered', 'arrived', 'accepted', 'assigned', 'processing', 'finished', 'refused', 'withdrawn',
         'replaced', 'agreed', 'declined', 'lapsed')),
    add column role text not null default 'document' check (role in ('document', 'update', 'withdraw')),
    add column root uuid references document,
    add column request uuid references document,
    add column version uuid references document,
    add column chain uuid not null generated always as (coalesce(root, document)) stored,
    add constraint delivery_request_state_check check (role = 'document' or state in
        ('parked', 'delivered', 'arrived', 'agreed', 'declined', 'lapsed')),
    add constraint delivery_document_state_check check (role <> 'document' or state not in
        ('agreed', 'declined', 'lapsed')),
    add constraint delivery_request_check check (request is null or (role = 'document' and state in
        ('parked', 'delivered', 'arrived', 'accepted', 'assigned', 'processing', 'finished')));
create index delivery_chain on delivery (chain);
comment on column delivery.root is 'the document that it withdraws, updates, or is a version of; null for itself';
comment on column delivery.request is 'the withdrawal or update that this receiver has not answered';
comment on column delivery.version is 'the update whose content is in force here; null for its own';

create table action (
    document    uuid not null references document,
    addressee   text not null references agency,
    earlier     uuid not null references document,
    kind        text not null check (kind in ('withdraw', 'update', 'remove', 'add', 'replace')),
    outcome     text not null check (outcome in ('pending', 'agreed', 'declined', 'lapsed', 'done')),
    status      uuid,
    recorded_at timestamptz not null default now(),
    settled_at  timestamptz,
    primary key (document, addressee, earlier),
    check ((outcome = 'pending') = (settled_at is null))
);
comment on table action is 'what a document does to an earlier one at one addressee, and what came of it';
comment on column action.status is 'the answer that settled it; null when nobody was asked or none came';
create index action_earlier on action (earlier, addressee);

alter table status add column skipped text[] not null default '{}';
comment on column status.skipped is 'codes of the natural order before it that were left out';

create view delivery_version as
select chain, addressee, content, in_force_at,
       row_number() over (partition by chain, addressee order by in_force_at, content) as version
from (
    select chain, addressee, document as content, recorded_at as in_force_at from delivery where role = 'document'
    union all
    select v.chain, a.addressee, a.document, a.settled_at
    from action a join delivery v on v.document = a.earlier and v.addressee = a.addressee
    where a.kind = 'update' and a.outcome = 'agreed'
) as contents;
comment on view delivery_version is 'which content was in force at an addressee from when on; the highest version is now';

create view delivery_feedback as
select d.document, d.addressee, d.state,
       coalesce(array_agg(distinct s.code) filter (where s.code is not null), '{}') as codes,
       coalesce(array_agg(distinct c.office) filter (where c.office is not null), '{}') as offices,
       array(select w.code from unnest(array['01', '03', '04', '05', '06']) as w (code)
             where w.code < max(s.code) filter (where s.code in ('03', '04', '05', '06'))
               and w.code <> all (array_agg(s.code)) order by 1) as skipped
from delivery d
left join status s on s.document = d.document and s.addressee = d.addressee and s.outcome = 'applied'
left join status_code c using (code)
where d.role = 'document'
group by d.document, d.addressee, d.state;
comment on view delivery_feedback is
    'which statuses came for a delivery, of which offices, and which the receiver left out before the furthest';

create view document_state as
select d.document,
       case
           when r.outcome = 'refused' or exists (
               select from refusal f where f.about = 'document' and f.user_name = d.user_name
               and f.message_id = d.message_id and f.sha256 = d.sha256) then 'stopped'
           when r.forwarded_at is not null then 'delivered'
           when latest.held_until is not null then 'held'
           when latest.document is not null then 'verified'
           else 'received'
       end as state
from document d
left join routing r using (document)
left join lateral (
    select v.document, v.held_until from verification v where v.document = d.document
    order by v.judgement desc limit 1
) as latest on true;
comment on view document_state is 'how far the exchange is with a document';

grant select on delivery_version, delivery_feedback, document_state to lienthong_reader, lienthong_operator;
grant select on action to lienthong_router, lienthong_status_tracker, lienthong_reader, lienthong_operator;
grant insert, update (outcome, status, settled_at) on action to lienthong_router;
grant update (state, take_back, request, version, changed_at) on delivery to lienthong_router;
grant update (outcome, status, settled_at) on action to lienthong_status_tracker;
grant update (request, version) on delivery to lienthong_status_tracker;
