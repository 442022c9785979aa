#
# cache_identity.pl: answers are about the current user, whoever that was before
#
# One session, as a connection pool hands it from one user to the next, with everything that
# outlives the change: prepared statements, generic plans, plans of functions, open cursors,
# settings that are restored by a savepoint or the end of a transaction.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('identity', "max_worker_processes = 16\n");
my $admin = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN',
	"SELECT cnap_trust('app')", "\\i $FindBin::RealBin/cache.sql", <<'SQL');
CREATE VIEW test.view WITH (security_barrier) AS
	SELECT count(*) AS n, min(workspace_id::text) AS first FROM test.doc;
ALTER VIEW test.view OWNER TO app;
CREATE FUNCTION test.kept() RETURNS text LANGUAGE plpgsql
AS $$
BEGIN
	RETURN (SELECT count(*) || '|' || coalesce(min(workspace_id::text), '') FROM test.doc);
END
$$;
CREATE FUNCTION test.sql_kept() RETURNS SETOF text LANGUAGE sql STABLE
AS $$ SELECT count(*) || '|' || coalesce(min(workspace_id::text), '') FROM test.doc $$;
SQL

# The rows that each user sees, and the first workspace. ann has 20 of 3 rows each, dora 2, the
# customer all 40.
my $first = '10000000-0000-4000-8000-0000000000';
my %seen = (ann => "60|${first}01", dora => "6|${first}01", customer => "120|${first}01",
	boss => "60|${first}01", nobody => '0|', '' => '0|');
my @users = (qw(ann dora nobody customer ann boss), '', 'ann', 'dora', '', 'customer', '', 'ann');

my %statements = (
	'sequential scan' => 'SELECT count(*), min(workspace_id::text) FROM test.doc',
	'partitions' => 'SELECT count(*), min(workspace_id::text) FROM test.part',
	'join' => 'SELECT count(*), min(d.workspace_id::text) FROM test.doc d JOIN test.part p USING (workspace_id, id)',
	'semi-join' => 'SELECT count(*), min(workspace_id::text) FROM test.doc'
	  . ' WHERE workspace_id IN (SELECT workspace_id FROM test.part)',
	'lateral' => 'SELECT count(*), min(d.workspace_id::text) FROM generate_series(1, 99) n,'
	  . ' LATERAL (SELECT * FROM test.doc WHERE workspace_id = test.w(n)) d',
	'view' => 'SELECT n, first FROM test.view',
	'PL/pgSQL' => 'SELECT test.kept()',
	'SQL function' => 'SELECT * FROM test.sql_kept()',
	'check' => 'SELECT 3 * count(*), min(test.w(n)::text) FROM generate_series(1, 99) n WHERE cnap_can_access(test.w(n))',
	'list' => 'SELECT 3 * count(*), min(w::text) FROM unnest(cnap_accessible_workspaces()) w',
	'subquery evaluated once' => 'SELECT 3 * count(*), min(w::text) FROM unnest((SELECT cnap_accessible_workspaces())) w');

foreach my $mode ('auto', 'force_generic_plan', 'force_custom_plan')
{
	foreach my $scan ('any', 'enable_seqscan', 'enable_indexscan')
	{
		my $session = connect_to($node, 'app', "SET plan_cache_mode = $mode");
		my @wrong;

		$session->query("SET $scan = off") if $scan ne 'any';
		foreach my $name (sort keys %statements)
		{
			(my $prepared = "p_$name") =~ s/\W/_/g;
			$session->query("SET cnap.user_id = 'ann'");
			$session->query("PREPARE $prepared AS $statements{$name}");
			$session->query("EXECUTE $prepared") foreach 1 .. 6;
			foreach my $user (@users)
			{
				$session->query("SET cnap.user_id = '$user'");
				my $got = $session->query("EXECUTE $prepared");
				push @wrong, "$name as '$user': $got" if $got ne $seen{$user};
			}
			$session->query('BEGIN');
			foreach my $user (@users)
			{
				$session->query("SET LOCAL cnap.user_id = '$user'");
				my $got = $session->query("EXECUTE $prepared");
				push @wrong, "$name as '$user' in a transaction: $got" if $got ne $seen{$user};
			}
			$session->query('COMMIT');
		}
		is("@wrong", '', "another user between two executions, plan_cache_mode $mode, off: $scan");
		$session->quit;
	}
}

# ---- settings that are restored ----

{
	my $session = connect_to($node, 'app', "SET cnap.user_id = 'dora'",
		"PREPARE p AS $statements{'sequential scan'}", 'EXECUTE p');
	my $expect = sub {
		my ($user, $when) = @_;
		is($session->query('EXECUTE p'), $seen{$user}, "$when: rows");
		is($session->query("SELECT cnap_can_access(test.w(2)), cnap_can_access(test.w(21)), cnap_can_access(test.w(40))"),
			{ ann => 't|f|f', dora => 'f|t|f', customer => 't|t|t', '' => 'f|f|f' }->{$user}, "$when: checks");
	};

	$expect->('dora', 'SET');
	$session->query("BEGIN; SET LOCAL cnap.user_id = 'ann'");
	$expect->('ann', 'SET LOCAL');
	$session->query("SAVEPOINT a; SET LOCAL cnap.user_id = 'customer'");
	$expect->('customer', 'SET LOCAL in a savepoint');
	$session->query('ROLLBACK TO a');
	$expect->('ann', 'ROLLBACK TO');
	$session->query("SET LOCAL cnap.user_id = 'customer'; RELEASE a");
	$expect->('customer', 'RELEASE');
	$session->query("ROLLBACK");
	$expect->('dora', 'ROLLBACK');
	$session->query("BEGIN; SELECT set_config('cnap.user_id', 'customer', true); COMMIT");
	$expect->('dora', 'COMMIT');
	$session->query("BEGIN; SET cnap.user_id = 'customer'; ROLLBACK");
	$expect->('dora', 'SET that is rolled back');
	$session->attempt("BEGIN; SET LOCAL cnap.user_id = 'customer'; SELECT 1/0");
	$session->query('ROLLBACK');
	$expect->('dora', 'an error');
	$session->query("DO \$\$ BEGIN SET LOCAL cnap.user_id = 'ann'; PERFORM count(*) FROM test.doc; RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END \$\$");
	$expect->('dora', 'an exception in PL/pgSQL');
	$session->query('RESET cnap.user_id');
	$expect->('', 'RESET');
	$session->query("SET cnap.user_id = 'ann'");
	$expect->('ann', 'SET again');
	$session->query("DISCARD ALL");
	$session->query("PREPARE p AS $statements{'sequential scan'}");
	$expect->('', 'DISCARD ALL');
	$session->quit;
}

# ---- cursors ----
#
# After the user has changed, a cursor returns the rows of the user who opened it or of the current
# user, and never anybody else's, whether or not the scan had begun.

foreach my $scan ('enable_seqscan', 'enable_indexscan')
{
	foreach my $fetched (0, 1, 7)
	{
		my $session = connect_to($node, 'app', "SET $scan = off", 'BEGIN', "SET LOCAL cnap.user_id = 'dora'",
			'DECLARE c CURSOR FOR SELECT workspace_id FROM test.doc',
			'DECLARE s SCROLL CURSOR FOR SELECT workspace_id FROM test.part ORDER BY workspace_id');
		my $title = "cursor of which $fetched rows were fetched, $scan off";

		$session->query("MOVE $fetched FROM $_") foreach 'c', 's';
		$session->query("SET LOCAL cnap.user_id = 'ann'");
		foreach my $cursor ('c', 's')
		{
			my @numbers = map { substr $_, -2 } split /\n/, $session->query("FETCH ALL FROM $cursor");
			is(scalar(grep { $_ > 20 && $_ != 21 } @numbers), 0, "$title, $cursor: nothing that is neither's");
		}
		$session->query("SET LOCAL cnap.user_id = 'dora'");
		is($session->query('SELECT count(*) FROM test.doc'), 6, "$title: a new statement is the current user's");
		$session->quit;
	}
}

# A cursor WITH HOLD is read to its end by the COMMIT, on behalf of the user at that time.
{
	my $session = connect_to($node, 'app', 'BEGIN', "SET LOCAL cnap.user_id = 'dora'",
		'DECLARE h CURSOR WITH HOLD FOR SELECT workspace_id FROM test.doc', 'COMMIT');
	is(() = $session->query('FETCH ALL FROM h') =~ /^1/mg, 6, 'cursor WITH HOLD: the rows of its transaction');
	$session->quit;
}

# ---- roles ----

{
	$admin->query('CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA test TO plain; GRANT SELECT ON test.doc TO plain');
	my $session = connect_to($node, undef, 'SET ROLE app', "SET cnap.user_id = 'ann'",
		"PREPARE p AS $statements{'sequential scan'}", 'EXECUTE p');

	is($session->query('EXECUTE p'), $seen{ann}, 'SET ROLE: a role that is subject to the policies');
	$session->query('RESET ROLE');
	is($session->query('EXECUTE p'), "297|${first}01", 'RESET ROLE: the superuser is not');
	$session->query('SET ROLE plain');
	is($session->query('EXECUTE p'), $seen{ann}, 'SET ROLE: another role, the same user');
	isnt($session->attempt("SET cnap.user_id = 'customer'") . $session->{sqlstate}, '00000',
		'which cannot change the user');
	is($session->query('EXECUTE p'), $seen{ann}, 'and has not');
	$session->quit;
}

# ---- users of the session's role ----
#
# What is remembered as the current user rests on the role that the session belongs to, and on who is
# recorded for it.

{
	$admin->query($_) foreach 'CREATE ROLE dba SUPERUSER LOGIN', "ALTER ROLE dba SET cnap.user_id = 'ann'",
	  'CREATE ROLE other', 'GRANT USAGE ON SCHEMA test TO other', "SELECT cnap_set_role_user('plain', 'dora')",
	  "SELECT cnap_set_role_user('other', 'customer')";
	my $checks = 'PREPARE checks AS SELECT cnap_can_access(test.w(2)), cnap_can_access(test.w(21)), cnap_can_access(test.w(40))';
	my %allowed = (ann => 't|f|f', dora => 'f|t|f', customer => 't|t|t', nobody => 'f|f|f');
	my $session = connect_to($node, 'dba', $checks);
	my $expect = sub {
		my ($who, $user, $when) = @_;
		is($who->query('EXECUTE checks'), $allowed{$user}, $when) foreach 1 .. 2;
	};

	$expect->($session, 'ann', 'the user of ALTER ROLE, twice');
	$session->query('SET SESSION AUTHORIZATION plain');
	$expect->($session, 'dora', 'SET SESSION AUTHORIZATION: the user recorded for that role, twice');
	$session->query('SET SESSION AUTHORIZATION other');
	$expect->($session, 'customer', 'likewise for the next role, twice');
	$session->query('SET SESSION AUTHORIZATION app');
	$expect->($session, 'ann', 'a role that may state the user, twice');
	$session->query('RESET SESSION AUTHORIZATION');
	$expect->($session, 'ann', 'RESET SESSION AUTHORIZATION, twice');

	# what is not committed
	$session->query($_) foreach 'BEGIN', "SELECT cnap_set_role_user('plain', 'customer')", 'SET SESSION AUTHORIZATION plain';
	$expect->($session, 'customer', 'a user recorded in the same transaction, twice');
	$session->query($_) foreach 'ROLLBACK', 'SET SESSION AUTHORIZATION plain';
	$expect->($session, 'dora', 'and after the end of that, twice');
	$session->quit;

	# what another session changes, without any statement in between
	my $person = connect_to($node, 'plain', $checks);
	$expect->($person, 'dora', 'a person, twice');
	foreach my $begin ('BEGIN', 'BEGIN ISOLATION LEVEL REPEATABLE READ')
	{
		$person->query($begin);
		$expect->($person, 'dora', "$begin, twice");
		$admin->query("SELECT cnap_set_role_user('plain', 'customer')");
		$expect->($person, 'customer', 'another user is recorded, twice');
		$admin->query("SELECT cnap_set_role_user('plain', NULL)");
		$expect->($person, 'nobody', 'none is, twice');
		$admin->query("SELECT cnap_set_role_user('plain', 'dora')");
		$expect->($person, 'dora', 'the first one is, twice');
		$person->query('COMMIT');
	}
	$person->quit;
}

# ---- trusted roles ----
#
# What is remembered about the role that asks rests on each of the catalogs that say whether it is trusted.
# It may execute the function in any case.

{
	my $owner = $admin->query('SELECT current_user');
	my $question = q{SELECT cnap_can_access('ann', test.w(2))};
	$admin->query($_) foreach 'CREATE ROLE late LOGIN', 'GRANT USAGE ON SCHEMA test TO late',
	  'GRANT EXECUTE ON FUNCTION cnap_can_access(text, uuid) TO late', 'GRANT SET ON PARAMETER cnap.user_id TO pg_database_owner';
	my $session = connect_to($node, 'late');
	my $expect = sub {
		my ($sqlstate, $when) = @_;
		foreach (1 .. 2)
		{
			$session->attempt($question);
			is($session->{sqlstate}, $sqlstate, $when);
		}
	};

	$expect->('42501', 'a role that is not trusted asks about somebody, twice');
	foreach my $case (
		[ 'GRANT SET ON PARAMETER cnap.user_id TO late', 'REVOKE SET ON PARAMETER cnap.user_id FROM late' ],
		[ 'GRANT app TO late', 'REVOKE app FROM late' ],
		[ 'ALTER ROLE late SUPERUSER', 'ALTER ROLE late NOSUPERUSER' ],
		[ 'ALTER DATABASE postgres OWNER TO late', "ALTER DATABASE postgres OWNER TO $owner" ])
	{
		$admin->query($case->[0]);
		$expect->('00000', "after $case->[0], twice");
		$admin->query($case->[1]);
		$expect->('42501', "after $case->[1], twice");
	}
	$session->quit;
}

done_testing();
