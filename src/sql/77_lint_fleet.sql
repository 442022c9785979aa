/*
 * Findings about the databases beyond this one: what followers receive from
 * here, and what this one receives.
 */
CREATE FUNCTION cnap.lint_freshness() RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'cnap_lint_freshness';
COMMENT ON FUNCTION cnap.lint_freshness() IS
'"kept" where the access data is kept; elsewhere whether what is there may be relied on: "fresh", "stale", or "unlimited" where it may be of any age';

CREATE FUNCTION cnap.lint_origin_version() RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'cnap_lint_origin_version';
COMMENT ON FUNCTION cnap.lint_origin_version() IS
'on a follower, the version of the extension in the database that keeps the access data, as its beat has it';

CREATE FUNCTION cnap.lint_fleet() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
WITH published AS MATERIALIZED (
	SELECT to_regclass('cnap.' || quote_ident(name)) AS relation
	FROM unnest(cnap.published_tables()) name
), own AS MATERIALIZED (
	SELECT c.oid AS relation, c.oid IN (SELECT relation FROM published) AS is_published
	FROM pg_class c
	WHERE c.relkind = 'r' AND c.oid IN (SELECT oid FROM cnap.lint_members('pg_class') member (oid))
), publication AS MATERIALIZED (
	-- those of any of our tables, each with what it lacks, and what it has too much
	SELECT p.pubname,
		array(SELECT relation FROM published
			WHERE relation NOT IN (SELECT r.prrelid FROM pg_publication_rel r WHERE r.prpubid = p.oid)) AS missing,
		array(SELECT r.prrelid::regclass FROM pg_publication_rel r
			WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT relation FROM own)
				AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)) AS reduced,
		p.pubinsert AND p.pubupdate AND p.pubdelete AS complete
	FROM pg_publication p
	WHERE NOT p.puballtables
		AND (p.pubname = 'cnap_access' OR EXISTS (SELECT FROM pg_publication_rel r
			WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT relation FROM published)))
		AND NOT EXISTS (SELECT FROM pg_publication_namespace n
			WHERE n.pnpubid = p.oid AND n.pnnspid = 'cnap'::regnamespace)
), widely AS MATERIALIZED (
	SELECT p.pubname
	FROM pg_publication p
	WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_namespace n
			WHERE n.pnpubid = p.oid AND n.pnnspid = 'cnap'::regnamespace)
		OR EXISTS (SELECT FROM pg_publication_rel r JOIN own o ON o.relation = r.prrelid
			WHERE r.prpubid = p.oid AND NOT o.is_published)
), subscribed AS MATERIALIZED (
	SELECT s.oid, s.subname, s.subenabled, r.srrelid, r.srsubstate, o.is_published
	FROM pg_subscription s
		JOIN pg_subscription_rel r ON r.srsubid = s.oid
		JOIN own o ON o.relation = r.srrelid
	WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
), subscription AS MATERIALIZED (
	SELECT s.oid, s.subname, s.subenabled,
		array_agg(s.srrelid::regclass::text ORDER BY s.srrelid) FILTER (WHERE s.srsubstate <> 'r') AS copying,
		EXISTS (SELECT FROM pg_stat_subscription w
			WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL) AS running
	FROM subscribed s
	GROUP BY s.oid, s.subname, s.subenabled
), version AS MATERIALIZED (
	-- those that differ, and which one is newer
	SELECT v.origin, v.here,
		array(SELECT m[1]::numeric FROM regexp_matches(v.origin, '\d+', 'g') m)
			> array(SELECT m[1]::numeric FROM regexp_matches(v.here, '\d+', 'g') m) AS newer
	FROM (SELECT cnap.lint_origin_version(), extversion FROM pg_extension
		WHERE extname = 'cnap_org') v (origin, here)
	WHERE v.origin <> v.here
)
SELECT 'error', 'publication_incomplete', format('publication %I', pubname),
	concat_ws('; ',
		'followers do not receive ' || array_to_string(nullif(missing, '{}'), ', '),
		'of ' || array_to_string(nullif(reduced, '{}'), ', ') || ', they receive only some rows or columns',
		CASE WHEN NOT complete THEN 'it does not publish every INSERT, UPDATE and DELETE' END),
	CASE pubname WHEN 'cnap_access' THEN 'SELECT @extschema@.cnap_publish();' END, 0
FROM publication
WHERE missing <> '{}' OR reduced <> '{}' OR NOT complete
UNION ALL
SELECT 'warning', 'publication_of_records', format('publication %I', pubname),
	'it publishes the audit log or other records of this database, which collide with those that a follower writes itself, so that replication stops',
	CASE pubname WHEN 'cnap_access' THEN 'SELECT @extschema@.cnap_publish();' END, 0
FROM widely
UNION ALL
SELECT 'error', 'subscription_of_records', format('subscription %I', s.subname),
	format('it writes %s, as this database does itself; when the two collide, replication stops',
		string_agg(s.srrelid::regclass::text, ', ' ORDER BY s.srrelid)), NULL, 0
FROM subscribed s
WHERE NOT s.is_published
GROUP BY s.subname
UNION ALL
SELECT 'error', 'subscription_disabled', format('subscription %I', subname),
	'the access data is received by it, and it is disabled: access is denied, or will soon be',
	format('ALTER SUBSCRIPTION %I ENABLE;', subname), 0
FROM subscription
WHERE NOT subenabled
UNION ALL
SELECT 'error', 'subscription_failing', format('subscription %I', subname),
	'it is enabled, but nothing is being applied: see the server''s log for the reason', NULL, 0
FROM subscription
WHERE subenabled AND NOT running AND NOT pg_is_in_recovery()
UNION ALL
SELECT 'warning', 'subscription_copying', format('subscription %I', subname),
	format('access is denied until these tables have been copied: %s', array_to_string(copying, ', ')), NULL, 0
FROM subscription
WHERE copying IS NOT NULL
UNION ALL
SELECT 'error', 'subscription_incomplete', 'schema cnap',
	format('some access data is received by subscriptions, but not %s', string_agg(p.relation::text, ', ' ORDER BY p.relation)),
	(SELECT format('ALTER SUBSCRIPTION %I REFRESH PUBLICATION;', min(s.subname)) FROM subscription s HAVING count(*) = 1), 0
FROM published p
WHERE p.relation NOT IN (SELECT srrelid FROM subscribed) AND EXISTS (SELECT FROM subscribed WHERE is_published)
HAVING count(*) > 0
UNION ALL
SELECT 'error', 'subscription_twice', s.srrelid::regclass::text,
	format('several subscriptions write this table: %s', string_agg(quote_ident(s.subname), ', ' ORDER BY s.subname)), NULL, 0
FROM subscribed s
GROUP BY s.srrelid
HAVING count(*) > 1
UNION ALL
SELECT 'error', 'access_stale', format('database %I', current_database()),
	'the access data is kept elsewhere, and what is here is not known to be fresh: all access is denied', NULL, 0
WHERE cnap.lint_freshness() = 'stale'
UNION ALL
SELECT 'warning', 'staleness_unlimited', format('database %I', current_database()),
	'the access data is kept elsewhere, and cnap.max_staleness is -1: access that was revoked is granted for as long as replication does not run', NULL, 0
WHERE cnap.lint_freshness() = 'unlimited'
UNION ALL
SELECT 'error', 'origin_newer', format('database %I', current_database()),
	format('the access data is kept by version %s of the extension, and this database has %s, which may not understand all of it, or stop applying it', origin, here), NULL, 0
FROM version
WHERE newer
UNION ALL
SELECT 'notice', 'origin_older', format('database %I', current_database()),
	format('this database has version %s of the extension, and the one that keeps the access data still %s', here, origin), NULL, 0
FROM version
WHERE NOT newer
UNION ALL
SELECT 'warning', 'reference_to_followed', f.conrelid::regclass::text,
	format('what foreign key %I does on DELETE or UPDATE does not happen here, as %s is written by replication: its rows stay',
		f.conname, f.confrelid::regclass), NULL, 0
FROM pg_constraint f
WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))
	AND f.conrelid NOT IN (SELECT relation FROM own)
	AND f.confrelid IN (SELECT srrelid FROM subscribed)
$$;
COMMENT ON FUNCTION cnap.lint_fleet() IS
'rules: publication_incomplete, publication_of_records, subscription_of_records, subscription_disabled, subscription_failing, subscription_copying, subscription_incomplete, subscription_twice, access_stale, staleness_unlimited, origin_newer, origin_older, reference_to_followed';
