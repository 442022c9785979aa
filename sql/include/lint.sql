-- lint.sql: functions for the tests of cnap_lint()
--
--   SELECT * FROM findings();    the findings, as returned to a role without privileges, which must
--                                be those returned to a superuser; without notices about
--                                columns and keys, which most tables of these tests would have
--   SELECT * FROM close_all();   executes the remedies one after the other; returns a line for a
--                                finding that remains after its remedy, or has none
\set ECHO none
-- table_open, which tables without a workspace would have, is left out as well: sql/lint.sql shows it
CREATE TYPE told AS (severity text, rule text, object text, finding text, remedy text);
CREATE FUNCTION findings() RETURNS SETOF told LANGUAGE plpgsql AS $$
DECLARE
	asker name := current_user;
	seen told[];
BEGIN
	SET LOCAL ROLE regress_cnap_plain;
	seen := array(SELECT row (l.*)::told FROM cnap_lint() l);
	EXECUTE format('SET LOCAL ROLE %I', asker);
	IF seen <> array(SELECT row (l.*)::told FROM cnap_lint() l) THEN
		RAISE EXCEPTION 'cnap_lint() tells % something else', asker;
	END IF;
	-- the superuser's name varies, and PostgreSQL 16 recorded the grantors of memberships
	RETURN QUERY SELECT s.severity, s.rule, s.object,
		replace(s.finding, format(' as %I, ', session_user), ' as the superuser, '),
		replace(s.remedy, format(' GRANTED BY %I', session_user), '')
	FROM unnest(seen) s
	WHERE s.rule <> ALL ('{column_nullable,column_without_key,key_spans_workspaces,table_open}');
END $$;

CREATE FUNCTION close_all() RETURNS TABLE (remedy text, result text) LANGUAGE plpgsql AS $$
DECLARE
	open told[] := array(SELECT row (l.*)::told FROM cnap_lint() l);
	closed told;
BEGIN
	LOOP
		SELECT * INTO closed FROM unnest(open) o WHERE o.remedy IS NOT NULL LIMIT 1;
		EXIT WHEN NOT FOUND;
		-- cannot run within a transaction
		EXECUTE replace(closed.remedy, ' CONCURRENTLY', '');
		open := array(SELECT row (l.*)::told FROM cnap_lint() l);
		IF EXISTS (SELECT FROM unnest(open) o WHERE o.rule = closed.rule AND o.object = closed.object) THEN
			RETURN QUERY SELECT closed.remedy, closed.rule || ' goes on';
			RETURN;
		END IF;
	END LOOP;
	RETURN QUERY SELECT o.rule, 'is left of ' || o.object FROM unnest(open) o
	WHERE o.rule <> ALL ('{column_nullable,column_without_key,key_spans_workspaces,table_open}');
END $$;
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only
\set ECHO all
