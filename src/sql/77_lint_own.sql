/*
 * Findings about the extension's own objects, and what others attach to them.
 */
CREATE FUNCTION cnap.lint_own() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH RECURSIVE key AS MATERIALIZED (
	SELECT f.oid, f.conname, f.conrelid, f.confrelid, a.attname, a.atttypid AS type, b.atttypid AS wanted
	FROM pg_constraint f
		CROSS JOIN unnest(f.conkey, f.confkey) k (attnum, parent_attnum)
		JOIN pg_attribute a ON (a.attrelid, a.attnum) = (f.conrelid, k.attnum)
		JOIN pg_attribute b ON (b.attrelid, b.attnum) = (f.confrelid, k.parent_attnum)
	WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confrelid IN (SELECT cnap.lint_members('pg_class'))
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
$$;
COMMENT ON FUNCTION cnap.lint_own() IS
'the findings about the extension''s own objects, and what others attach to them';
