/*
 * Who learns what from the audit log, with random acts of two vendors and two customers: a
 * customer sees each act of the managers in the workspace, with its path, and nothing about the
 * managers' other customers; an organization sees what its members did and what was done to it,
 * and nothing about another organization, or about what a customer's users did among themselves.
 *
 * Each user's id begins with the letter of their side, so that a foreign one is noticed.  Random
 * numbers come from a hash with a fixed seed, so that every run is the same.
 */
BEGIN;
\ir include/setup.sql

SELECT no_plan();

\set steps 900
SET LOCAL test.seed = '5';

DELETE FROM cnap.workspace;
DELETE FROM cnap.organization;
DELETE FROM cnap.audit_log;

CREATE TABLE test.place (n integer PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), side text NOT NULL, name text NOT NULL);
INSERT INTO test.place (n, side, name) VALUES (0, 'a', 'Aone'), (1, 'a', 'Atwo'), (2, 'b', 'Bone'), (3, 'b', 'Btwo');
CREATE TABLE test.company (n integer PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), side text NOT NULL, name text NOT NULL);
INSERT INTO test.company (n, side, name) VALUES (0, 'v', 'Vvendor'), (1, 'w', 'Wvendor');
GRANT SELECT ON ALL TABLES IN SCHEMA test TO cnap_test_app;
INSERT INTO cnap.organization (id, name) SELECT id, name FROM test.company;
INSERT INTO cnap.organization_member (organization_id, user_id, role)
	SELECT c.id, c.side || r.n, r.role::text FROM test.company c, (VALUES (1, 'owner'), (2, 'admin')) r (n, role);
INSERT INTO cnap.workspace (id, name, owner_id) SELECT id, name, side || '1' FROM test.place;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) SELECT id, side || '2', 'admin' FROM test.place;
DELETE FROM cnap.audit_log;

/* Tokens that are not used yet, and which organization has managed which workspace, ever. */
CREATE TABLE test.token (id serial PRIMARY KEY, side text, kind text, token text NOT NULL);
CREATE TABLE test.managed (workspace uuid, organization uuid, PRIMARY KEY (workspace, organization));
CREATE FUNCTION test.note_management() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF NEW.managed_by IS NOT NULL THEN
		INSERT INTO test.managed VALUES (NEW.id, NEW.managed_by) ON CONFLICT DO NOTHING;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER note AFTER UPDATE ON cnap.workspace FOR EACH ROW EXECUTE FUNCTION test.note_management();

/* What the managers did, as it is to be told. */
CREATE TABLE test.done (n integer, workspace uuid, organization uuid, actor text, path text);

CREATE FUNCTION test.random(step integer, label text, n integer) RETURNS integer IMMUTABLE
RETURN ('x' || left(md5(concat_ws(':', current_setting('test.seed'), step, label)), 7))::bit(28)::integer % n;

/* One act; what a rule refuses is refused. */
CREATE FUNCTION test.step(step integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	place test.place;
	company test.company;
	other test.company;
	person text;
	mate text;
	role_there text;
	acted_as text;
	token text;
	deed integer := test.random(step, 'kind', 16);
BEGIN
	SELECT * INTO place FROM test.place p WHERE p.n = test.random(step, 'place', 4);
	SELECT * INTO company FROM test.company c WHERE c.n = test.random(step, 'company', 2);
	mate := CASE WHEN deed IN (8, 9, 11, 12) THEN company.side ELSE place.side END || 1 + test.random(step, 'mate', 4);
	acted_as := CASE
		WHEN deed < 8 THEN (SELECT owner_id FROM cnap.workspace WHERE id = place.id)
		WHEN deed < 13 THEN company.side || 1 + test.random(step, 'staff', 2)
		ELSE company.side || 1 + test.random(step, 'staff', 4) END;
	role_there := (SELECT m.role FROM cnap.organization_member m WHERE m.organization_id = company.id AND m.user_id = acted_as);
	SELECT t.token INTO token FROM test.token t
	WHERE t.kind = CASE WHEN deed = 2 THEN 'link' ELSE 'guest' END AND (deed = 2 OR t.side = place.side)
	ORDER BY t.id DESC LIMIT 1;

	PERFORM test.become('cnap_test_app', acted_as);
	CASE deed
		WHEN 0, 1 THEN PERFORM cnap_grant_management(place.id, company.id, (ARRAY['admin', 'member'])[1 + test.random(step, 'role', 2)]::text);
		WHEN 2 THEN PERFORM cnap_redeem_install_link(token, place.id);
		WHEN 3 THEN
			IF test.random(step, 'end', 3) = 0 THEN
				PERFORM cnap_revoke_management(place.id);
			ELSE
				PERFORM cnap_preview_revocation(place.id);
			END IF;
		WHEN 4 THEN PERFORM cnap_add_workspace_member(place.id, mate);
		WHEN 5 THEN PERFORM cnap_remove_workspace_member(place.id, mate);
		WHEN 6 THEN PERFORM cnap_transfer_workspace(place.id, mate);
		WHEN 7 THEN
			token := cnap_invite_to_workspace(place.id, email => mate || '@customer.example');
			PERFORM test.become('none', NULL);
			INSERT INTO test.token (side, kind, token) VALUES (place.side, 'guest', token);
			IF test.random(step, 'accept', 2) = 0 THEN
				PERFORM test.become('cnap_test_app', mate);
				PERFORM cnap_accept_invitation(token);
			END IF;
		WHEN 8 THEN PERFORM cnap_add_organization_member(company.id, mate);
		WHEN 9 THEN PERFORM cnap_remove_organization_member(company.id, mate);
		WHEN 10 THEN
			token := cnap_create_install_link(company.id, company.name, 2);
			PERFORM test.become('none', NULL);
			INSERT INTO test.token (side, kind, token) VALUES (company.side, 'link', token);
		WHEN 11 THEN
			token := cnap_invite_to_organization(company.id, email => mate || '@vendor.example');
			PERFORM test.become('cnap_test_app', mate);
			PERFORM cnap_accept_invitation(token);
		WHEN 12 THEN PERFORM cnap_update_organization(company.id, company.name || step);
		ELSE
			IF deed = 13 AND test.random(step, 'release', 4) = 0 THEN
				PERFORM cnap_revoke_management(place.id);
			ELSE
				PERFORM cnap_update_workspace(place.id, place.name || step);
				PERFORM test.become('none', NULL);
				INSERT INTO test.done VALUES (step, place.id, company.id, acted_as,
					format('as %s of organization %s, which manages the workspace', role_there, company.id));
			END IF;
	END CASE;
	PERFORM test.become('none', NULL);
EXCEPTION WHEN SQLSTATE '42501' OR SQLSTATE '42704' OR SQLSTATE '23001' OR SQLSTATE '23505' OR SQLSTATE '22023' OR SQLSTATE '55000' THEN
	PERFORM test.become('none', NULL);
END
$$;
SELECT test.step(n) FROM generate_series(1, :steps) n \g /dev/null
-- some users are forgotten, who were members in several places
SELECT cnap_forget_user(user_id, left(user_id, 1) || '1') FROM unnest(ARRAY['a3', 'a4', 'b4', 'v4']) user_id \g /dev/null

/* All that a listing says, an entry a line, as somebody of its own sees it. */
CREATE FUNCTION test.told(who text, listing text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	lines text[];
BEGIN
	PERFORM test.become('cnap_test_app', who);
	EXECUTE format('SELECT array_agg(a::text) FROM %s a', listing) INTO lines;
	PERFORM test.become('none', NULL);
	RETURN QUERY SELECT unnest(lines);
END
$$;

CREATE TABLE test.by_workspace AS
	SELECT p.*, line FROM test.place p JOIN cnap.workspace w USING (id),
		LATERAL test.told(w.owner_id, format('cnap_workspace_audit(%L)', p.id)) line;
CREATE TABLE test.by_organization AS
	SELECT c.*, line FROM test.company c, LATERAL test.told(c.side || '1', format('cnap_organization_audit(%L)', c.id)) line;

-- the listings are not empty

SELECT cmp_ok(n::integer, '>=', least, what)
FROM (SELECT (SELECT count(*) FROM test.by_workspace), 150, 'entries of workspaces'
	UNION ALL SELECT (SELECT count(*) FROM test.by_organization), 150, 'entries of organizations'
	UNION ALL SELECT (SELECT count(*) FROM test.done), 25, 'acts of managers'
	UNION ALL SELECT (SELECT count(*) FROM test.managed), 7, 'pairs of a workspace and an organization'
	UNION ALL SELECT (SELECT count(*) FROM test.by_workspace WHERE line ~ 'install_link.redeem'), 5, 'links that were redeemed'
	UNION ALL SELECT (SELECT count(*) FROM test.by_workspace WHERE line ~ 'invitation.accept'), 5, 'invitations that were accepted'
	UNION ALL SELECT (SELECT count(*) FROM test.by_workspace WHERE line ~ 'transfer'), 3, 'transfers') t (n, least, what);

-- the customers

SELECT is_empty($$
	SELECT w.name, line FROM test.by_workspace w, regexp_matches(line, '\m([abvw])[1-4]\M', 'g') found
	WHERE found[1] <> w.side
		AND NOT EXISTS (SELECT FROM test.managed m JOIN test.company c ON c.id = m.organization
			WHERE m.workspace = w.id AND c.side = found[1])
	$$, 'a workspace''s log names its own people and those of its managers, and nobody else');
SELECT is_empty($$
	SELECT w.name, line FROM test.by_workspace w, test.place other
	WHERE other.id <> w.id AND (line ~ other.id::text OR line ~ other.name)
	$$, 'and no other workspace, of the same customer or of another');
SELECT is_empty($$
	SELECT w.name, line FROM test.by_workspace w, test.company c
	WHERE (line ~ c.id::text OR line ~ c.name)
		AND NOT EXISTS (SELECT FROM test.managed m WHERE m.workspace = w.id AND m.organization = c.id)
	$$, 'and no organization that never managed it');
SELECT is_empty($$
	SELECT w.name, line FROM test.by_workspace w WHERE line ~ 'organization(_member)?\.|install_link\.(create|revoke)|@vendor'
	$$, 'and nothing that the managers did at home');
SELECT set_eq($$
	SELECT d.n FROM test.done d
	WHERE NOT EXISTS (SELECT FROM test.by_workspace w
		WHERE w.id = d.workspace AND w.line ~ ',workspace.update,' AND w.line ~ d.organization::text
			AND w.line ~ format('[(,]%s,cnap_test_app,', d.actor) AND position(d.path in w.line) > 0)
	$$, ARRAY[]::integer[], 'each act of the managers is there, with its path');
SELECT results_eq($$
	SELECT w.id, count(*) FROM test.by_workspace w WHERE w.line ~ 'workspace.update' GROUP BY 1 ORDER BY 1
	$$, 'SELECT workspace, count(*) FROM test.done GROUP BY 1 ORDER BY 1', 'and as often as it was done');

-- the organizations

SELECT is_empty($$
	SELECT o.name, line FROM test.by_organization o, regexp_matches(line, '\m([vw])[1-4]\M', 'g') found
	WHERE found[1] <> o.side
	$$, 'an organization''s log names nobody of another organization');
SELECT is_empty($$
	SELECT o.name, line FROM test.by_organization o, test.company other
	WHERE other.id <> o.id AND (line ~ other.id::text OR line ~ other.name)
	$$, 'and no other organization');
SELECT is_empty($$
	SELECT o.name, line FROM test.by_organization o, test.place p
	WHERE (line ~ p.id::text OR line ~ p.name)
		AND NOT EXISTS (SELECT FROM test.managed m WHERE m.workspace = p.id AND m.organization = o.id)
	$$, 'and no workspace that it never managed');
SELECT is_empty($$
	SELECT o.name, line FROM test.by_organization o
	WHERE line ~ '\m[ab][1-4]\M' AND line !~ ',(management\.(grant|change|revoke)|install_link\.redeem),'
	$$, 'and of the customers'' people only those who granted or revoked the management of a workspace');
SELECT is_empty($$
	SELECT o.name, line FROM test.by_organization o
	WHERE line ~ 'workspace_member\.|workspace\.(billing|transfer)|@customer'
	$$, 'and nothing that customers did among themselves');
SELECT set_eq($$
	SELECT d.n FROM test.done d
	WHERE NOT EXISTS (SELECT FROM test.by_organization o
		WHERE o.id = d.organization AND o.line ~ ',workspace.update,' AND o.line ~ d.workspace::text)
	$$, ARRAY[]::integer[], 'each act of its people in a workspace is there');

SELECT finish();
ROLLBACK;
