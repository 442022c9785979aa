#
# statistics.pl: what an operator sees of all sessions, and of a long command
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('counted', "shared_preload_libraries = 'cnap_org'\nautovacuum = off\n");
my $w = '10000000-0000-4000-8000-000000000001';
my $other = '10000000-0000-4000-8000-000000000002';

$node->safe_psql('postgres', qq{
	CREATE EXTENSION cnap_org;
	CREATE ROLE app LOGIN;
	CREATE ROLE monitor LOGIN;
	SELECT cnap_trust('app');
	INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$w', 'w', 'ann'), ('$other', 'v', 'bob');
	CREATE DATABASE second;});

my @names = qw(checks denials without_user lookups loads flushes);

# The counters, by their names
sub counted
{
	my %now;

	@now{@names} = split /\|/, $node->safe_psql('postgres', 'SELECT ' . join(', ', @names) . ' FROM cnap_server_stats()');
	return %now;
}

# What is added to the counters by sessions, which end
sub added_by
{
	my (@parts) = @_;
	my %before = counted();

	foreach my $part (@parts)
	{
		my ($db, @statements) = @$part;
		my $session = CnapTest::Session->new($node, user => 'app', dbname => $db);
		$session->attempt($_) foreach @statements;
		$session->quit;
	}

	# a process may report after its client has gone
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'app'}) or die 'somebody is connected';
	my %after = counted();
	return join ' ', map { "$_=" . ($after{$_} - $before{$_}) } grep { $after{$_} != $before{$_} } @names;
}

is(added_by(['postgres']), '', 'a session that asks nothing');
my $as_ann = "SET cnap.user_id = 'ann'";

# the planner does not ask about a role
my ($ask, $ask_other) = map { "SELECT cnap_workspace_role('$_')" } $w, $other;
is(added_by([ 'postgres', $as_ann, $ask ]), 'checks=1 lookups=1', 'a check');
is(added_by([ 'postgres', $as_ann, ($ask) x 5 ]), 'checks=5 lookups=1', 'the cache answers others');
is(added_by([ 'postgres', $as_ann, $ask, $ask_other ]), 'checks=2 lookups=2', 'checks of two workspaces');
is(added_by([ 'postgres', $as_ann, "SELECT cnap_can_access('$w'), cnap_can_access('$other')" ]), 'checks=2 denials=1 loads=1', 'a denial');
is(added_by([ 'postgres', "SELECT cnap_has_permission('bob', '$w', 'billing')" ]), 'checks=1 denials=1 loads=1', 'one about another user');
is(added_by([ 'postgres', $ask, $ask_other ]), 'without_user=2', 'nobody is asking');
is(added_by(map { [ 'postgres', $as_ann, $ask ] } 1 .. 3), 'checks=3 lookups=3', 'several sessions');
is(added_by([ 'postgres', 'BEGIN', $as_ann, $ask, 'SELECT 1/0', 'ROLLBACK' ]), 'checks=1 lookups=1', 'a transaction that fails');

$node->safe_psql('second', q{CREATE EXTENSION cnap_org; SELECT cnap_trust('app')});
is(added_by([ 'second', $as_ann, $ask ]), 'checks=1 lookups=1', 'another database counts as well');

# a session that goes on reports as well, each check once
my %before = counted();
my $session = connect_to($node, 'app', $as_ann);
my %now = %before;
my ($asked, $reports) = (0, 0);
while ($asked < 600 && $reports < 2)
{
	my $seen = $now{checks};

	$session->query($ask);
	$asked++;
	usleep 100_000;
	%now = counted();
	$reports++ if $now{checks} > $seen;
}
is($reports, 2, 'a session reports while it is open');
$session->quit;
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'app'}) or die 'somebody is connected';
%now = counted();
is($now{checks} - $before{checks}, $asked, 'and nothing twice');

# parallel workers
$node->safe_psql('postgres', qq{
	CREATE TABLE doc (id int, workspace_id uuid NOT NULL);
	INSERT INTO doc SELECT n, '$w' FROM generate_series(1, 20000) n;
	GRANT SELECT ON doc TO app;
	SELECT cnap_protect('doc');
	ANALYZE doc;});
my $force = $node->safe_psql('postgres', q{SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')});
like(added_by([ 'postgres', $as_ann, "SET $force = on", 'SET parallel_leader_participation = off', 'SET parallel_setup_cost = 0',
			'SET parallel_tuple_cost = 0', 'SET min_parallel_table_scan_size = 0', 'SELECT count(*) FROM doc' ]),
	qr/^checks=20\d\d\d/, 'the rows of a parallel scan');

# who may look
my $monitor = connect_to($node, 'monitor');
$monitor->attempt('SELECT * FROM cnap_server_stats()');
is($monitor->{sqlstate}, '42501', 'the numbers are not for everybody');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION cnap_server_stats() TO monitor');
like($monitor->query('SELECT checks FROM cnap_server_stats()'), qr/^\d+$/, 'but for those to whom that is granted');
$monitor->quit;

# ---- progress ----

$node->safe_psql('postgres', q{
	CREATE SCHEMA big;
	CREATE TABLE big.parent (id int PRIMARY KEY, workspace_id uuid NOT NULL);
	CREATE FUNCTION big.wait() RETURNS boolean LANGUAGE sql AS 'SELECT pg_advisory_xact_lock_shared(1) IS NOT NULL';
	CREATE TABLE big.child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES big.parent, CHECK (big.wait()));
	CREATE TABLE single (workspace_id uuid NOT NULL);
	CREATE TABLE big.grandchild (id int PRIMARY KEY, child_id int NOT NULL REFERENCES big.child);
	INSERT INTO big.parent VALUES (1, gen_random_uuid());
	INSERT INTO big.child VALUES (1, 1);});
my $show = q{SELECT query FROM pg_stat_activity WHERE application_name = 'long'};

# Executes a command that somebody makes wait by a lock, after others, and returns what it shows meanwhile.
sub shown
{
	my ($lock, $command, @before) = @_;
	my $blocker = connect_to($node, undef, 'BEGIN', $lock);
	my $long = connect_to($node, undef, q{SET application_name = 'long'}, @before);

	$long->begin($command);
	$node->poll_query_until('postgres', q{SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE application_name = 'long'}) or die;
	my $shown = $node->safe_psql('postgres', $show);
	$blocker->query('ROLLBACK');
	$blocker->quit;
	$long->finish;
	is($long->{error}, '', "$command succeeds");
	$long->begin("SELECT 'something else', pg_sleep(0)");
	$long->finish;
	is($node->safe_psql('postgres', $show), "SELECT 'something else', pg_sleep(0)\n;", 'and nothing of it is shown afterwards');
	$long->quit;
	return $shown;
}

# filling a column checks the constraints of the table
my $lock = 'SELECT pg_advisory_xact_lock(1)';
like(shown($lock, q{SELECT count(*) FROM cnap_protect_schema('big', execute => true, child_column => 'workspace_id')}),
	qr/^cnap_org, part 2 of 3: UPDATE big\.child /, 'the table of a schema');
$node->safe_psql('postgres', q{SELECT count(*) FROM cnap_unprotect_schema('big', execute => true)});
$node->safe_psql('postgres', q{SELECT cnap_protect('big.parent')});
like(shown($lock, q{SELECT cnap_protect_child('big.child', 'parent_id', 'workspace_id')}), qr/^cnap_org: UPDATE big\.child /, 'the statement within a command');
$node->safe_psql('postgres', q{SELECT cnap_unprotect('big.child'), cnap_forget_user('nobody')});
like(shown($lock, q{SELECT cnap_protect_child('big.child', 'parent_id', 'workspace_id')}, q{SELECT cnap_forget_user('nobody')}),
	qr/^cnap_org: UPDATE big\.child /, 'the parts of a command before are over');
like(shown($lock, q{SELECT cnap_protect('single'), big.wait()}), qr/^SELECT cnap_protect/, 'a statement that is over is no longer shown');
$node->safe_psql('postgres', qq{INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES ('$other', 'ann', 'member')});
like(shown(q{SELECT FROM cnap.workspace_member WHERE user_id = 'ann' FOR UPDATE}, q{SELECT cnap_forget_user('ann', successor => 'bob')}),
	qr/^(cnap_org, part 1 of \d+: DELETE FROM cnap\.workspace_member|SELECT cnap_forget_user)/, 'the step of forgetting a user');

$node->stop;

# ---- where the library is not preloaded ----

my $plain = new_node('plain', '');
$plain->safe_psql('postgres', 'CREATE EXTENSION cnap_org');
is($plain->safe_psql('postgres', 'SELECT * FROM cnap_server_stats()'), '', 'there are no numbers without preloading');
$plain->stop;

done_testing();
