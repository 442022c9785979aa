#
# cache.pl: hazards that could make a session answer from a stale cache
#
# Each test is named after a hazard. In each, a session makes a check until the answer is cached,
# about one workspace or about all of them; or until, for a user who has too many workspaces for that,
# the memberships are known that the answer depends on. Then something changes in one of the ways that
# are easily missed, and the session makes the check again, usually within the same transaction.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('cache', "max_worker_processes = 16\nlock_timeout = 20s\nautovacuum = off");
my $admin = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN',
	"SELECT cnap_trust('app')", "\\i $FindBin::RealBin/cache.sql");

my $force_parallel = $admin->query("SELECT name FROM pg_settings"
	  . " WHERE name IN ('force_parallel_mode', 'debug_parallel_query')");

# The ways to check access to a workspace; each returns t or f. %s is the workspace.
my %questions = (
	check => 'SELECT cnap_can_access(%s)',
	'check of anybody' => 'SELECT cnap_can_access(cnap_current_user(), %s)',
	permission => "SELECT cnap_has_permission(%s, 'access')",
	role => 'SELECT cnap_workspace_role(%s) IS NOT NULL',
	list => 'SELECT %s = ANY (cnap_accessible_workspaces())',
	explanation => 'SELECT bool_or(granted) FROM cnap_explain_access(cnap_current_user(), %s)',
	'rows by index' => 'SELECT count(*) > 0 FROM test.doc WHERE workspace_id = %s',
	'rows of the table' => 'SELECT count(*) FILTER (WHERE workspace_id = %s) > 0 FROM test.doc',
	'rows of partitions' => 'SELECT count(*) FILTER (WHERE workspace_id = %s) > 0 FROM test.part');
my @questions = sort keys %questions;

# A session of a user, with all the checks of workspace $n prepared
sub reader
{
	my ($user, $n, @statements) = @_;
	my $session = connect_to($node, 'app', "SET cnap.user_id = '$user'", @statements);

	# in the smallest cache there is no room for all of lou's workspaces
	$session->query('SET cnap.cache_size = 64') if $user eq 'lou';
	foreach (0 .. $#questions)
	{
		$session->query("PREPARE q$_ AS " . sprintf($questions{ $questions[$_] }, "test.w($n)"));
	}
	return $session;
}

# Makes a session cache as much as it can; or only the memberships, and no answer.
sub warm
{
	my ($session, $how) = @_;

	if ($how eq 'memberships')
	{
		$session->query('SELECT count(*) FROM generate_series(60, 90) n WHERE cnap_can_access(test.w(n))');
		return;
	}
	foreach (1 .. 3)
	{
		$session->query("EXECUTE q$_") foreach 0 .. $#questions;
		$session->query('SELECT count(*) FROM generate_series(1, 60) n WHERE cnap_can_access(test.w(n))')
		  if $how eq 'all workspaces';
	}
	return;
}

# The answers: "t" or "f" if all the checks agree
sub answers
{
	my ($session) = @_;
	my %given;

	push @{ $given{ $session->query("EXECUTE q$_") } }, $questions[$_] foreach 0 .. $#questions;
	return join ' ', keys %given if keys %given == 1;
	return join '; ', map { "$_: " . join ', ', @{ $given{$_} } } sort keys %given;
}

my @warmths = ('one workspace', 'all workspaces');

# A member of the organization of whom warm() makes that known
sub member
{
	my ($warmth) = @_;
	return $warmth eq 'memberships' ? 'lou' : 'ann';
}

# wait_for(QUERY, RESULT)
sub wait_for
{
	my ($query, $result) = @_;

	$node->poll_query_until('postgres', $query, $result) or die "waited in vain: $query";
	return;
}

# ---- what the tests below rely on: memberships are known, and used ----

# the scans of the tables of members in this transaction
$admin->query(<<'SQL');
CREATE FUNCTION test.scans() RETURNS bigint LANGUAGE sql SECURITY DEFINER
AS $$
	SELECT sum(pg_stat_get_xact_numscans(indexrelid)) FROM pg_index
	WHERE indrelid IN ('cnap.organization_member'::regclass, 'cnap.workspace_member'::regclass)
$$;
SQL
my $keeps = keeps_caches($admin);
SKIP:
{
	skip 'the server discards all caches', 4 if !$keeps;

	foreach ([ 'nothing', 2 ], [ 'memberships', 0 ])
	{
		my ($warmth, $scans) = @$_;
		my $session = reader('lou', 1);

		# The planner reads the memberships, unless they are known.
		warm($session, $warmth) if $warmth ne 'nothing';
		$session->query('BEGIN');
		my $before = $session->query('SELECT test.scans()');
		is($session->query('SELECT count(*) FROM generate_series(16, 22) n WHERE cnap_can_access(test.w(n))'), 5,
			"a set that is too large, $warmth known: the answers");
		is($session->query('SELECT test.scans()') - $before, $scans,
			"a set that is too large, $warmth known: the members are not looked up one by one");
		$session->quit;
	}
}

# ---- a prepared statement, executed again in one open transaction ----

foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	foreach my $plan ('custom', 'generic')
	{
		my $session = reader('ann', 1, "SET plan_cache_mode = force_${plan}_plan");

		# each check alone, as another one might notice the change first
		foreach my $n (0 .. $#questions)
		{
			$session->query("BEGIN ISOLATION LEVEL $isolation");
			my @answers = map { $session->query("EXECUTE q$n") } 1 .. 3;
			$admin->query("DELETE FROM cnap.organization_member WHERE user_id = 'ann'");
			push @answers, $session->query("EXECUTE q$n");
			$admin->query("INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.o(), 'ann')");
			push @answers, $session->query("EXECUTE q$n");
			$session->query('COMMIT');
			is("@answers", 't t t f t',
				"prepared statement in an open $isolation transaction, $plan plan: $questions[$n]");
		}
		$session->quit;
	}
}

# ---- REPEATABLE READ: what would be loaded with an old snapshot ----

foreach my $warmth (@warmths, 'memberships')
{
	my $user = member($warmth);
	my $session = reader($user, 1);

	$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$session->query('SELECT count(*) FROM test.doc WHERE false');
	$admin->query("DELETE FROM cnap.organization_member WHERE user_id = '$user'");
	is(answers($session), 'f', "snapshot of before a revocation, $warmth: the first question is after it");
	warm($session, $warmth);
	is(answers($session), 'f', "snapshot of before a revocation, $warmth: nothing is loaded by it");
	$session->query('COMMIT');
	is(answers($session), 'f', "snapshot of before a revocation, $warmth: nothing outlives it");

	$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	warm($session, $warmth);
	$admin->query("INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.o(), '$user')");
	is(answers($session), 't', "snapshot of before a grant, $warmth: a grant holds when it is committed");
	$session->query('ROLLBACK');
	is(answers($session), 't', "snapshot of before a grant, $warmth: and goes on");
	$session->quit;
}

# ---- a transaction's own changes, and their rollback ----

# change(SESSION, STATEMENT): on behalf of the customer
sub change
{
	my ($session, $sql) = @_;
	my $user = $session->query('SELECT cnap_current_user()');

	$session->query("SET LOCAL cnap.user_id = 'customer'");
	$session->query($sql);
	$session->query("SET LOCAL cnap.user_id = '$user'");
	return;
}

my $grant = "SELECT cnap_add_workspace_member(test.w(30), '%s')";
my $revoke = "SELECT cnap_revoke_management(test.w(1))";

foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	foreach my $warmth (@warmths, 'memberships')
	{
		foreach ([ 'grant', 30, $grant, 'f', 't' ], [ 'revocation', 1, $revoke, 't', 'f' ])
		{
			my ($name, $n, $statement, $before, $after) = @$_;
			my $user = member($warmth);
			my $change = sprintf $statement, $user;
			my $session = reader($user, $n);
			my $other = reader($user, $n);
			my $title = "own $name, $isolation, $warmth";

			warm($_, $warmth) foreach $session, $other;
			$session->query("BEGIN ISOLATION LEVEL $isolation");
			change($session, $change);
			warm($session, $warmth);
			$session->query('ROLLBACK');
			is(answers($session), $before, "$title: gone with a transaction without savepoints");

			$session->query("BEGIN ISOLATION LEVEL $isolation");
			warm($session, $warmth);
			$session->query('SAVEPOINT a');
			change($session, $change);
			is(answers($session), $after, "$title: seen by the transaction");
			is(answers($other), $before, "$title: not seen by others");
			warm($session, $warmth);
			$session->query('ROLLBACK TO a');
			is(answers($session), $before, "$title: gone with the savepoint");

			$session->query('SAVEPOINT b');
			change($session, $change);
			$session->query('SAVEPOINT c');
			warm($session, $warmth);
			$session->query('RELEASE c');
			is(answers($session), $after, "$title: kept by a release");
			$session->query('ROLLBACK TO b');
			is(answers($session), $before, "$title: gone with the outer savepoint");

			change($session, $change);
			warm($session, $warmth);
			$session->query('ROLLBACK');
			is(answers($session), $before, "$title: gone with the transaction");
			is(answers($other), $before, "$title: never seen by others");

			$session->query("DO \$\$ BEGIN PERFORM set_config('cnap.user_id', 'customer', true); "
				  . $change =~ s/^SELECT/PERFORM/r
				  . "; PERFORM cnap_can_access('$user', test.w(n)), cnap_accessible_workspaces('$user')"
				  . " FROM generate_series(1, 60) n; RAISE 'undo'; EXCEPTION WHEN OTHERS THEN NULL; END \$\$");
			is(answers($session), $before, "$title: gone with a block of PL/pgSQL");

			$session->query("BEGIN ISOLATION LEVEL $isolation");
			change($session, $change);
			warm($session, $warmth);
			$session->query('COMMIT');
			is(answers($session), $after, "$title: there after the commit");
			is(answers($other), $after, "$title: and for others");
			$admin->query('CALL test.reset()');
			$_->quit foreach $session, $other;
		}
	}
}

# ---- a trigger that makes checks before the triggers of the extension have fired ----

$admin->query(<<'SQL');
CREATE FUNCTION test.ask() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
	-- nothing but the memberships is kept, of workspaces that do not exist
	IF current_setting('test.memberships', true) = 'on' THEN
		PERFORM public.cnap_can_access('lou', test.w(n)) FROM generate_series(60, 90) n;
	ELSE
		PERFORM public.cnap_can_access('ann', test.w(n)), public.cnap_workspace_role('dora', test.w(n)),
			public.cnap_accessible_workspaces('ann'), public.cnap_accessible_workspaces('dora')
		FROM generate_series(1, 60) n;
	END IF;
	IF current_setting('test.fail', true) = 'on' THEN
		RAISE 'failed';
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER "0" AFTER INSERT OR UPDATE OR DELETE ON cnap.workspace_member
	FOR EACH ROW EXECUTE FUNCTION test.ask();
CREATE TRIGGER "0" AFTER INSERT OR UPDATE OR DELETE ON cnap.workspace
	FOR EACH ROW EXECUTE FUNCTION test.ask();
SQL
foreach ([ 'grant', 30, sprintf($grant, 'ann'), 'ann', 'f' ],
	[ 'grant', 30, sprintf($grant, 'lou'), 'lou', 'f' ], [ 'revocation', 1, $revoke, 'ann', 't' ],
	[ 'removal', 21, "SELECT cnap_remove_workspace_member(test.w(21), 'dora')", 'dora', 't' ])
{
	my ($name, $n, $change, $user, $before) = @$_;

	foreach my $fail ('off', 'on')
	{
		foreach my $end ('ROLLBACK TO a', 'ROLLBACK', $fail eq 'on' ? 'the statement' : ())
		{
			# a session that has cached nothing yet
			my $session = reader($user, $n, "SET test.fail = $fail",
				'SET test.memberships = ' . ($user eq 'lou' ? 'on' : 'off'));

			$session->query("SET cnap.user_id = 'customer'");
			$session->query('BEGIN') if $end ne 'the statement';
			$session->query('SAVEPOINT a') if $end eq 'ROLLBACK TO a';
			$session->attempt($change);
			my $sqlstate = $session->{sqlstate};
			$session->query($end) if $end ne 'the statement';
			$session->query("SET cnap.user_id = '$user'");
			is("$sqlstate " . answers($session), ($fail eq 'on' ? 'P0001 ' : '00000 ') . $before,
				"early trigger, fail $fail, $name, $user: nothing is left after $end");
			$session->quit;
		}
	}
}
$admin->query('DROP TRIGGER "0" ON cnap.workspace; DROP TRIGGER "0" ON cnap.workspace_member');

# ---- two-phase commit ----

foreach my $end ('COMMIT', 'ROLLBACK')
{
	foreach my $warmth (@warmths, 'memberships')
	{
		my ($session, $other) = map { reader(member($warmth), 1) } 1 .. 2;
		my $title = "$end PREPARED, $warmth";

		warm($other, $warmth);
		$session->query('BEGIN');
		change($session, $revoke);
		warm($session, $warmth);
		is(answers($session), 'f', "$title: the transaction sees its revocation");
		$session->query("PREPARE TRANSACTION 'p'");
		is(answers($session), 't', "$title: its session no longer does when it is prepared");
		$other->query('BEGIN');
		is(answers($other), 't', "$title: nor do others");
		$admin->query("$end PREPARED 'p'");
		my $expected = $end eq 'COMMIT' ? 'f' : 't';
		is(answers($other), $expected, "$title: others see how it ends");
		is(answers($session), $expected, "$title: and the session");
		$admin->query('CALL test.reset()');
		$_->quit foreach $session, $other;
	}
}

# ---- direct statements, also with session_replication_role = replica ----

my @statements = (
	map({ [ $_, 1, 't', "DELETE FROM cnap.organization_member WHERE user_id = '$_'" ] } 'ann', 'lou'),
	map({ [ $_, 1, 't', 'UPDATE cnap.workspace SET managed_by = NULL, managed_role = NULL, managed_since = NULL, managed_access = NULL, management_id = NULL WHERE managed_by IS NOT NULL' ] } 'ann', 'lou'),
	[ 'ann', 1, 't', "UPDATE cnap.workspace SET managed_until = now() - interval '1 hour' WHERE managed_by IS NOT NULL" ],
	map({ [ $_, 30, 'f', "UPDATE cnap.workspace SET managed_by = test.o(), managed_role = 'member', managed_since = now(), managed_access = 'all', management_id = gen_random_uuid() WHERE id = test.w(30)" ] } 'ann', 'lou'),
	map({ [ $_, 1, 't', "UPDATE cnap.workspace SET managed_access = 'assigned', management_id = gen_random_uuid() WHERE managed_by IS NOT NULL" ] } 'ann', 'lou'),
	[ 'boss', 30, 'f', "UPDATE cnap.workspace SET owner_id = 'boss' WHERE id = test.w(30)" ],
	[ 'customer', 30, 't', "UPDATE cnap.workspace SET owner_id = 'boss' WHERE id = test.w(30)" ],
	[ 'customer', 50, 'f', "INSERT INTO cnap.workspace (id, name, owner_id) VALUES (test.w(50), 'new', 'customer')" ],
	[ 'customer', 30, 't', 'DELETE FROM cnap.workspace WHERE id = test.w(30)' ],
	[ 'lou', 30, 'f', "INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (test.w(30), 'lou')" ],
	[ 'dora', 21, 't', "DELETE FROM cnap.workspace_member WHERE user_id = 'dora'" ],
	[ 'dora', 21, 't', 'MERGE INTO cnap.workspace_member m USING cnap.workspace w ON w.id = m.workspace_id WHEN MATCHED THEN DELETE' ],
	[ 'dora', 21, 't', "WITH d AS (DELETE FROM cnap.workspace_member RETURNING *) SELECT count(*) FROM d" ],
	[ 'dora', 30, 'f', "INSERT INTO cnap.workspace_member (workspace_id, user_id) SELECT id, 'dora' FROM cnap.workspace ON CONFLICT DO NOTHING" ],
	[ 'eve', 21, 'f', "COPY cnap.workspace_member (workspace_id, user_id) FROM PROGRAM 'echo 10000000-0000-4000-8000-000000000021,eve' (FORMAT csv)" ]);
my @not_replicas = (
	[ 'ann', 1, 't', 'DELETE FROM cnap.organization' ],
	[ 'dora', 21, 't', 'DELETE FROM cnap.workspace WHERE id = test.w(21)' ]);
my $other_id = 'UPDATE cnap.workspace SET id = test.w(50) WHERE id = test.w(30)';
my $other_user = "UPDATE cnap.workspace_member SET user_id = 'eve' WHERE user_id = 'dora'";
my @only_replicas = ([ 'customer', 30, 't', $other_id ], [ 'customer', 50, 'f', $other_id ], [ 'dora', 21, 't', $other_user ], [ 'eve', 21, 'f', $other_user ]);

foreach my $role ('origin', 'local', 'replica')
{
	foreach ($role eq 'replica' ? @only_replicas : @not_replicas, @statements)
	{
		my ($user, $n, $before, $statement) = @$_;
		my $session = reader($user, $n);

		$session->query('BEGIN');
		warm($session, $user eq 'lou' ? 'memberships' : 'all workspaces');
		my $answer = answers($session);
		$admin->query("SET session_replication_role = $role");
		$admin->query($statement);
		$admin->query('RESET session_replication_role');
		is("$answer, " . answers($session), $before eq 't' ? 't, f' : 'f, t',
			"direct statement, $role, $user: " . substr $statement, 0, 60);
		$admin->query('CALL test.reset()');
		$session->quit;
	}
}

# ---- TRUNCATE ----

foreach ([ 'dora', 21, 'TRUNCATE cnap.workspace_member', @warmths ],
	[ 'ann', 1, 'TRUNCATE cnap.organization CASCADE', @warmths ],
	[ 'lou', 1, 'TRUNCATE cnap.organization CASCADE', 'memberships' ],
	[ 'customer', 1, 'TRUNCATE cnap.workspace CASCADE', @warmths ])
{
	my ($user, $n, $statement, @known) = @$_;

	foreach my $warmth (@known)
	{
		my $session = reader($user, $n);

		warm($session, $warmth);
		$admin->query("BEGIN; $statement; ROLLBACK");
		is(answers($session), 't', "$statement, $warmth: rolled back");
		$session->query('BEGIN');
		warm($session, $warmth);
		$admin->query($statement);
		is(answers($session), 'f', "$statement, $warmth");
		$admin->query('CALL test.reset()');
		is(answers($session), 't', "$statement, $warmth: filled again");
		$session->quit;
	}
}

# ---- a new workspace, also one with an id that was checked before ----

foreach my $warmth (@warmths)
{
	my $owner = reader('customer', 55);
	my $stranger = reader('nobody', 55);

	$_->query('BEGIN') foreach $owner, $stranger;
	warm($_, $warmth) foreach $owner, $stranger;
	$admin->query("INSERT INTO cnap.workspace (id, name, owner_id) VALUES (test.w(55), 'new', 'customer')");
	is(answers($owner), 't', "new workspace, $warmth: its owner has it");
	is(answers($stranger), 'f', "new workspace, $warmth: and nobody else");
	$admin->query('DELETE FROM cnap.workspace WHERE id = test.w(55)');
	$admin->query("INSERT INTO cnap.workspace (id, name, owner_id) VALUES (test.w(55), 'again', 'nobody')");
	is(answers($owner), 'f', "same id, another owner, $warmth: not the former one's");
	is(answers($stranger), 't', "same id, another owner, $warmth: the new one's");
	my $id = $admin->query("SELECT cnap_create_workspace('by function', 'customer')");
	is($owner->query("SELECT cnap_can_access('$id'), '$id' = ANY (cnap_accessible_workspaces())"), 't|t',
		"new workspace, $warmth: by the function");
	$admin->query('CALL test.reset()');
	$_->quit foreach $owner, $stranger;
}

# ---- indexes and tables that get new OIDs and files while a session has cached them ----

foreach my $statement ('REINDEX SCHEMA cnap', 'REINDEX TABLE CONCURRENTLY cnap.workspace',
	'REINDEX TABLE CONCURRENTLY cnap.organization_member',
	'REINDEX TABLE CONCURRENTLY cnap.workspace_member', 'VACUUM FULL cnap.workspace',
	'CLUSTER cnap.organization_member USING organization_member_pkey',
	'DROP INDEX IF EXISTS cnap.workspace_owner_id_idx, cnap.organization_member_user_id_idx')
{
	foreach my $warmth ('all workspaces', 'memberships')
	{
		my $user = member($warmth);
		my $session = reader($user, 1);

		warm($session, $warmth);
		$session->query('BEGIN');
		warm($session, $warmth);
		$admin->query($statement);
		my $answer = answers($session);
		$admin->query("DELETE FROM cnap.organization_member WHERE user_id = '$user'");
		$answer .= answers($session);
		$admin->query("INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.o(), '$user')");
		is($answer . answers($session), 'tft', "$statement, $warmth");
		$session->quit;
	}
}
$admin->query('CREATE INDEX workspace_owner_id_idx ON cnap.workspace (owner_id);'
	  . ' CREATE INDEX organization_member_user_id_idx ON cnap.organization_member (user_id, organization_id)');

# ---- an index with another collation, which the catalog lists before the extension's own ----

SKIP:
{
	skip 'no collation of ICU', 1
	  if $admin->query(q{SELECT count(*) FROM pg_collation WHERE collname = 'en-x-icu'}) eq '0';

	my $session = reader('Zoe', 1);

	$admin->query("INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (test.w(1), 'Zoe')");
	$admin->query('CREATE INDEX collated ON cnap.workspace_member (user_id COLLATE "en-x-icu")');
	$admin->query('REINDEX INDEX CONCURRENTLY cnap.workspace_member_user_id_idx');
	warm($session, 'all workspaces');
	is(answers($session), 't', 'an index with another collation');
	$admin->query('DROP INDEX cnap.collated');
	$session->quit;
}

# ---- an index that is replaced while a check waits for the table ----

{
	my $index = 'organization_member_user_id_idx';
	my $session = reader('ann', 1);

	warm($session, 'all workspaces');
	$admin->query('CALL test.reset()');
	$admin->query('BEGIN; LOCK TABLE cnap.organization_member');
	$session->begin('SELECT test.w(1) = ANY (cnap_accessible_workspaces())');
	wait_for(q{SELECT count(*) FROM pg_locks WHERE relation = 'cnap.organization_member'::regclass AND NOT granted}, 1);
	$admin->query("DROP INDEX cnap.$index; CREATE INDEX $index ON cnap.organization_member (user_id, organization_id); COMMIT");
	is($session->finish . $session->{error}, 't', 'an index that is replaced while a check waits for the table');
	$session->quit;
}

# ---- a row that VACUUM freezes after the memberships have been read ----

# A transaction that ends a membership and gives the organization a workspace is visible before its
# messages arrive. Here these never do. VACUUM gets as far as the last page, where it has to wait.
SKIP:
{
	skip 'the server discards all caches', 4 if !$keeps;

	my $session = reader('lou', 30);
	my ($reading, $vacuuming) = map { connect_to($node, undef) } 1 .. 2;
	my @triggers = ('cnap.organization_member %s TRIGGER signal_row', 'cnap.workspace %s TRIGGER signal_update');

	$admin->query('ALTER TABLE ' . sprintf $_, 'DISABLE') foreach @triggers;
	warm($session, 'memberships');
	$admin->query("BEGIN; DELETE FROM cnap.organization_member WHERE user_id = 'lou';"
		  . ' UPDATE cnap.workspace SET managed_by = test.o() WHERE id = test.w(30); COMMIT');
	my $page = $admin->query('SELECT (ctid::text::point)[0] FROM cnap.workspace WHERE id = test.w(30)');
	$admin->query("INSERT INTO cnap.workspace (name, owner_id) SELECT 'last', 'somebody' FROM generate_series(1, 200)");
	$reading->query('BEGIN; DECLARE c CURSOR FOR SELECT (ctid::text::point)[0] FROM cnap.workspace');
	$reading->query('MOVE ' . ($admin->query('SELECT count(*) FROM cnap.workspace') - 1) . ' IN c');
	cmp_ok($reading->query('FETCH c'), '>', $page, 'a frozen row: another page is in use');
	$vacuuming->begin('VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) cnap.workspace');
	wait_for("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'VACUUM%' AND wait_event_type LIKE 'Buffer%'", 1);
	cmp_ok($admin->query('SELECT heap_blks_scanned FROM pg_stat_progress_vacuum'), '>', $page,
		'a frozen row: it is frozen, but VACUUM has not ended');

	$session->query('BEGIN');
	my $before = $session->query('SELECT test.scans()');
	$session->query('SELECT cnap_can_access(test.w(2))');
	is($session->query('SELECT test.scans()') - $before, 0, 'a frozen row: the memberships are known');
	is($session->query('SELECT cnap_can_access(test.w(30))'), 'f', 'a frozen row: and not used for it');

	$reading->query('COMMIT');
	$vacuuming->finish;
	$admin->query('ALTER TABLE ' . sprintf $_, 'ENABLE ALWAYS') foreach @triggers;
	$admin->query('CALL test.reset()');
	$_->quit foreach $session, $reading, $vacuuming;
}

# ---- interrupts while a set is being loaded ----

foreach my $user ('ann', 'lou')
{
	my @sessions = map { reader($user, 1) } 1 .. 2;
	my $loads = 'SELECT loads FROM cnap_cache_stats()';

	# one that is pending when the load begins
	$sessions[0]->attempt('SELECT pg_cancel_backend(pg_backend_pid()), cnap_accessible_workspaces()');
	is($sessions[0]->{sqlstate}, 57014, "an interrupt, $user: cancels the query");
	is($sessions[0]->query($loads), 0, "an interrupt, $user: and the load");
	is(answers($sessions[0]), 't', "an interrupt, $user: the answers are right afterwards");

	# one that arrives when the memberships have been read, but not the workspaces
	my $waiting = q{FROM pg_locks WHERE relation = 'cnap.workspace'::regclass AND NOT granted};

	$admin->query('BEGIN; LOCK TABLE cnap.workspace');
	$sessions[1]->begin('SELECT cnap_accessible_workspaces()');
	wait_for("SELECT count(*) $waiting", 1);
	$admin->query("SELECT pg_cancel_backend(pid) $waiting");
	$sessions[1]->finish;
	is($sessions[1]->{sqlstate}, 57014, "an interrupt in the middle, $user: cancels the query");
	$admin->query('COMMIT');
	is($sessions[1]->query($loads), 0, "an interrupt in the middle, $user: and the load");
	is(answers($sessions[1]), 't', "an interrupt in the middle, $user: the answers are right afterwards");
	$_->quit foreach @sessions;
}

# ---- the end of management, in an open transaction ----

{
	my %sessions;

	foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
	{
		foreach my $warmth (@warmths, 'memberships')
		{
			my $session = $sessions{"$isolation, $warmth"} = reader(member($warmth), 1);
			$session->query("BEGIN ISOLATION LEVEL $isolation");
		}
	}

	# longer, if the machine is so slow that it ends before all have asked
	my $seconds = 2;
	my %before;
	do
	{
		$seconds *= 2;
		$admin->query("UPDATE cnap.workspace SET managed_until = clock_timestamp() + interval '$seconds s'"
			  . ' WHERE managed_by IS NOT NULL AND id < test.w(20)');
		foreach (sort keys %sessions)
		{
			warm($sessions{$_}, $_ =~ /, (.*)/);
			$before{$_} = answers($sessions{$_});
		}
	} while ($admin->query('SELECT min(managed_until) <= clock_timestamp() FROM cnap.workspace') eq 't');
	is($before{$_}, 't', "end of a management, $_: granted before") foreach sort keys %before;
	$admin->query("SELECT pg_sleep(extract(epoch FROM max(managed_until) - clock_timestamp()) + 0.01) FROM cnap.workspace");
	foreach (sort keys %sessions)
	{
		is(answers($sessions{$_}), 'f', "end of a management, $_: not afterwards");
		is($sessions{$_}->query('SELECT cnap_can_access(test.w(20)), array_length(cnap_accessible_workspaces(), 1)'),
			$_ =~ /memberships/ ? 't|1001' : 't|1', "end of a management, $_: the one without an end goes on");
		$sessions{$_}->query('COMMIT');
		is(answers($sessions{$_}), 'f', "end of a management, $_: nor in the next transaction");
		$sessions{$_}->quit;
	}
	$admin->query('CALL test.reset()');
}

# ---- parallel workers ----

foreach my $user ('ann', 'lou')
{
	my @settings = ("SET $force_parallel = on", 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0',
		'SET min_parallel_table_scan_size = 0', 'SET parallel_leader_participation = off',
		'SET enable_indexscan = off', 'SET enable_bitmapscan = off', 'SET enable_indexonlyscan = off');
	my $session = reader($user, 1, @settings);

	like($session->query('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT count(*) FROM test.doc'),
		qr/Workers Launched: [12]/, "parallel workers, $user: there are some");
	foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ')
	{
		$session->query("BEGIN ISOLATION LEVEL $isolation");
		is(answers($session), 't', "parallel workers, $user, $isolation: granted");
		$admin->query("DELETE FROM cnap.organization_member WHERE user_id = '$user'");
		is(answers($session), 'f', "parallel workers, $user, $isolation: revoked by another session");
		$admin->query("INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.o(), '$user')");
		is(answers($session), 't', "parallel workers, $user, $isolation: granted again");
		$session->query('SAVEPOINT a');
		change($session, $revoke);
		is(answers($session), 'f', "parallel workers, $user, $isolation: revoked by the own transaction");
		$session->query('ROLLBACK TO a');
		is(answers($session), 't', "parallel workers, $user, $isolation: as before after the savepoint");
		$session->query("SET LOCAL cnap.user_id = 'nobody'");
		is(answers($session), 'f', "parallel workers, $user, $isolation: another user");
		$session->query('ROLLBACK');
	}
	$session->quit;
}

# A worker begins its part of a scan by the index only after the leader is in the middle of its own,
# and one of the user's memberships has ended. The function test.wait() waits for a lock.
$admin->query(<<'SQL');
CREATE TABLE test.big AS
SELECT n AS id, test.w(n % 99) AS workspace_id FROM generate_series(1, 40000) n;
CREATE INDEX big_workspace_id_idx ON test.big (workspace_id);
CREATE TABLE test.unprotected AS TABLE test.big;
CREATE INDEX unprotected_workspace_id_idx ON test.unprotected (workspace_id);
SELECT cnap_protect('test.big');
GRANT SELECT ON test.big, test.unprotected TO app;
CREATE FUNCTION test.is_worker() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
AS $$ SELECT leader_pid IS NOT NULL FROM pg_stat_activity WHERE pid = pg_backend_pid() $$;
CREATE FUNCTION test.wait(n integer) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000
AS $$ BEGIN PERFORM pg_advisory_lock_shared(n), pg_advisory_unlock_shared(n); RETURN true; END $$;
CREATE FUNCTION test.worker_waits() RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$ BEGIN RETURN NOT test.is_worker() OR test.wait(1); END $$;
CREATE FUNCTION test.leader_waits(w uuid) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000
AS $$ BEGIN RETURN w <> test.w(9) OR test.is_worker() OR test.wait(2); END $$;
ANALYZE test.big, test.unprotected;
SQL
foreach ([ 'test.big WHERE', 'cnap.reachable' ],
	map { [ "test.unprotected WHERE workspace_id = ANY ($_) AND", $_ ] } 'cnap_accessible_workspaces()', "cnap_accessible_workspaces('fred')")
{
	my ($from, $array) = @$_;
	my $query = "SELECT count(*), sum(id) FROM $from"
	  . ' test.worker_waits() AND test.leader_waits(workspace_id) AND workspace_id > test.w(3)';

	$admin->query("INSERT INTO cnap.workspace_member (workspace_id, user_id) SELECT test.w(n), 'fred' FROM generate_series(3, 39, 3) n");
	my $session = connect_to($node, 'app', "SET cnap.user_id = 'fred'",
		"SET $force_parallel = off", 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0',
		'SET min_parallel_table_scan_size = 0', 'SET min_parallel_index_scan_size = 0',
		'SET enable_seqscan = off', 'SET enable_bitmapscan = off');
	my $plan = $session->query("EXPLAIN $query");
	my $expected = $admin->query("SELECT count(*), sum(id) FROM test.big WHERE workspace_id > test.w(3) AND workspace_id IN"
		  . " (SELECT workspace_id FROM cnap.workspace_member WHERE user_id = 'fred')");
	my $processes = 1 + ($plan =~ /Workers Planned: (\d+)/ ? $1 : 0);

	$array =~ s/\(.*//;
	like($plan, qr/Index Cond.* = ANY \(\Q$array\E/, "processes with different sets: $from: the condition is in the plan");
	$admin->query('SELECT pg_advisory_lock(n) FROM generate_series(1, 2) n');
	$session->begin($query);
	wait_for(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, $processes);
	$admin->query("DELETE FROM cnap.workspace_member WHERE user_id = 'fred' AND workspace_id = test.w(3)");
	$admin->query('SELECT pg_advisory_unlock(1)');
	wait_for('SELECT count(*) FROM pg_stat_activity WHERE leader_pid IS NOT NULL', 0);
	$admin->query('SELECT pg_advisory_unlock(2)');
	is($session->finish . $session->{error}, $expected, "processes with different sets: $from: each row is found, and once");
	$session->quit;
	$admin->query('CALL test.reset()');
}

# ---- the cache's own statistics ----

SKIP:
{
	skip 'the server discards all caches', 5 if !$keeps;

	my $session = reader('ann', 1, 'SET max_parallel_workers_per_gather = 0');
	my $stats = sub { return $session->query("SELECT $_[0] FROM cnap_cache_stats()") };

	warm($session, 'all workspaces');
	my ($flushes, $hits, $entries) = map { $stats->($_) } 'flushes', 'hits', 'entries';
	$admin->query("SELECT cnap_create_workspace('w', 'somebody')");
	is($stats->('flushes'), $flushes, 'creation of a workspace by another session: no flush');
	is($stats->('entries'), $entries, 'creation of a workspace by another session: all entries are kept');
	warm($session, 'all workspaces');
	cmp_ok($stats->('hits'), '>', $hits, 'what is remembered is used');
	$admin->query("DELETE FROM cnap.organization_member WHERE user_id = 'ann'");
	is(answers($session), 'f', 'a removal is noticed');
	cmp_ok($stats->('flushes'), '>', $flushes, 'by a flush');
	$admin->query('CALL test.reset()');
	$session->quit;
}

{
	my ($least) = $admin->query("SELECT min_val FROM pg_settings WHERE name = 'cnap.cache_size'");

	my $session = reader('customer', 1, "SET cnap.cache_size = $least");
	my $count = 'SELECT count(*) FILTER (WHERE cnap_can_access(id)) FROM generate_series(1, 100000) n,'
	  . " LATERAL (SELECT ('10000000-0000-4000-8000-' || lpad((n % 50000)::text, 12, '0'))::uuid) w (id)";
	is($session->query($count), 80, 'a cache at its bound is right');
	cmp_ok($session->query('SELECT bytes FROM cnap_cache_stats()'), '<=', 1024 * $least,
		'and no larger than that');

	# however much is kept of users, at any time
	$session->query('CREATE FUNCTION test.most_bytes() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE most bigint := 0; BEGIN'
		  . " FOR n IN 1 .. 400 LOOP PERFORM cnap_can_access(rpad('u' || n, 255, '-'), test.w(99));"
		  . ' most := greatest(most, (SELECT bytes FROM cnap_cache_stats())); END LOOP; RETURN most; END $$');
	cmp_ok($session->query('SELECT test.most_bytes()'), '<=', 1024 * $least,
		'nor for many users with long ids');
	$session->quit;
}

done_testing();
