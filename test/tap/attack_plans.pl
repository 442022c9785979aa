#
# attack_plans.pl: what outlives an identity, used by the next one
#
# Erin has used a session of the application server's role, and left prepared statements, plans of
# functions and cursors. Mia, or no user, must not get any of her rows through them. Likewise for
# parallel workers, which a session starts in its own name, and for users who have lost their
# access.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

my $node = new_world('main', "max_worker_processes = 16\n");
my $admin = connect_to($node, undef, 'GRANT CREATE ON SCHEMA app TO cnap_app',
	q{
	CREATE TABLE app.part (id int, workspace_id uuid, note text) PARTITION BY LIST (workspace_id);
	CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES IN ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002');
	CREATE TABLE app.part_2 PARTITION OF app.part DEFAULT;
	INSERT INTO app.part TABLE app.deployment;
	CREATE INDEX ON app.part (workspace_id);
	SELECT cnap_protect('app.part');
	CREATE VIEW app.view WITH (security_invoker) AS SELECT * FROM app.deployment;
	CREATE FUNCTION app.kept() RETURNS text LANGUAGE plpgsql
	AS $$ BEGIN RETURN (SELECT string_agg(note, ',' ORDER BY id) FROM app.deployment); END $$;
	CREATE FUNCTION app.kept_in_sql() RETURNS SETOF text LANGUAGE sql STABLE
	AS $$ SELECT note FROM app.deployment $$;
	CREATE FUNCTION app.kept_atomic() RETURNS SETOF text LANGUAGE sql STABLE
	BEGIN ATOMIC SELECT note FROM app.deployment; END;
	CREATE FUNCTION app.trusted() RETURNS text LANGUAGE plpgsql PARALLEL SAFE SECURITY DEFINER SET cnap.user_id = 'erin'
	AS $$ BEGIN RETURN (SELECT string_agg(note, ',' ORDER BY id) FROM app.deployment); END $$;
	ALTER FUNCTION app.trusted() OWNER TO cnap_app;
	GRANT SELECT ON app.part, app.view TO cnap_app, plain});

my %statements = (
	'a scan' => 'SELECT note FROM app.deployment',
	'a scan of partitions' => 'SELECT note FROM app.part',
	'a partition chosen by the user' =>
	  'SELECT note FROM app.part WHERE workspace_id = ANY (cnap_accessible_workspaces())',
	'a join' => 'SELECT a.note FROM app.deployment a JOIN app.part b USING (workspace_id)',
	'an aggregate' => q{SELECT string_agg(note, ',') FROM app.deployment},
	'a view' => 'SELECT note FROM app.view',
	'a plan of PL/pgSQL' => 'SELECT app.kept()',
	'a plan of an SQL function' => 'SELECT app.kept_in_sql()',
	'a plan of an SQL function with a parsed body' => 'SELECT app.kept_atomic()',
	'a subquery executed once' => 'SELECT note FROM app.part WHERE workspace_id = ANY ((SELECT cnap_accessible_workspaces())::uuid[])',
	'the user itself' => "SELECT 'three' WHERE cnap_current_user() = 'erin'",
	'a check of a constant' => "SELECT 'three' WHERE cnap_can_access('$W3')",
	'a role' => "SELECT 'three' WHERE cnap_workspace_role('$W3') IS NOT NULL",
	'a listing' => "SELECT CASE id WHEN '$W3' THEN 'three' END FROM cnap_workspaces()",
	'an update' => 'UPDATE app.deployment SET note = note RETURNING note',
	'a lock' => 'SELECT note FROM app.deployment FOR UPDATE');

# Statements that hand the session from erin to the next one: no user, or mia
my @handovers = (
	[ 'SET' => "SET cnap.user_id = 'mia'" ],
	[ 'RESET' => 'RESET cnap.user_id' ],
	[ 'RESET ALL' => 'RESET ALL' ],
	[ 'SET ROLE' => "SET cnap.user_id = 'mia'; SET ROLE plain" ],
	[ 'the end of a transaction' => 'COMMIT' ],
	[ 'a rollback' => 'ROLLBACK' ],
	[ 'an error' => 'SELECT 1/0; ROLLBACK' ],
	[ 'a savepoint' => 'ROLLBACK TO s' ]);

sub given_to_erin
{
	my ($handover) = @_;

	return "SET cnap.user_id = 'erin'" if $handover =~ /SET/;
	return "SET cnap.user_id = 'mia'; BEGIN; SAVEPOINT s; SET LOCAL cnap.user_id = 'erin'";
}

# ---- prepared statements and cached plans ----

$admin->query('GRANT plain TO cnap_app');
foreach my $mode ('force_generic_plan', 'force_custom_plan')
{
	foreach my $scan ('enable_seqscan', 'enable_indexscan')
	{
		my $session = connect_to($node, 'cnap_app');
		my $n = 0;
		my %names = map { $_ => 'p' . $n++ } sort keys %statements;

		$session->query("PREPARE $names{$_} AS $statements{$_}") foreach sort keys %names;
		foreach my $handover (@handovers)
		{
			my ($way, $sql) = @$handover;
			my @wrong;

			foreach my $name (sort keys %statements)
			{
				$session->attempt($_) foreach "SET plan_cache_mode = $mode; SET $scan = off", given_to_erin($way);
				push @wrong, "erin sees nothing by $name" if $session->query("EXECUTE $names{$name}") !~ /three/;
				$session->attempt($sql);
				my $got = $session->attempt("EXECUTE $names{$name}");
				push @wrong, "$name: $got" if $got =~ /three/ || $got =~ /erin/;
				$session->attempt($_) foreach 'ROLLBACK', 'RESET ROLE', 'RESET ALL';
			}
			is("@wrong", '', "prepared by erin, after $way: $mode, $scan off");
		}
		$session->quit;
	}
}

# ---- cursors ----

foreach my $kind ('NO SCROLL CURSOR', 'SCROLL CURSOR', 'BINARY CURSOR')
{
	foreach my $fetched (0, 1)
	{
		my $session = connect_to($node, 'cnap_app', 'BEGIN', "SET LOCAL cnap.user_id = 'mia'",
			"DECLARE c $kind FOR SELECT note FROM app.deployment UNION ALL SELECT note FROM app.part", "MOVE $fetched FROM c");

		$session->query('SAVEPOINT s; SET LOCAL cnap.user_id = \'carol\'');
		unlike($session->attempt('FETCH ALL FROM c'), qr/three/, "mia's $kind, $fetched rows fetched, goes on as another's");
		$session->attempt('ROLLBACK TO s');
		unlike($session->attempt('FETCH ALL FROM c'), qr/three/, 'and after the savepoint');
		$session->quit;
	}
}
{
	my $session = connect_to($node, 'cnap_app', 'BEGIN', "SET LOCAL cnap.user_id = 'erin'",
		'DECLARE c CURSOR FOR SELECT note FROM app.deployment', 'COMMIT');
	refused($session, "erin's cursor ends with the transaction", 'FETCH c', '34000');
	$session->query("BEGIN; SET LOCAL cnap.user_id = 'erin'; DECLARE c CURSOR WITH HOLD FOR SELECT note FROM app.deployment; ROLLBACK");
	refused($session, 'and a cursor WITH HOLD if that is rolled back', 'FETCH c', '34000');
	$session->query("BEGIN; SET LOCAL cnap.user_id = 'erin'; DECLARE c CURSOR WITH HOLD FOR SELECT note FROM app.deployment; COMMIT; DISCARD ALL");
	refused($session, 'one that is held ends with DISCARD ALL', 'FETCH c', '34000');
	$session->quit;

	# WITH HOLD, the rows are those of whoever is the user when the transaction ends
	$session = connect_to($node, 'plain', 'BEGIN', 'DECLARE c CURSOR WITH HOLD FOR SELECT note FROM app.deployment',
		'SAVEPOINT s');
	$session->attempt("SET LOCAL cnap.user_id = 'erin'");
	$session->query('ROLLBACK TO s; COMMIT');
	is($session->query('FETCH ALL FROM c'), '', 'a cursor WITH HOLD of nobody holds nothing');
	$session->quit;
	$session = connect_to($node, 'cnap_app', 'BEGIN', "SET LOCAL cnap.user_id = 'mia'",
		'DECLARE c CURSOR WITH HOLD FOR SELECT note, app.trusted() IS NOT NULL FROM app.deployment ORDER BY id', 'COMMIT');
	is($session->query('FETCH ALL FROM c'), "one|t\ntwo|t", 'one that calls a function which is erin holds the rows of its own user');
	$session->quit;
}

# ---- in the middle of a statement ----

{
	my $session = connect_to($node, 'cnap_app', "SET cnap.user_id = 'mia'");
	foreach my $query ('SELECT note FROM app.deployment WHERE app.trusted() IS NOT NULL ORDER BY id',
		q{SELECT note FROM app.deployment WHERE app.trusted() = 'three' AND note <> '' ORDER BY id},
		'SELECT note FROM (SELECT app.trusted() OFFSET 0) t, app.deployment ORDER BY id',
		'SELECT d.note FROM app.deployment d, LATERAL (SELECT app.trusted() OFFSET 0) t ORDER BY id',
		'WITH t AS MATERIALIZED (SELECT app.trusted()) SELECT note FROM app.deployment, t ORDER BY id')
	{
		is($session->query($query), "one\ntwo", "a function that is erin while it runs: $query");
	}
	$session->quit;
}

# ---- parallel workers ----

$admin->query('ALTER TABLE app.deployment SET (parallel_workers = 2); ALTER TABLE app.part_1 SET (parallel_workers = 2); ALTER TABLE app.part_2 SET (parallel_workers = 2)');
$admin->query(q{
	CREATE FUNCTION app.names_erin(text) RETURNS text LANGUAGE plpgsql PARALLEL SAFE
	AS $$ BEGIN RETURN set_config('cnap.user_id', 'erin', false); END $$;
	CREATE FUNCTION app.names_erin_or_not(text) RETURNS text LANGUAGE plpgsql PARALLEL SAFE
	AS $$ BEGIN RETURN set_config('cnap.user_id', 'erin', false); EXCEPTION WHEN OTHERS THEN RETURN $1; END $$});
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_indexscan = off; SET enable_bitmapscan = off; SET parallel_leader_participation = ';
my $of_workers = 'SELECT note, cnap_current_user() FROM app.deployment';

foreach my $leader ('on', 'off')
{
	my $title = "parallel workers, the leader's part $leader";
	my $session = connect_to($node, 'plain', "$parallel$leader");

	like($session->query("EXPLAIN $of_workers"), qr/Gather/, "$title: there are some");
	is($session->query($of_workers), '', "$title: of nobody");
	$session->quit;

	$session = connect_to($node, 'plain', "$parallel$leader", "SET cnap.user_id = 'erin'");
	unlike($session->attempt($of_workers), qr/three/, "$title: of a forged erin, before the library is loaded");
	unlike($session->attempt($of_workers), qr/three/, "$title: and after");
	$session->quit;
	$session = connect_to($node, 'plain', "$parallel$leader", 'BEGIN', "SET LOCAL cnap.user_id = 'erin'", 'SAVEPOINT s');
	unlike($session->attempt("SELECT note, cnap_current_user() FROM app.deployment"), qr/three/, "$title: the forgery in a transaction");
	$session->quit;

	$session = connect_to($node, 'plain', "$parallel$leader");
	foreach my $function ('names_erin', 'names_erin_or_not')
	{
		unlike($session->attempt("SELECT note, app.$function(note) FROM app.deployment"), qr/three/, "$title: $function() in their output");
		unlike($session->attempt("SELECT note FROM app.deployment WHERE app.$function(note) IS NOT NULL"), qr/three/, "$title: $function() in their WHERE");
	}
	is(state($session), $NOBODY, "$title: and afterwards");
	$session->quit;

	$session = connect_to($node, 'cnap_app', "$parallel$leader");
	is($session->query("BEGIN; SET LOCAL cnap.user_id = 'mia'; $of_workers ORDER BY id"), "one|mia\ntwo|mia", "$title: of mia, in a transaction");
	is($session->query("SAVEPOINT s; SET LOCAL cnap.user_id = 'erin'; ROLLBACK TO s; $of_workers ORDER BY id"), "one|mia\ntwo|mia",
		"$title: after a savepoint of erin's");
	is($session->query("SELECT note, app.trusted() FROM app.deployment ORDER BY id"), "one|three\ntwo|three",
		"$title: beside a function that is erin");
	is($session->query("COMMIT; $of_workers"), '', "$title: after the transaction");
	$session->query("PREPARE p AS $of_workers; SET cnap.user_id = 'erin'; SET plan_cache_mode = force_generic_plan; EXECUTE p");
	is(join(',', sort split /\n/, $session->query("SET cnap.user_id = 'mia'; EXECUTE p")), 'one|mia,two|mia', "$title: a prepared statement of erin's");
	is($session->query("RESET cnap.user_id; EXECUTE p"), '', "$title: the same of nobody");
	$session->quit;
}

# If only the workers load the library, they get the placeholders of their leader.
$admin->query(qq{
	CREATE TABLE app.numbers AS SELECT n FROM generate_series(1, 1000) n;
	ALTER TABLE app.numbers SET (parallel_workers = 2);
	GRANT SELECT ON app.numbers TO plain;
	CREATE FUNCTION app.asks(int) RETURNS text LANGUAGE plpgsql PARALLEL SAFE
	AS \$\$ BEGIN RETURN 'it is ' || coalesce(cnap_current_user(), 'nobody') || cnap_can_access('$W3'); END \$\$});
foreach my $forgery ("SET cnap.user_id = 'erin'", "BEGIN; SET LOCAL cnap.user_id = 'erin'", "SET cnap.user_id = 'erin'; BEGIN; SAVEPOINT s; SET LOCAL cnap.user_id = 'erin'",
	"SET cnap.session_token = '$W3'; SET cnap.user_id = 'erin'", q(SET cnap.claims_setting = 'my.claims'; SET my.claims = '{"sub": "erin"}'))
{
	my $session = connect_to($node, 'plain', $parallel . 'off', $forgery);
	my $query = 'SELECT app.asks(n) FROM app.numbers';

	like($session->query("EXPLAIN $query"), qr/Gather/, '(parallel workers of a leader without the library)');
	my %answers = map { $_ => 1 } grep { /^it is/ } split /\n/, $session->attempt($query);
	is(join(',', keys %answers), 'it is nobodyfalse', "parallel workers take no forgery from a leader without the library: $forgery");
	$session->quit;
}

# ---- users who have lost their access ----

foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my $carol = connect_to($node, 'cnap_app', "SET cnap.user_id = 'carol'");
	my $gus = connect_to($node, 'cnap_app', "SET cnap.user_id = 'gus'", "SET plan_cache_mode = force_generic_plan",
		'PREPARE p AS SELECT note FROM app.deployment', 'PREPARE q AS SELECT app.kept()', "BEGIN ISOLATION LEVEL $isolation",
		'DECLARE c CURSOR FOR SELECT note FROM app.deployment');
	my @ways = ('EXECUTE p', 'EXECUTE q', 'SELECT note FROM app.deployment', 'SELECT note FROM app.part WHERE note IS NOT NULL',
		'SELECT app.kept_in_sql()', "SELECT 'one' WHERE cnap_can_access('$W1')",
		"SELECT 'one' FROM unnest(cnap_accessible_workspaces()) w WHERE w = '$W1'",
		'UPDATE app.deployment SET note = note RETURNING note');

	is($gus->query($_), 'one', "$isolation: gus is in: $_") foreach @ways;
	$gus->query('SAVEPOINT s');
	$carol->query("SELECT cnap_remove_workspace_member('$W1', 'gus')");
	is($gus->query($_), '', "$isolation: and out: $_") foreach @ways;
	is($gus->query("FETCH c"), '', "$isolation: out of a cursor that had not begun");
	$gus->query('ROLLBACK TO s');
	is($gus->query($_), '', "$isolation: rolling back does not let him in: $_") foreach @ways;
	$gus->attempt('SELECT 1/0');
	$gus->query('ROLLBACK');
	is($gus->query($_), '', "$isolation: nor does an error: $_") foreach @ways;
	$carol->query("SELECT cnap_add_workspace_member('$W1', 'gus', 'admin')");
	$_->quit foreach $carol, $gus;
}

$node->stop;
done_testing();
