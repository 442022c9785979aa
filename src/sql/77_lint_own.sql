/*
 * Findings about the extension's own objects, and what others attach to them.
 *
 * What the extension wants is recorded when it is created, by the function with
 * which the linter reads what is there (95_made.sql).  So the two cannot differ
 * because somebody forgot to change a list.
 */
CREATE TABLE cnap.made (
	kind text,
	object text,
	state text,
	definition text,
	statement text,
	CONSTRAINT made_pkey PRIMARY KEY (kind, object)
);
COMMENT ON TABLE cnap.made IS
'what CREATE EXTENSION made, as cnap.lint_present() describes it; not dumped, since the extension is created anew';
COMMENT ON COLUMN cnap.made.definition IS
'text that another major version of PostgreSQL may write differently';

CREATE FUNCTION cnap.lint_text(definition text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT translate(definition, '() ', '')
$$;
COMMENT ON FUNCTION cnap.lint_text(text) IS
'a definition without parentheses, of which PostgreSQL prints fewer once it has read what it printed';

CREATE FUNCTION cnap.lint_wanted()
RETURNS TABLE (kind text, object text, state text, definition text, statement text)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 500
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_lint_wanted';
COMMENT ON FUNCTION cnap.lint_wanted() IS 'the rows of cnap.made';

CREATE FUNCTION cnap.lint_present()
RETURNS TABLE (kind text, object text, state text, definition text, statement text)
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 500
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
SET quote_all_identifiers = off
AS $$
	WITH member AS MATERIALIZED (
		SELECT c.* FROM pg_class c JOIN cnap.lint_members('pg_class') own (oid) ON own.oid = c.oid
	)
	SELECT 'server', 'version', current_setting('server_version_num')::int / 10000 || '', NULL, NULL
	UNION ALL
	SELECT 'table', oid::regclass::text,
		concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity), NULL,
		format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;', oid::regclass)
	FROM member
	WHERE relkind IN ('r', 'p')
	UNION ALL
	SELECT 'column', format('%s.%I', m.oid::regclass, a.attname),
		concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated),
		cnap.lint_text(pg_get_expr(d.adbin, d.adrelid)),
		CASE WHEN a.attidentity = '' AND a.attgenerated = ''
			THEN format('ALTER TABLE %1$s ALTER %2$I %3$s NOT NULL, ALTER %2$I %4$s;', m.oid::regclass, a.attname,
				CASE WHEN a.attnotnull THEN 'SET' ELSE 'DROP' END,
				coalesce('SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), 'DROP DEFAULT')) END
	FROM member m
		JOIN pg_attribute a ON a.attrelid = m.oid
		LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
	WHERE m.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
	UNION ALL
	SELECT 'constraint', format('%I on %s', c.conname, m.oid::regclass),
		concat_ws(' ', c.contype, c.convalidated, c.condeferrable, to_jsonb(c) ->> 'conenforced'),
		cnap.lint_text(pg_get_constraintdef(c.oid)),
		format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I, ADD CONSTRAINT %2$I %s;',
			m.oid::regclass, c.conname, pg_get_constraintdef(c.oid))
	FROM member m JOIN pg_constraint c ON c.conrelid = m.oid
	WHERE c.contype <> 'n'	-- since 18; the columns above have it
	UNION ALL
	SELECT 'domain constraint', format('%I of %s', c.conname, c.contypid::regtype),
		c.convalidated::text, cnap.lint_text(pg_get_constraintdef(c.oid)), NULL
	FROM pg_constraint c JOIN cnap.lint_members('pg_type') own (oid) ON own.oid = c.contypid
	UNION ALL
	SELECT 'enum', e.enumtypid::regtype::text, string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder), NULL, NULL
	FROM pg_enum e JOIN cnap.lint_members('pg_type') own (oid) ON own.oid = e.enumtypid
	GROUP BY e.enumtypid
	UNION ALL
	SELECT 'index', i.indexrelid::regclass::text, concat_ws(' ', i.indisunique, i.indisvalid, i.indisready),
		cnap.lint_text(pg_get_indexdef(i.indexrelid)), pg_get_indexdef(i.indexrelid) || ';'
	FROM member m JOIN pg_index i ON i.indrelid = m.oid
	WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = m.oid)
	UNION ALL
	SELECT 'trigger', format('%I on %s', t.tgname, m.oid::regclass), t.tgenabled::text, cnap.lint_text(pg_get_triggerdef(t.oid)),
		format('DROP TRIGGER IF EXISTS %I ON %s; %s;', t.tgname, m.oid::regclass, pg_get_triggerdef(t.oid))
			|| CASE t.tgenabled WHEN 'O' THEN '' ELSE format(' ALTER TABLE %s ENABLE %s TRIGGER %I;', m.oid::regclass,
				CASE t.tgenabled WHEN 'R' THEN 'REPLICA' ELSE 'ALWAYS' END, t.tgname) END
	FROM member m JOIN pg_trigger t ON t.tgrelid = m.oid
	WHERE NOT t.tgisinternal
	UNION ALL
	SELECT 'rule', format('%I on %s', r.rulename, m.oid::regclass), r.ev_enabled::text, cnap.lint_text(pg_get_ruledef(r.oid)), NULL
	FROM member m JOIN pg_rewrite r ON r.ev_class = m.oid
	UNION ALL
	SELECT 'policy', format('%I on %s', p.polname, m.oid::regclass), p.polcmd::text, NULL, NULL
	FROM member m JOIN pg_policy p ON p.polrelid = m.oid
	UNION ALL
	SELECT 'function', p.oid::regprocedure::text,
		concat_ws(' ', l.lanname, p.probin, p.prosecdef, p.proleakproof, p.proisstrict, p.provolatile, p.proparallel,
			format_type(p.prorettype, NULL), p.proretset, p.prosupport, array_to_string(p.proconfig, ' '), md5(p.prosrc)),
		NULL, pg_get_functiondef(p.oid) || ';'
	FROM pg_proc p
		JOIN cnap.lint_members('pg_proc') own (oid) ON own.oid = p.oid
		JOIN pg_language l ON l.oid = p.prolang
	UNION ALL
	SELECT 'event trigger', quote_ident(e.evtname), concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evttags), NULL,
		format('DROP EVENT TRIGGER IF EXISTS %I; CREATE EVENT TRIGGER %1$I ON %I%s EXECUTE FUNCTION %s; '
			'ALTER EVENT TRIGGER %1$I ENABLE ALWAYS; ALTER EXTENSION cnap_org ADD EVENT TRIGGER %1$I;',
			e.evtname, e.evtevent, ' WHEN TAG IN (' || (SELECT string_agg(quote_literal(tag), ', ') FROM unnest(e.evttags) tag) || ')',
			e.evtfoid::regprocedure)
	FROM pg_event_trigger e JOIN cnap.lint_members('pg_event_trigger') own (oid) ON own.oid = e.oid
$$;
COMMENT ON FUNCTION cnap.lint_present() IS
'the objects of the extension as they are: what must not change, what another version of PostgreSQL may write differently, and the statement that makes the object so again';

CREATE FUNCTION cnap.lint_own() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH RECURSIVE wanted AS MATERIALIZED (
	SELECT * FROM cnap.lint_wanted()
), present AS MATERIALIZED (
	SELECT * FROM cnap.lint_present()
), same_server AS MATERIALIZED (
	SELECT count(*) = 1 AS yes FROM wanted JOIN present USING (kind, object, state) WHERE kind = 'server'
), compared AS MATERIALIZED (
	SELECT kind, object, w.statement, w.object IS NOT NULL AS is_wanted, p.object IS NOT NULL AS is_present,
		w.state AS wanted_state, p.state AS state, w.state IS DISTINCT FROM p.state AS state_differs,
		w.definition IS DISTINCT FROM p.definition AND (SELECT yes FROM same_server) AS definition_differs
	FROM wanted w FULL JOIN present p USING (kind, object)
	WHERE kind <> 'server'
), member AS MATERIALIZED (
	SELECT cnap.lint_members('pg_class') AS oid
), addition AS (
	SELECT t.tgname, t.tgrelid, p.oid AS function, p.prosecdef, o.rolname, o.rolsuper
	FROM compared c
		JOIN pg_trigger t ON c.object = format('%I on %s', t.tgname, t.tgrelid::regclass)
		JOIN pg_proc p ON p.oid = t.tgfoid
		JOIN pg_roles o ON o.oid = p.proowner
	WHERE c.kind = 'trigger' AND NOT c.is_wanted AND t.tgrelid IN (SELECT oid FROM member)
), key AS MATERIALIZED (
	SELECT f.oid, f.conname, f.conrelid, f.confrelid, a.attname, a.atttypid AS type, b.atttypid AS wanted
	FROM pg_constraint f
		CROSS JOIN unnest(f.conkey, f.confkey) k (attnum, parent_attnum)
		JOIN pg_attribute a ON (a.attrelid, a.attnum) = (f.conrelid, k.attnum)
		JOIN pg_attribute b ON (b.attrelid, b.attnum) = (f.confrelid, k.parent_attnum)
	WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confrelid IN (SELECT oid FROM member)
), base AS (
	SELECT DISTINCT type, type AS base FROM key
	UNION
	SELECT base.type, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.base WHERE t.typbasetype <> 0
)

-- the owners of types that do not belong to the system, below 12000, can
-- replace their casts
SELECT 'error', 'foreign_key_cast', conrelid::regclass::text,
	format('foreign key %I converts column %I from %s to %s, with a cast that is executed as the owner of %s',
		conname, attname, format_type(type, NULL), format_type(wanted, NULL), confrelid::regclass),
	format('ALTER TABLE %s DROP CONSTRAINT %I;', conrelid::regclass, conname), 1
FROM key
WHERE NOT EXISTS (SELECT FROM base WHERE base.type = key.type AND base.base = key.wanted)
	AND NOT EXISTS (SELECT FROM base JOIN pg_cast c ON (c.castsource, c.casttarget) = (base.base, key.wanted)
		WHERE base.type = key.type AND c.castmethod = 'b' AND greatest(c.castsource, c.casttarget) < 12000)

UNION ALL
SELECT 'error', 'extension_altered', format('%s %s', kind, object),
	CASE WHEN is_present THEN 'differs from the one that CREATE EXTENSION made' ELSE 'has been dropped' END,
	CASE WHEN kind = 'event trigger' AND is_present
		THEN format('ALTER EXTENSION cnap_org DROP EVENT TRIGGER %s; ', object) ELSE '' END || statement, 1
FROM compared
WHERE is_wanted AND (NOT is_present OR definition_differs OR state_differs AND kind <> 'trigger')

UNION ALL
SELECT 'error', 'extension_altered', format('%s %s', kind, object),
	'has been added to a table of the extension', format('DROP %s %s;', upper(kind), replace(object, ' on ', ' ON ')), 1
FROM compared
WHERE NOT is_wanted AND kind IN ('rule', 'policy')

UNION ALL
-- its own triggers, by the mode that it gave them; those of foreign keys in the
-- ordinary one
SELECT 'error', 'trigger_state', format('%I on %s', t.tgname, t.tgrelid::regclass),
	CASE t.tgenabled WHEN 'D' THEN 'the trigger is disabled'
		ELSE 'the trigger is enabled in the wrong mode' END,
	format('ALTER TABLE %s ENABLE %sTRIGGER %I;', t.tgrelid::regclass,
		CASE c.wanted_state WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' END, t.tgname), 1
FROM pg_trigger t
	LEFT JOIN compared c ON c.kind = 'trigger' AND c.object = format('%I on %s', t.tgname, t.tgrelid::regclass)
WHERE t.tgrelid IN (SELECT oid FROM member)
	AND CASE WHEN t.tgisinternal THEN t.tgenabled <> 'O' ELSE c.is_wanted AND c.state_differs END

UNION ALL
SELECT 'error', 'trigger_state', format('event trigger %I', evtname),
	CASE evtenabled WHEN 'D' THEN 'the event trigger is disabled'
		ELSE 'the event trigger is enabled in the wrong mode' END,
	format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', evtname), 1
FROM pg_event_trigger
WHERE evtenabled <> 'A' AND oid IN (SELECT cnap.lint_members('pg_event_trigger'))

UNION ALL
-- the owner of the extension writes its tables on behalf of everybody, so is
-- whom such a trigger is executed as; a function with SECURITY DEFINER is
-- executed as its own owner
SELECT 'error', 'extension_trigger', format('%I on %s', tgname, tgrelid::regclass),
	format('executes %s, and so code of whoever owns that and the tables that it uses, as %s', function::regprocedure,
		CASE WHEN prosecdef THEN format('the superuser %I', rolname) ELSE 'the owner of the extension' END),
	format('DROP TRIGGER %I ON %s;', tgname, tgrelid::regclass), 1
FROM addition
WHERE NOT prosecdef OR rolsuper

UNION ALL
SELECT 'error', 'extension_owner', o.object,
	format('belongs to %I, who can change it and what it holds', r.rolname), o.remedy, 1
FROM (SELECT c.oid::regclass::text, c.relowner, format('ALTER TABLE %s OWNER TO %s;', c.oid::regclass, e.extowner::regrole)
		FROM pg_class c JOIN member ON member.oid = c.oid CROSS JOIN pg_extension e
		WHERE e.extname = 'cnap_org' AND c.relkind IN ('r', 'p') AND c.relowner <> e.extowner
		UNION ALL
		SELECT p.oid::regprocedure::text, p.proowner, format('ALTER FUNCTION %s OWNER TO %s;', p.oid::regprocedure, e.extowner::regrole)
		FROM pg_proc p JOIN cnap.lint_members('pg_proc') own (oid) ON own.oid = p.oid CROSS JOIN pg_extension e
		WHERE e.extname = 'cnap_org' AND p.proowner <> e.extowner
		UNION ALL
		SELECT n.nspname::text, n.nspowner, format('ALTER SCHEMA %I OWNER TO %s;', n.nspname, e.extowner::regrole)
		FROM pg_namespace n CROSS JOIN pg_extension e
		WHERE e.extname = 'cnap_org' AND n.nspname = 'cnap' AND n.nspowner <> e.extowner) o (object, owner, remedy)
	JOIN pg_roles r ON r.oid = o.owner
WHERE NOT r.rolsuper
$$;
COMMENT ON FUNCTION cnap.lint_own() IS
'the findings about the extension''s own objects, and what others attach to them';
