/*
 * Beyond one server: the beat of the database that keeps the access data, and
 * the databases that follow it.
 */
CREATE FUNCTION @extschema@.cnap_beat(take_over boolean DEFAULT false) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_beat';
COMMENT ON FUNCTION @extschema@.cnap_beat(boolean) IS
'renews the beat by which followers know how fresh their access data is, or makes the first one. take_over: this database, restored or detached, keeps the access data from now on. Errors: 25006 where it is kept elsewhere, 42501';

CREATE FUNCTION @extschema@.cnap_publish() RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_publish';
COMMENT ON FUNCTION @extschema@.cnap_publish() IS
'creates or repairs the publication cnap_access, to which followers subscribe, and makes a beat. For superusers. Errors: 25006, 42501, 55000 if a publication of that name is for all tables';

CREATE FUNCTION @extschema@.cnap_position() RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cnap_position';
COMMENT ON FUNCTION @extschema@.cnap_position() IS
'the place that the origin has reached, after a commit, for cnap_wait() on a follower. Errors: 25001 in a transaction that has changed something, 55000 where the access data is not kept';

CREATE FUNCTION @extschema@.cnap_wait("position" text, timeout interval DEFAULT '5s') RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cnap_wait';
COMMENT ON FUNCTION @extschema@.cnap_wait(text, interval) IS
'returns when everything that was committed at the origin before that position is visible here. Errors: 22023, 55000 after the timeout, or if this database follows another origin';

CREATE FUNCTION @extschema@.cnap_followers()
RETURNS TABLE (name text, kind text, connected boolean, applied pg_lsn, lag interval, open boolean)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_followers';
COMMENT ON FUNCTION @extschema@.cnap_followers() IS
'the servers and subscriptions that receive this server''s changes directly: what they have applied, how old that is at most, and whether they can still grant access. For superusers and whom they let execute it';
