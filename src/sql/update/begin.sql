\echo Use "ALTER EXTENSION cnap_org UPDATE" to load this file. \quit

/*
 * What each update begins with: the search path of the install script, the refusal by
 * a library that is older than the new version, the message to all sessions that
 * there is a new version (src/core/version.c), and what exists already.
 */
SET LOCAL search_path = pg_catalog, pg_temp;

SELECT cnap.begin_update();

CREATE TABLE cnap.present_before AS
SELECT d.classid, d.objid
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'cnap_org' AND d.deptype = 'e';

