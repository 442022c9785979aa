#
# pairs.pl: all users and all workspaces of a larger population, against the rules
#
# In each round random rows change in every table that access depends on, by direct statements. Then
# every permission of every user in every workspace, as the checks answer it, is compared with a query
# that states the rules anew from these tables, and so are lists within the limits of random tokens.
# Roles and permissions of the application's own, grants of all three kinds, ends in the past and in
# the future, assignments and activations are among them. test/tap/differential.pl compares fewer
# pairs, in more states of a session.
#
#   CNAP_ROUNDS  number of rounds; each compares 250 thousand pairs
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use Test::More;

my $rounds = $ENV{CNAP_ROUNDS} // 2;
my $seed = $ENV{CNAP_SEED} // time;
my $node = new_node('pairs', "autovacuum = off\njit = off\nfsync = off");
my $session = connect_to($node, undef, 'SET client_min_messages = error', 'SET work_mem = \'256MB\'');

diag "CNAP_SEED=$seed";
$session->query(q{CREATE EXTENSION cnap_org;
	SELECT setseed(} . ($seed % 1000) / 1000 . q{);
	CREATE SCHEMA test;
	CREATE TABLE test.person AS SELECT 'u' || n AS id, n FROM generate_series(1, 250) n;
	CREATE FUNCTION test.ending() RETURNS timestamptz VOLATILE LANGUAGE sql AS
		$$ SELECT CASE WHEN random() < 0.3 THEN now() + (random() - 0.5) * interval '10 days' END $$;
	SELECT cnap_define_role('viewer', '{}'), cnap_define_role('deployer', '{administer}'), cnap_define_role('recruiter', '{manage_members}');
	SELECT cnap_define_permission('deploy', '{admin,deployer}'), cnap_define_permission('read_logs', '{member,deployer,viewer}'),
		cnap_define_permission('secrets', '{admin,deployer}', false);
	INSERT INTO cnap.organization (id, name) SELECT gen_random_uuid(), 'o' || n FROM generate_series(1, 40) n;
	INSERT INTO cnap.organization_member (organization_id, user_id, role)
		SELECT o.id, p.id, CASE WHEN p.n % 40 + 1 = substr(o.name, 2)::int THEN 'owner' ELSE 'member' END
		FROM cnap.organization o, test.person p WHERE p.n % 40 + 1 = substr(o.name, 2)::int OR random() < 0.05;
	INSERT INTO cnap.workspace (name, owner_id) SELECT 'w' || n, 'u' || 1 + n % 250 FROM generate_series(1, 1000) n});

# The rules: who has which permission where, from the rows of the tables alone
$session->query(q{CREATE VIEW test.matrix (role, permission, of_owner, of_member, of_manager) AS
	SELECT r.name, p.permission, true, p.permission = ANY (r.permissions), p.delegable AND p.permission = ANY (r.permissions)
	FROM (VALUES ('access', true), ('administer', true), ('manage_members', false), ('manage_roles', false), ('manage_delegation', false),
			('billing', false), ('transfer', false), ('delete', false)
		UNION ALL SELECT name, delegable FROM cnap.permission_definition) p (permission, delegable),
		(SELECT d.name, d.permissions || 'access'::text || ARRAY(SELECT name FROM cnap.permission_definition WHERE d.name = ANY (roles))
		FROM (VALUES ('admin', '{administer,manage_members}'::text[]), ('member', '{}')
			UNION ALL SELECT name, permissions FROM cnap.role_definition) d (name, permissions)) r (name, permissions)});
$session->query(q{CREATE FUNCTION test.rules() RETURNS TABLE (user_id text, workspace_id uuid, permissions text[]) STABLE LANGUAGE sql AS $$
	SELECT w.user_id, w.workspace_id, array_agg(DISTINCT w.permission ORDER BY w.permission)
	FROM (SELECT owner_id, id, permission FROM cnap.workspace, (SELECT DISTINCT permission FROM test.matrix) p
		UNION ALL
		SELECT m.user_id, m.workspace_id, x.permission FROM cnap.workspace_member m JOIN test.matrix x ON x.role = m.role AND x.of_member
		UNION ALL
		SELECT m.user_id, w.id, x.permission
		FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
			JOIN test.matrix x ON x.role = w.managed_role AND x.of_manager
			LEFT JOIN cnap.assignment a ON a.workspace_id = w.id AND a.user_id = m.user_id
		WHERE (w.managed_until IS NULL OR w.managed_until > now())
			AND (w.managed_access = 'all' OR (a.user_id IS NOT NULL AND (a.until IS NULL OR a.until > now())))
		) w (user_id, workspace_id, permission)
	GROUP BY 1, 2 $$;
	CREATE FUNCTION test.answers() RETURNS TABLE (user_id text, workspace_id uuid, permissions text[]) VOLATILE LANGUAGE sql AS $$
	SELECT u.id, w.id, ARRAY(SELECT permission FROM (SELECT DISTINCT permission FROM test.matrix) p
		WHERE cnap_has_permission(u.id, w.id, p.permission) ORDER BY 1)
	FROM test.person u, cnap.workspace w $$});

# Everything that access depends on, in part
my @changes = (
	q{UPDATE cnap.workspace SET managed_by = NULL WHERE managed_by IS NOT NULL AND random() < 0.3},
	q{UPDATE cnap.workspace w SET managed_by = o.id, managed_until = test.ending(),
		managed_role = (ARRAY['admin', 'member', 'viewer', 'deployer', 'recruiter'])[1 + floor(random() * 5)],
		managed_access = (ARRAY['all', 'assigned', 'activated'])[1 + floor(random() * 3)]
		FROM (SELECT id, row_number() OVER () AS n FROM cnap.organization) o
		WHERE managed_by IS NULL AND o.n = 1 + hashtext(w.id::text) & 31 AND random() < 0.7},
	q{DELETE FROM cnap.workspace_member WHERE random() < 0.3},
	q{INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
		SELECT w.id, p.id, (ARRAY['admin', 'member', 'viewer', 'deployer', 'recruiter'])[1 + floor(random() * 5)]
		FROM cnap.workspace w, test.person p WHERE random() < 0.01 AND w.owner_id <> p.id ON CONFLICT DO NOTHING},
	q{DELETE FROM cnap.organization_member WHERE role = 'member' AND random() < 0.2},
	q{INSERT INTO cnap.organization_member (organization_id, user_id) SELECT o.id, p.id FROM cnap.organization o, test.person p
		WHERE random() < 0.02 ON CONFLICT DO NOTHING},
	q{DELETE FROM cnap.assignment WHERE random() < 0.3},
	q{INSERT INTO cnap.assignment (workspace_id, user_id, until, reason)
		SELECT w.id, m.user_id, coalesce(test.ending(), CASE w.managed_access WHEN 'activated' THEN now() + interval '1 hour' END),
			CASE w.managed_access WHEN 'activated' THEN 'ticket' END
		FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
		WHERE w.managed_access <> 'all' AND (w.managed_until > now()) IS NOT FALSE AND random() < 0.4 ON CONFLICT DO NOTHING},
	q{UPDATE cnap.workspace SET owner_id = 'u' || 1 + floor(random() * 250) WHERE random() < 0.05},
	q{SELECT cnap_define_permission('deploy', CASE WHEN random() < 0.5 THEN '{admin,deployer}' ELSE '{deployer,recruiter}' END::text[], random() < 0.5)},
	q{SELECT cnap_define_role('viewer', CASE WHEN random() < 0.5 THEN '{}' ELSE '{manage_members}' END::text[])});

my ($pairs, $granted, $differ) = (0, 0, '');

foreach my $round (1 .. $rounds)
{
	$session->query($_) foreach @changes;
	my ($compared, $with, $examples) = split /\|/, $session->query(q{WITH compared AS (
			SELECT user_id, workspace_id, r.permissions AS expected, a.permissions AS answer
			FROM test.answers() a LEFT JOIN test.rules() r USING (user_id, workspace_id))
		SELECT count(*), count(*) FILTER (WHERE answer <> '{}'),
			(SELECT string_agg(d::text, ' ') FROM (SELECT c FROM compared c WHERE answer <> coalesce(expected, '{}') LIMIT 5) d)
		FROM compared}), 3;
	$pairs += $compared;
	$granted += $with;
	$differ .= $examples;
}
is($differ, '', "$pairs pairs, of which $granted have access: the checks answer as the rules say");
cmp_ok($granted, '>', $pairs / 100, 'some have access');
cmp_ok($granted, '<', $pairs / 2, 'and most have none');

# ---- tokens with limits ----

my ($tokens, $wrong) = (0, '');

foreach my $n (1 .. 10 * $rounds)
{
	my $user = 'u' . (1 + $n * 7 % 250);

	$session->query("SELECT set_config('cnap.user_id', '$user', false) \\g /dev/null\nSELECT set_config('test.token', cnap_create_access_token('t', NULL,"
		  . " ARRAY(SELECT w FROM unnest(cnap_accessible_workspaces()) w WHERE random() < 0.5),"
		  . q{ ARRAY(SELECT permission FROM (SELECT DISTINCT permission FROM test.matrix) p WHERE permission = 'access' OR random() < 0.5)), false) \g /dev/null}
		  . "\nSET cnap.user_id = ''");
	$session->query(q{SELECT cnap_authenticate(current_setting('test.token'), false) \g /dev/null});
	$wrong .= $session->query(qq{SELECT string_agg(w.id::text || ':' || p.permission, ' ')
		FROM cnap.workspace w CROSS JOIN (SELECT DISTINCT permission FROM test.matrix) p
			CROSS JOIN (SELECT * FROM cnap.access_token ORDER BY created_at DESC LIMIT 1) t
			LEFT JOIN test.rules() r ON r.user_id = '$user' AND r.workspace_id = w.id
		WHERE cnap_has_permission(w.id, p.permission) IS DISTINCT FROM
			(w.id = ANY (t.workspaces) AND p.permission = ANY (t.permissions) AND p.permission = ANY (coalesce(r.permissions, '{}')))});
	$session->query("DISCARD ALL;\nSET client_min_messages = error");
	$tokens++;
}
is($wrong, '', "$tokens limited tokens: the user's rights, and the limits");
done_testing();
