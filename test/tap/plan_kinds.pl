#
# plan_kinds.pl: a plan that was made for one user is not executed for another kind of user
#
# A statement is prepared and executed by one user in a session, and then executed by another: the plan
# must be the one that a session of this user's own has. Users of one kind share a plan.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('plan_kinds', "autovacuum = off\nmax_parallel_workers_per_gather = 0");
my $admin = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN', 'CREATE ROLE other LOGIN',
	"SELECT cnap_trust('app')", "\\i $FindBin::RealBin/cache.sql");

# fay and flo see few rows, half half of them, and tim has many workspaces and few rows.
$admin->query(<<'SQL');
CREATE FUNCTION test.v(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ('50000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
SELECT test.v(n), 'w', CASE WHEN n <= 5 THEN 'fay' WHEN n <= 12 THEN 'flo' WHEN n <= 14 THEN 'half' WHEN n <= 3014 THEN 'tim' ELSE 'others' END, '2000-01-01'
FROM generate_series(1, 3100) n;
CREATE TABLE test.item AS
SELECT n AS id, test.v(CASE WHEN n % 2 = 0 THEN 13 + n / 2 % 2 WHEN n % 1000 = 1 THEN 15 + n / 10 % 3000
	WHEN n % 1000 = 3 THEN 1 + n / 1000 % 5 WHEN n % 1000 = 5 THEN 6 + n / 1000 % 7 ELSE 3015 + n % 86 END) AS workspace_id, 'x' AS note
FROM generate_series(1, 40000) n;
ALTER TABLE test.item ADD PRIMARY KEY (id);
CREATE INDEX item_workspace_id_idx ON test.item (workspace_id);
SELECT cnap_protect('test.item');
GRANT SELECT ON test.item TO app, other;
GRANT USAGE ON SCHEMA test TO other;
VACUUM ANALYZE test.item;
-- evaluated once for each planning
CREATE SEQUENCE test.plannings;
CREATE FUNCTION test.planned() RETURNS boolean LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER
AS $$ BEGIN PERFORM nextval('test.plannings'); RETURN true; END $$;
CREATE FUNCTION test.plan(OUT line text) RETURNS SETOF text LANGUAGE plpgsql
AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) EXECUTE s'; END $$;
GRANT SELECT ON test.plannings TO app;
SQL

my %statements = (
	'without parameters' => [ 'PREPARE s AS SELECT sum(id), count(note) FROM test.item WHERE test.planned()', 's' ],
	'with a parameter' => [ 'PREPARE s(int) AS SELECT sum(id), count(note) FROM test.item WHERE id > $1 AND test.planned()', 's(0)' ]);
my @users = ('fay', 'half', 'tim', 'nobody');
my $plannings = sub { return $admin->query('SELECT last_value FROM test.plannings') };
my %own;

foreach my $name (sort keys %statements)
{
	my ($prepare, $call) = @{ $statements{$name} };

	foreach my $user (@users)
	{
		my $session = connect_to($node, 'app', "SET cnap.user_id = '$user'", $prepare, 'SET plan_cache_mode = force_generic_plan');

		# what the session learns in executing it may improve the plan
		$session->query("EXECUTE $call; SELECT cnap_accessible_workspaces()") foreach 1 .. 2;
		$own{"$name, $user"} = $session->query("DEALLOCATE s; $prepare; EXPLAIN (COSTS off) EXECUTE $call");
		$session->quit;
	}
	like($own{"$name, fay"}, qr/reachable/, "$name: somebody with few rows uses the index");
	unlike($own{"$name, half"}, qr/reachable/, "$name: somebody with half of the rows does not");

	foreach my $first ('', @users)
	{
		foreach my $second (@users)
		{
			my $session = connect_to($node, 'app', 'SET plan_cache_mode = force_generic_plan', $prepare);

			$session->query("SET cnap.user_id = '$second'; SELECT cnap_accessible_workspaces(); SET cnap.user_id = '$first'");
			$session->query("EXECUTE $call");
			$session->query("BEGIN; SET LOCAL cnap.user_id = '$second'");
			is($session->query("EXPLAIN (COSTS off) EXECUTE $call"), $own{"$name, $second"},
				"$name: made for '$first', executed as $second");
			$session->query('ROLLBACK');
			$session->query("EXECUTE $call; SET cnap.user_id = '$second'");
			is($session->query("EXPLAIN (COSTS off) EXECUTE $call"), $own{"$name, $second"},
				"$name: made for '$first', executed as $second again");
			$session->quit;
		}
	}
}

# ---- many workspaces with few rows ----

{
	my $session = connect_to($node, 'app', "SET cnap.user_id = 'tim'", 'SET enable_seqscan = off');
	my ($workspaces) = $session->query('SELECT cardinality(cnap_accessible_workspaces())');
	my $plan = $session->query('EXPLAIN SELECT count(note) FROM test.item');
	my ($rows) = $plan =~ /Scan on item .*rows=(\d+)/;

	is($workspaces, 3000, 'many workspaces');
	like($plan, qr/Index Cond: \(workspace_id = ANY \(cnap.reachable/, 'many workspaces with few rows: by the index');
	cmp_ok($rows, '<', 200, 'many workspaces with few rows: the estimate');
	is($session->query('SELECT count(note) FROM test.item'), 40, 'many workspaces with few rows: the answer');
	is($session->query("SELECT count(note) FROM test.item WHERE workspace_id = test.v(15)"),
		$admin->query('SELECT count(*) FROM test.item WHERE workspace_id = test.v(15)'), 'one of them');
	$session->quit;
}

# ---- users of one kind, and nobody ----

my $session = connect_to($node, 'app', 'SET plan_cache_mode = force_generic_plan', $statements{'without parameters'}[0]);

$session->query("SET cnap.user_id = '$_'; EXECUTE s") foreach 'fay', 'flo', 'fay', 'flo';
SKIP:
{
	skip 'the server discards all caches', 2 if !keeps_caches($admin);
	my $before = $plannings->();
	foreach my $user (('fay', 'flo', '') x 20)
	{
		$session->query("BEGIN; SET LOCAL cnap.user_id = '$user'; EXECUTE s; COMMIT");
	}
	is($plannings->(), $before, 'users of one kind share a plan');
	$session->query("SET cnap.user_id = '$_'; EXECUTE s") foreach 'half', 'fay';
	cmp_ok($plannings->() - $before, '==', 2, 'users of two kinds do not');
}
$session->quit;

# ---- plans in functions ----

$admin->query(<<'SQL');
CREATE FUNCTION test.explain() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	scans bigint := pg_stat_get_xact_numscans('test.item_workspace_id_idx'::regclass);
	found bigint;
BEGIN
	SELECT count(note) INTO found FROM test.item;
	RETURN found || CASE WHEN pg_stat_get_xact_numscans('test.item_workspace_id_idx'::regclass) > scans THEN ' by index' ELSE '' END;
END
$$;
SQL
$session = connect_to($node, 'app', 'SET plan_cache_mode = force_generic_plan');
my @found = map { $session->query("SET cnap.user_id = '$_'; SELECT test.explain()") } 'fay', 'half', 'fay', 'half';
is("@found", '40 by index 20000 40 by index 20000', 'plans in a function');
$session->quit;

# ---- other sources of the identity ----

# tokens
my %token = map { ($_ => $admin->query("SET cnap.user_id = '$_'; SELECT cnap_create_access_token('t')")) } 'fay', 'flo', 'half';
$admin->query('RESET cnap.user_id');
$session = connect_to($node, 'other', 'SET plan_cache_mode = force_generic_plan');
@found = map { $session->query("BEGIN; SELECT FROM cnap_authenticate('$token{$_}'); SELECT test.explain(); COMMIT") } 'fay', 'half', 'flo', 'half', 'fay';
is("@found", '40 by index 20000 40 by index 20000 40 by index', 'access tokens');
$session->quit;

# claims, which change without our noticing before the next check
$admin->query("ALTER ROLE other SET cnap.claims_setting = 'request.jwt.claims'");
$session = connect_to($node, 'other', 'SET plan_cache_mode = force_generic_plan');
@found = map { $session->query("BEGIN; SET LOCAL request.jwt.claims = '{\"sub\": \"$_\"}'; SELECT test.explain(); COMMIT") } 'fay', 'half', 'flo', 'half', 'fay';
is("@found", '40 by index 20000 40 by index 20000 40 by index', 'claims');
$session->quit;

# a rollback to a savepoint
$session = connect_to($node, 'app', 'SET plan_cache_mode = force_generic_plan', "SET cnap.user_id = 'fay'");
@found = map { $session->query($_) } 'SELECT test.explain()', "BEGIN; SAVEPOINT a; SET LOCAL cnap.user_id = 'half'; SELECT test.explain()",
  'ROLLBACK TO a; SELECT test.explain()', 'COMMIT; SELECT test.explain()';
is("@found", '40 by index 20000 40 by index 40 by index', 'a rollback to a savepoint');
$session->quit;

# ---- more columns than are remembered ----

$admin->query(<<'SQL');
DO $$
BEGIN
	FOR n IN 1 .. 300 LOOP
		EXECUTE format('CREATE TABLE test.t%s (workspace_id uuid PRIMARY KEY)', n);
		EXECUTE format('SELECT cnap_protect(''test.t%s'')', n);
		EXECUTE format('GRANT SELECT ON test.t%s TO app', n);
	END LOOP;
END
$$;
SQL
$session = connect_to($node, 'app', 'SET plan_cache_mode = force_generic_plan', "SET cnap.user_id = 'fay'");
$session->query('SELECT test.explain()');
$session->query("SELECT count(*) FROM test.t$_") foreach 1 .. 300;
@found = map { $session->query("SET cnap.user_id = '$_'; SELECT test.explain()") } 'fay', 'half', 'fay';
is("@found", '40 by index 20000 40 by index', 'many columns');
$session->quit;

done_testing();
