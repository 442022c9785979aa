/*
 * Findings about references across workspaces.
 *
 * PostgreSQL checks foreign keys without policies.  So one that does not
 * contain the workspace lets a row refer to somebody else's: this tells that
 * the other one exists, and may keep its owner from deleting it.  A foreign
 * key that contains the workspace on both sides closes that.
 */
CREATE FUNCTION cnap.lint_cross_references(relations oid[], columns smallint[], parents oid[])
RETURNS TABLE (key oid, relation oid, parent oid, column_number smallint, parent_column smallint, closing oid)
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH planned AS MATERIALIZED (
	SELECT * FROM unnest(relations, columns, parents) p (relation, attnum, parent)
), guarded AS MATERIALIZED (
	-- parent: the one through which a table is protected by policies; then
	-- attnum refers to it, otherwise it holds the workspace
	SELECT relation, attnum, nullif(parent, 0) AS parent FROM planned
	UNION ALL
	SELECT relation, column_number, parent
	FROM cnap.protections('@extschema@')
	WHERE column_number IS NOT NULL AND relation NOT IN (SELECT relation FROM planned)
), reference AS MATERIALIZED (
	SELECT f.oid, f.conrelid, f.confrelid, f.conkey, f.confkey, f.convalidated,
		CASE WHEN c.parent IS NULL THEN c.attnum END AS column_number,
		CASE WHEN p.parent IS NULL THEN p.attnum END AS parent_column
	FROM pg_constraint f
		JOIN guarded c ON c.relation = f.conrelid
		JOIN guarded p ON p.relation = f.confrelid
	WHERE f.contype = 'f' AND f.conparentid = 0
		-- a row is where the parent is through which its table is protected
		AND (c.parent IS DISTINCT FROM f.confrelid OR c.attnum <> ALL (f.conkey))
), whole AS MATERIALIZED (
	SELECT g.*
	FROM reference g JOIN pg_constraint f USING (oid)
	WHERE EXISTS (SELECT FROM unnest(g.conkey, g.confkey) pair (mine, theirs)
			WHERE (pair.mine, pair.theirs) = (g.column_number, g.parent_column))
		-- PostgreSQL 18 has keys that are not enforced
		AND coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true)
), closed AS MATERIALIZED (
	-- a null in any other column would exempt a row
	SELECT r.oid, bool_or(g.convalidated) AS valid, min(g.oid) AS closing
	FROM reference r JOIN whole g USING (conrelid, confrelid)
	WHERE NOT EXISTS (SELECT * FROM unnest(r.conkey, r.confkey) EXCEPT ALL SELECT * FROM unnest(g.conkey, g.confkey))
		AND NOT EXISTS (SELECT FROM pg_attribute a
			WHERE a.attrelid = g.conrelid AND a.attnum = ANY (g.conkey) AND NOT a.attnotnull
				AND a.attnum <> ALL (r.conkey) AND a.attnum <> g.column_number)
	GROUP BY r.oid
)
SELECT r.oid, r.conrelid, r.confrelid, r.column_number, r.parent_column, closed.closing
FROM reference r LEFT JOIN closed USING (oid)
WHERE closed.valid IS NOT TRUE
	-- one that is to take the place of another is reported with that
	AND NOT (closed.closing IS NOT DISTINCT FROM r.oid
		AND EXISTS (SELECT FROM closed other WHERE other.closing = r.oid AND other.oid <> r.oid))
$$;
COMMENT ON FUNCTION cnap.lint_cross_references(oid[], smallint[], oid[]) IS
'the foreign keys between protected tables that let a row refer to one of another workspace, with the columns that hold the workspaces; which are null for tables that are protected by policies that look at their parents; closing: a key that contains them, but is not validated. The arguments are tables that are to be protected, with the column that holds the workspace, or refers to the parent';

CREATE FUNCTION cnap.lint_references() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
WITH crossing AS MATERIALIZED (
	SELECT x.*, f.conname, f.conkey, f.confkey, f.confmatchtype, f.confupdtype, f.confdeltype,
		f.condeferrable, f.condeferred, c.relkind,
		coalesce(nullif(f.confdelsetcols, '{}'), f.conkey) AS set_columns,
		format('%I on %s', f.conname, x.relation::regclass) AS object,
		(SELECT attname FROM pg_attribute WHERE attrelid = x.relation AND attnum = x.column_number) AS workspace,
		(SELECT attname FROM pg_attribute WHERE attrelid = x.parent AND attnum = x.parent_column) AS parent_workspace,
		(SELECT attnotnull FROM pg_attribute WHERE attrelid = x.relation AND attnum = x.column_number) AS not_null,
		(SELECT conname FROM pg_constraint WHERE oid = x.closing) AS closing_name,
		(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n)
			FROM unnest(f.conkey) WITH ORDINALITY k (attnum, n)
				JOIN pg_attribute a ON a.attrelid = x.relation AND a.attnum = k.attnum) AS mine,
		(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n)
			FROM unnest(f.confkey) WITH ORDINALITY k (attnum, n)
				JOIN pg_attribute a ON a.attrelid = x.parent AND a.attnum = k.attnum) AS theirs,
		-- whoever validates a key executes its casts, and plans a query of both
		-- tables; without these there is nobody's code in it
		NOT cnap.lint_planned(x.relation) AND NOT cnap.lint_planned(x.parent)
			AND (x.closing IS NOT DISTINCT FROM x.key
				OR x.column_number <> ALL (f.conkey) AND x.parent_column <> ALL (f.confkey) AND NOT i.indisexclusion)
			AND NOT EXISTS (
				SELECT FROM unnest(f.conkey, f.confkey) k (mine, theirs)
					JOIN pg_attribute a ON a.attrelid = x.relation AND a.attnum = k.mine
					JOIN pg_attribute b ON b.attrelid = x.parent AND b.attnum = k.theirs
				WHERE a.atttypid <> b.atttypid AND greatest(a.atttypid, b.atttypid) >= 16384) AS offered
	FROM cnap.lint_cross_references('{}', '{}', '{}') x
		JOIN pg_constraint f ON f.oid = x.key
		JOIN pg_index i ON i.indexrelid = f.conindid
		JOIN pg_class c ON c.oid = x.relation
), statement AS MATERIALIZED (
	SELECT c.*,
		coalesce(closing_name, format('%s_workspace', left(conname, 53))) AS new_name,
		format(' FOREIGN KEY (%I, %s) REFERENCES %s (%I, %s)', workspace, mine, parent::regclass, parent_workspace, theirs)
			|| CASE WHEN confdeltype IN ('n', 'd') THEN format(' ON DELETE SET %s (%s)',
					CASE confdeltype WHEN 'n' THEN 'NULL' ELSE 'DEFAULT' END,
					(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n)
						FROM unnest(set_columns) WITH ORDINALITY k (attnum, n)
							JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.attnum))
				WHEN confdeltype = 'c' THEN ' ON DELETE CASCADE'
				WHEN confdeltype = 'r' THEN ' ON DELETE RESTRICT' ELSE '' END
			-- nothing may follow a row into another workspace
			|| CASE confupdtype WHEN 'r' THEN ' ON UPDATE RESTRICT' ELSE '' END
			|| CASE WHEN condeferrable THEN ' DEFERRABLE' ELSE '' END
			|| CASE WHEN condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS definition,
		-- the former key does what the new one cannot: refer from rows without
		-- a workspace, follow changed keys, be null in all columns or in none
		CASE WHEN not_null AND closing IS DISTINCT FROM key AND (confmatchtype <> 'f' OR cardinality(conkey) = 1) AND confupdtype IN ('a', 'r')
			THEN format('ALTER TABLE %s DROP CONSTRAINT %I;', relation::regclass, conname)
				|| format(' ALTER TABLE %s RENAME CONSTRAINT %I TO %I;', relation::regclass,
					coalesce(closing_name, format('%s_workspace', left(conname, 53))), conname) END AS replacement,
		-- before PostgreSQL 18, a partitioned table has only valid ones
		relkind <> 'p' OR current_setting('server_version_num')::int >= 180000 AS staged,
		EXISTS (SELECT FROM pg_index u
			WHERE u.indrelid = parent AND u.indisunique AND u.indimmediate AND u.indisvalid
				AND u.indpred IS NULL AND u.indexprs IS NULL AND NOT u.indisexclusion
				AND u.indnkeyatts = cardinality(confkey) + 1
				AND parent_column || confkey <@ u.indkey::smallint[]
				AND (u.indkey::smallint[])[0:u.indnkeyatts - 1] <@ (parent_column || confkey)) AS indexed
	FROM crossing c
	WHERE offered
)
SELECT 'warning', 'reference_across_workspaces', object,
	format('references %s without the workspace, so a row can refer to one of another workspace; the key that contains it on both sides takes this one''s place',
		parent::regclass),
	format('ALTER TABLE %s ADD CONSTRAINT %I%s%s', relation::regclass, new_name, definition,
		CASE WHEN staged THEN ' NOT VALID;' ELSE coalesce('; ' || replacement, ';') END), 31
FROM statement
WHERE closing IS NULL

UNION ALL
SELECT 'warning', 'reference_across_workspaces', object,
	format('its rows have not been checked for references to rows of %s in another workspace; this fails where there are any', parent::regclass),
	format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', relation::regclass, new_name) || coalesce(' ' || replacement, ''), 32
FROM statement
WHERE staged

UNION ALL
SELECT 'warning', 'reference_across_workspaces', parent::regclass::text,
	format('has no unique index on (%I, %s), which foreign keys need in order to contain the workspace: %s', parent_workspace, theirs,
		string_agg(object, ', ' ORDER BY object)),
	format('CREATE UNIQUE INDEX %sON %s (%I, %s);', CASE WHEN relkind = 'r' THEN 'CONCURRENTLY ' ELSE '' END,
		parent::regclass, parent_workspace, theirs), 30
FROM (SELECT s.object, s.parent, s.parent_workspace, s.theirs, p.relkind
	FROM statement s JOIN pg_class p ON p.oid = s.parent
	WHERE NOT s.indexed AND s.closing IS NULL) bare
GROUP BY parent, parent_workspace, theirs, relkind

UNION ALL
-- giving a table a column writes all of its rows, so it is for the reader to
-- choose the time
SELECT 'warning', 'reference_across_workspaces', object,
	format('references %s without the workspace, so a row can refer to one of another workspace', parent::regclass)
	|| CASE WHEN column_number IS NOT NULL AND parent_column IS NOT NULL
			THEN '; the new key would not be like this one, or execute code of somebody''s own, so it is for the owner of the table to add'
		ELSE format('; a key can contain it once %s a workspace column by the third argument of cnap_protect_child()',
			concat_ws(' and ', CASE WHEN column_number IS NULL THEN relation::regclass END,
				CASE WHEN parent_column IS NULL AND parent <> relation THEN parent::regclass END)
			|| CASE WHEN column_number IS NULL AND parent_column IS NULL AND parent <> relation THEN ' have' ELSE ' has' END) END,
	NULL, 30
FROM crossing x
WHERE offered IS NOT TRUE
$$;
COMMENT ON FUNCTION cnap.lint_references() IS
'the findings about foreign keys that let a row refer to one of another workspace';
