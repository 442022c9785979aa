/*
 * Following the audit log (src/functions/audit_feed.c).
 *
 * A position is a snapshot: the transactions whose entries have been read. This
 * is the one after what was read up to the transaction "last": all that "already"
 * contains, and of the transactions up to "last" those that "now" contains.  What is
 * still in progress, or prepared, comes when it is committed.  A transaction's own
 * snapshot does not list the transaction itself.
 */
CREATE FUNCTION cnap.feed_position(already pg_snapshot, now pg_snapshot, last xid8)
RETURNS pg_snapshot
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT format('%s:%s:%s', coalesce(min(open.xid), ends.xmax), ends.xmax,
		string_agg(open.xid::text, ',' ORDER BY open.xid))::pg_snapshot
	FROM (
		SELECT greatest((last::text::bigint + 1)::text::xid8, pg_snapshot_xmax(already)) AS xmax
	) ends
		LEFT JOIN (
			SELECT x FROM pg_snapshot_xip(now) x WHERE x <= last
			UNION
			SELECT x FROM pg_current_xact_id_if_assigned() x WHERE x <= last
			UNION
			SELECT x FROM pg_snapshot_xip(already) x WHERE x > last
		) open (xid) ON true
	GROUP BY ends.xmax
$$;
COMMENT ON FUNCTION cnap.feed_position(pg_snapshot, pg_snapshot, xid8) IS
'the position in the audit log after what the last transaction of a batch has written';

CREATE FUNCTION cnap.feed_end() RETURNS pg_snapshot
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT cnap.feed_position('1:1:', now, (pg_snapshot_xmax(now)::text::bigint - 1)::text::xid8)
	FROM pg_current_snapshot() now
$$;
COMMENT ON FUNCTION cnap.feed_end() IS
'the position in the audit log after all that is committed';

/*
 * A batch consists of whole transactions, in the order of their numbers, until
 * there are max_rows entries or more.  The plan is made for the arguments
 * (CURSOR_OPT_CUSTOM_PLAN), so that the index on xid is used.
 */
CREATE FUNCTION cnap.list_audit_feed(history text, already pg_snapshot, max_rows integer)
RETURNS TABLE (id bigint, occurred_at timestamptz, actor text, database_role text,
	action text, organization_id uuid, workspace_id uuid, subject text, path text,
	detail jsonb, cursor text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	WITH batch AS MATERIALIZED (
		SELECT max(a.xid) AS last
		FROM (
			SELECT a.xid
			FROM cnap.audit_log a
			WHERE a.xid >= pg_snapshot_xmin(already)
				AND NOT pg_visible_in_snapshot(a.xid, already)
				AND a.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
			ORDER BY a.xid
			LIMIT max_rows
		) a
	), position AS MATERIALIZED (
		SELECT history || cnap.feed_position(already, pg_current_snapshot(), b.last) AS cursor, b.last
		FROM batch b
	)
	SELECT a.id, a.occurred_at, a.actor, a.database_role, a.action, a.organization_id,
		a.workspace_id, a.subject, a.path, a.detail, p.cursor
	FROM position p
		JOIN cnap.audit_log a ON a.xid <= p.last
	WHERE a.xid >= pg_snapshot_xmin(already)
		AND NOT pg_visible_in_snapshot(a.xid, already)
		AND a.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
	ORDER BY a.id
$$;
COMMENT ON FUNCTION cnap.list_audit_feed(text, pg_snapshot, integer) IS 'rows of cnap_audit_feed()';

CREATE FUNCTION @extschema@.cnap_audit_feed(after text DEFAULT NULL, max_rows integer DEFAULT 1000)
RETURNS TABLE (id bigint, occurred_at timestamptz, actor text, database_role text,
	action text, organization_id uuid, workspace_id uuid, subject text, path text,
	detail jsonb, cursor text)
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_audit_feed';
COMMENT ON FUNCTION @extschema@.cnap_audit_feed(text, integer) IS
'the audit entries of all organizations and workspaces that a consumer has not read yet, oldest first. after: the cursor of the last batch, null from the beginning. max_rows: how many, plus the rest of the last transaction. For roles with EXECUTE. Errors: 22023, 55000 for a cursor of another database, or on a standby';

CREATE FUNCTION @extschema@.cnap_audit_cursor() RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_audit_cursor';
COMMENT ON FUNCTION @extschema@.cnap_audit_cursor() IS
'the cursor with which cnap_audit_feed() returns what is committed from now on. For roles with EXECUTE. Errors: 55000 on a standby';
