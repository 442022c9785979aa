-- bulk.sql: many memberships, large organizations, and a user with many workspaces
--
-- bench.member_plain is a copy of cnap.workspace_member with all that belongs to it but the triggers, and
-- bench.member_logged one with a trigger in PL/pgSQL that writes an entry as ours does. The rows to be copied are a hundred thousand, at scale XL a million. The organizations "bulk-N" have N members, and
-- manage as many workspaces, which "bulk-N" owns.
-- Variables: workspaces, huge.

\if :huge
	\set members 1000000
\else
	\set members 100000
\endif
\set fifth :members / 5

CREATE TABLE bench.bulk AS SELECT :members AS whole, :fifth AS fifth;
SELECT format('COPY (SELECT bench.workspace(1 + n %% %s), ''bulk-'' || n, ''member'', ''2024-01-01 00:00+00''
		FROM generate_series(1, %s) n) TO %L', :workspaces, :members, current_setting('data_directory') || '/bulk.copy') \gexec

SET session_replication_role = replica;
INSERT INTO cnap.organization (id, name, created_at)
SELECT md5('bulk-' || n)::uuid, 'bulk', '2024-01-01' FROM bench.bulk, unnest(ARRAY[whole, fifth]) n;
INSERT INTO cnap.organization_member (organization_id, user_id, role, created_at)
SELECT md5('bulk-' || n)::uuid, 'bulk-' || m, CASE m WHEN 1 THEN 'owner' ELSE 'member' END, '2024-01-01'
FROM bench.bulk, unnest(ARRAY[whole, fifth]) n, generate_series(1, n) m;
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since,
	managed_access, management_id, created_at)
SELECT md5('bulk ' || n || ' ' || w)::uuid, 'bulk', 'bulk-' || n, md5('bulk-' || n)::uuid, 'admin',
	'2024-01-01', 'all', gen_random_uuid(), '2024-01-01'
FROM bench.bulk, unnest(ARRAY[whole, fifth]) n, generate_series(1, n) w;
RESET session_replication_role;

SELECT format('CREATE TABLE bench.member_%1$s (LIKE cnap.workspace_member INCLUDING ALL,
		FOREIGN KEY (workspace_id) REFERENCES cnap.workspace ON DELETE CASCADE,
		FOREIGN KEY (own_role) REFERENCES cnap.role_definition (name));
	INSERT INTO bench.member_%1$s (workspace_id, user_id, role, added_by, created_at, updated_at)
	SELECT workspace_id, user_id, role, added_by, created_at, updated_at FROM cnap.workspace_member', kind)
FROM unnest('{plain,logged}'::text[]) kind \gexec
CREATE TABLE bench.member_log (LIKE cnap.audit_log INCLUDING ALL);
CREATE FUNCTION bench.log_member() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	member bench.member_logged := coalesce(NEW, OLD);
BEGIN
	INSERT INTO bench.member_log (actor, database_role, action, workspace_id, subject, path, detail, xid)
	VALUES (cnap_current_user(), current_user, 'workspace_member.' || TG_OP, member.workspace_id,
		member.user_id, 'by a direct statement', jsonb_build_object('role', member.role), pg_current_xact_id());
	RETURN NULL;
END
$$;
CREATE TRIGGER log_member AFTER UPDATE OR DELETE ON bench.member_logged
	FOR EACH ROW EXECUTE FUNCTION bench.log_member();

SELECT format('CREATE SCHEMA bulk_%s', n) FROM unnest('{200,1000}'::int[]) n \gexec
SELECT format('CREATE TABLE bulk_%s.t%s (id bigint PRIMARY KEY, workspace_id uuid NOT NULL)', n, t)
FROM unnest('{200,1000}'::int[]) n, generate_series(1, n) t \gexec
SELECT format('CREATE INDEX ON bulk_%s.t%s (workspace_id)', n, t)
FROM unnest('{200,1000}'::int[]) n, generate_series(1, n) t \gexec

/*
 * Executes statements, undoes them, and returns the processor time of the last one in microseconds.
 */
CREATE OR REPLACE FUNCTION bench.time_last(VARIADIC statements text[]) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
	begun float8;
	microseconds float8;
	statement text;
BEGIN
	BEGIN
		FOREACH statement IN ARRAY statements LOOP
			begun := bench.processor_time();
			EXECUTE statement;
			microseconds := 1e6 * (bench.processor_time() - begun);
		END LOOP;
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		RETURN microseconds;
	END;
END
$$;

-- Makes that many tables, every other of which is protected.
CREATE OR REPLACE PROCEDURE bench.make_tables(number int)
LANGUAGE plpgsql AS $$
BEGIN
	CREATE SCHEMA bulk_lint;
	FOR n IN 1 .. number LOOP
		EXECUTE format('CREATE TABLE bulk_lint.t%s (id bigint PRIMARY KEY, workspace_id uuid NOT NULL)', n);
		IF n % 2 = 0 THEN
			PERFORM cnap_protect(format('bulk_lint.t%s', n)::regclass);
		END IF;
	END LOOP;
END
$$;

VACUUM (ANALYZE);
CHECKPOINT;
