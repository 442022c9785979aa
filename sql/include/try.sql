-- try.sql: a function for tests of refusals
--
--   SELECT pg_temp.try(statement);   executes it; returns 'no error', or the SQLSTATE, the message
--                                    and the first line of the detail
\set ECHO none
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws('; ', SQLSTATE || ': ' || SQLERRM, nullif(regexp_replace(detail, '\n.*', ''), ''));
END $$;
\set ECHO all
