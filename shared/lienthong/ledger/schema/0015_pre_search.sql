-- Documents are found again by whatever Art. 10.2 of Decision 28/2018/QĐ-TTg lists, with or without the accents of
-- Vietnamese. Workers of the version before leave out who signed: those documents are not found by that.

alter table document
    add column signer_name     text,
    add column signer_position text;
comment on column document.signer_name is 'who signed it on paper (edXML SignerInfo/FullName)';
comment on column document.signer_position is 'under which authority and in which office: "TM. Chủ tịch"';

-- Accents are taken off here and not by the extension `unaccent`, which is not immutable: no index may rest on it.
-- Texts are cut off, because a stranger decides how long they are, and a tsvector holds a megabyte at most.
create function searched(written text) returns tsvector language sql immutable parallel safe
return to_tsvector('pg_catalog.simple'::regconfig, regexp_replace(
    lower(translate(
        regexp_replace(normalize(left(coalesce(written, ''), 2000), NFKD), '[\u0300-\u036f]', '', 'g'), 'đĐ', 'dd')),
    '[^a-z0-9]+', ' ', 'g'));
comment on function searched is 'the words of a text: letters and digits, without accents, in lower case';

alter table document add column words tsvector not null generated always as (
    setweight(searched(subject), 'A')
    || setweight(searched(left(coalesce(code, ''), 500) || ' ' || document_id), 'B')
    || setweight(searched(left(coalesce(signer_name, ''), 500) || ' ' || coalesce(signer_position, '')), 'C')
    || setweight(searched(type_name), 'D')) stored;
comment on column document.words is 'to find it by: A subject, B number and id, C signer, D kind';
create index document_words on document using gin (words);
create index document_sender on document (sender, recorded_at);
-- A few pages for millions of documents, which come about in the order of these days.
create index document_days on document using brin (promulgated_on, due_on) with (pages_per_range = 32);
create index attachment_words on attachment using gin (searched(name));
create index agency_words on agency using gin (searched(name));
