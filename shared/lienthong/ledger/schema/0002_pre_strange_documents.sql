-- Documents stranger than the first schema expected.

-- The lenient profile reads every whole number of up to nine digits, and takes what is not in the table as ordinary.
alter table document alter column priority type integer;
