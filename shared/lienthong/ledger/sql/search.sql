-- Documents found by what is known of them.

-- name: find_documents
-- A line that ends in a name is left out by `lienthong.ledger.search` when that is not asked for: a condition that may be
-- there or not would keep PostgreSQL from using its indexes.
select d.document
from document d
where true
  and d.words @@ $2::text::tsquery -- words
  and d.document in (select a.document from attachment a where searched(a.name) @@ $3::text::tsquery) -- attachment
  and d.sender = any ($4::text[]) -- sender
  and d.document in (select v.document from delivery v where v.addressee = any ($5::text[])) -- receiver
  and exists (select from queued_delivery v where v.document = d.document and v.state = $6) -- delivery_state
  and exists (select from document_state s where s.document = d.document and s.state = $7) -- document_state
  and d.document_id = $8 -- document_id
  and d.priority = $9 -- priority
  and d.promulgated_on >= $10 -- issued_from
  and d.promulgated_on <= $11 -- issued_to
  and d.due_on <= $12 -- due_to
  and d.recorded_at >= $13 -- received_from
  and d.recorded_at < $14 -- received_before
  and (d.recorded_at, d.document) < ((select l.recorded_at from document l where l.document = $15), $15) -- after
order by d.recorded_at desc, d.document desc
limit $1

-- name: agencies_named
-- $1: a code as it may be written; $2: words of a name.
select agency as code from agency_code where code = $1
union
select code from agency where code = $1 or searched(name) @@ $2::text::tsquery

-- name: found_documents
select d.document, d.document_id, d.sender, a.name as sender_name, d.code, d.promulgated_on, d.type_name, d.subject,
       d.signer_name, d.signer_position, d.priority, d.due_on, d.submitted_at, d.recorded_at as received_at, d.size,
       d.test, d.sha256, s.state,
       array(select t.name from attachment t where t.document = d.document order by t.ordinal) as attachments,
       coalesce((select jsonb_agg(jsonb_build_object('agency', v.addressee, 'name', r.name, 'state', v.state,
                                                     'changed_at', v.changed_at) order by v.addressee)
                 from queued_delivery v join agency r on r.code = v.addressee
                 where v.document = d.document), '[]') as receivers
from unnest($1::uuid[]) with ordinality as page (document, place)
join document d using (document)
join agency a on a.code = d.sender
join document_state s using (document)
order by page.place

-- name: documents_called
-- $1, $2: between which ids of the exchange's; $3: the sender's, and as words, by which it is found.
select document from document where document between $1 and $2
union
select document from document where words @@ $4::text::tsquery and document_id = $3
limit 20
