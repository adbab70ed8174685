-- Documents stranger than the first schema expected.

-- The lenient profile reads every whole number of up to nine digits, and takes what is not in the table as ordinary.
alter table document alter column priority type integer;

-- An update may carry the DocumentId of the document it updates: one status then speaks of two deliveries to one agency.
alter table status drop constraint status_pkey, add primary key (status, document, addressee);
