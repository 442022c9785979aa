#
# revocation_stress.pl: no check succeeds after a revocation, and none fails after a grant
#
# Two sessions continuously revoke and grant access, in all the ways in which access can be lost.
# The others continuously make checks and read protected rows, in long transactions in each
# isolation level, by prepared statements, in parallel plans, in loops inside the server. Before
# and after each check they look at the state that the writer has published after its COMMIT
# returned (see revocation_stress.sql), so they know for most of the checks what the answer must
# be. In some of the sessions the cache is so small that it cannot hold all workspaces of some users,
# and remembers their memberships instead.
#
#   CNAP_CHECKS    run at least this many checks whose answer is known
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $checks = $ENV{CNAP_CHECKS} // 300_000;

my $node = new_node('stress', "max_worker_processes = 16\nautovacuum_naptime = 5s");
my $admin = connect_to($node, undef, 'CREATE EXTENSION cnap_org',
	"\\i $FindBin::Bin/revocation_stress.sql");
my %token = split /[|\n]/, $admin->query('SELECT name, token FROM test.token');
my $force_parallel = $admin->query("SELECT name FROM pg_settings"
	  . " WHERE name IN ('force_parallel_mode', 'debug_parallel_query')");

# ---- readers ----
#
# Each has a name, a session, and two functions: next() sends the next piece of work, tally() takes
# its answer and returns denials, grants, stale grants, lost grants and unknown ones.

my @names = ('known denials', 'known grants', 'stale grants', 'lost grants', 'unknown');

# What precedes a piece of work: four of them share a transaction.
sub transaction
{
	my ($begin, $pieces) = @_;

	return '' if !$begin || $pieces % 4;
	return ($pieces ? "COMMIT;\n" : '') . "$begin;\n";
}

# A loop in the server, in an open transaction if $begin says how to begin one
sub server_loop
{
	my ($name, $statement, $begin, @settings) = @_;
	my $session = connect_to($node, 'app', @settings);
	my $pieces = 0;

	return {
		name => $name,
		session => $session,
		next => sub {
			$session->begin(transaction($begin, $pieces++) . $statement);
		},
		tally => sub { return $_[0] =~ /(\d+)\D(\d+)\D(\d+)\D(\d+)\D(\d+)/ },
	};
}

# Statements of the client one by one: the state, an answer, the state, an answer, and so on
sub client_loop
{
	my ($name, $kind, $begin, $count, @settings) = @_;
	my ($person, $workspace) = split /\|/,
	  $admin->query("SELECT person, workspace FROM test.kind WHERE name = '$kind'");
	my $session = connect_to($node, 'app',
		"PREPARE state AS SELECT 'state', last_value FROM test.state_$kind",
		"PREPARE mine AS SELECT cnap_can_access('$workspace')",
		"PREPARE anybody (text, uuid) AS SELECT cnap_can_access(\$1, \$2)",
		"PREPARE rows (uuid) AS SELECT count(*) > 0 FROM test.doc WHERE workspace_id = \$1",
		"PREPARE page AS SELECT count(*) FILTER (WHERE workspace_id = '$workspace') > 0 FROM test.doc",
		$token{$kind} ? "SELECT cnap_authenticate('$token{$kind}', false)" : "SET cnap.user_id = '$person'", @settings);
	my $round = join ";\n", map { "EXECUTE state;\nEXECUTE $_" } 'mine',
	  "anybody('$person', '$workspace')", "rows('$workspace')", 'page';
	my $work = join ";\n", ($round) x $count, 'EXECUTE state';
	my $pieces = 0;

	return {
		name => $name,
		kind => $kind,
		session => $session,
		next => sub {
			$session->begin(transaction($begin, $pieces++) . $work);
		},
		tally => sub {
			my @tally = (0) x 5;
			my ($before, $granted);
			foreach (split /\n/, $_[0])
			{
				if (/^([tf])$/)
				{
					$granted = $1 eq 't';
				}
				elsif (/^state\|(\d+)$/)
				{
					if (defined $granted)
					{
						my $known = $before == $1 && $1 % 2 == 0;
						my $revoked = $1 % 4 == 2;
						$tally[4] += !$known;
						$tally[0] += $known && $revoked;
						$tally[1] += $known && !$revoked;
						$tally[2] += $known && $revoked && $granted;
						$tally[3] += $known && !$revoked && !$granted;
					}
					$before = $1;
				}
				else
				{
					die "$name: $_";
				}
			}
			return @tally;
		},
	};
}

my $loop = "SELECT * FROM test.read('300 ms')";
my $smallest = 'SET cnap.cache_size = 64';
my $swapped = server_loop('user who is moved, small cache', "SELECT (tally).*, uses FROM test.read_swapped('300 ms')");
my @readers = (
	$swapped,
	server_loop('user whose role is turned', q{SELECT * FROM test.read_turned('300 ms')}),
	server_loop('one statement', $loop),
	server_loop('one statement, small cache', $loop, undef, $smallest),
	server_loop('open transaction', $loop, 'BEGIN'),
	server_loop('open REPEATABLE READ, small cache', $loop, 'BEGIN ISOLATION LEVEL REPEATABLE READ', $smallest),
	server_loop('open SERIALIZABLE', $loop, 'BEGIN ISOLATION LEVEL SERIALIZABLE'),
	server_loop('transactions, small cache', "CALL test.read_in_transactions('300 ms')", undef, $smallest),
	client_loop('prepared, autocommit, small cache', 'organization', undef, 50, $smallest),
	client_loop('prepared, open transaction', 'management', 'BEGIN', 50,
		'SET plan_cache_mode = force_generic_plan'),
	client_loop('prepared, open transaction, custom plans', 'expiry', 'BEGIN', 50,
		'SET plan_cache_mode = force_custom_plan'),
	client_loop('prepared, open REPEATABLE READ, small cache', 'member',
		'BEGIN ISOLATION LEVEL REPEATABLE READ', 50, $smallest),
	client_loop('prepared, open SERIALIZABLE', 'direct',
		'BEGIN ISOLATION LEVEL SERIALIZABLE', 50),
	client_loop('prepared, open transaction, assigned', 'assigned', 'BEGIN', 50, $smallest),
	client_loop('prepared, open REPEATABLE READ, activated', 'activated',
		'BEGIN ISOLATION LEVEL REPEATABLE READ', 50),
	client_loop('limited token, open transaction', 'token', 'BEGIN', 50),
	client_loop('limited token, open REPEATABLE READ, small cache', 'token',
		'BEGIN ISOLATION LEVEL REPEATABLE READ', 50, $smallest),
	client_loop('parallel', 'slow', 'BEGIN', 2, "SET $force_parallel = on",
		'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0',
		'SET min_parallel_table_scan_size = 0', 'SET parallel_leader_participation = off'),
	client_loop('parallel, limited token', 'slow_token', 'BEGIN', 2, "SET $force_parallel = on",
		'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0',
		'SET min_parallel_table_scan_size = 0', 'SET parallel_leader_participation = off'),
	client_loop('parallel, open REPEATABLE READ', 'slow',
		'BEGIN ISOLATION LEVEL REPEATABLE READ', 2, "SET $force_parallel = on"));

# ---- writers ----

# a writer's session, its work or the kinds that it changes and the longest pause between changes in ms,
# and whether it has finished
my @writers = map { { session => connect_to($node, $_->[0]), kinds => $_->[1], pause => $_->[2] } }
  ([ 'app', 'organization,management,member,expiry', 4 ],
	[ 'app', 'assigned,returner,activated', 4 ],
	[ undef, 'direct,owner,token', 4 ],
	[ undef, 'definition', 100 ],
	[ 'app', 'slow', 400 ],
	[ undef, 'slow_token', 400 ]);
push @writers, map { { session => connect_to($node, undef), work => "CALL test.${_}_continually('2 s')" } } qw(swap turn);

sub begin_writing
{
	my ($writer) = @_;
	$writer->{session}->begin($writer->{work} // "CALL test.write('{$writer->{kinds}}', '$writer->{pause} ms', '2 s')");
	return;
}
my $changes = 0;

# ---- running all of them concurrently ----

my $started = time;
my @total = (0) x 5;
my $uses = 0;
my $keeps = keeps_caches($admin);

# The least that a run has to do, which takes longer than planned on a slow machine
sub is_enough
{
	return
	  $changes > 200
	  && ($uses > 200 || !$keeps)
	  && !grep { !$_->{total}->[0] || !$_->{total}->[1] } @readers;
}

# A reader whose answers take so long that there has always been a change meanwhile gets more time.
sub slow_down
{
	my ($writer) = @_;
	return if !defined $writer->{kinds} || $writer->{pause} >= 20000;
	my %kinds = map { $_ => 1 } split /,/, $writer->{kinds};
	$writer->{pause} *= 2
	  if grep { defined $_->{kind} && $kinds{ $_->{kind} } && !($_->{total}->[0] && $_->{total}->[1]) } @readers;
	return;
}

sub is_over
{
	my $time = time - $started;

	return $total[0] + $total[1] >= $checks && is_enough() || $time >= $PostgreSQL::Test::Utils::timeout_default;
}

$_->{next}->() foreach @readers;
begin_writing($_) foreach @writers;

my $busy = @readers + @writers;
while ($busy)
{
	my $idle = 1;

	foreach my $writer (@writers)
	{
		my $session = $writer->{session};

		next if $writer->{over} || !$session->is_done;
		$idle = 0;
		$changes += $session->finish;
		die $session->{error} if $session->{error} ne '';
		if (is_over())
		{
			$writer->{over} = 1;
			$busy--;
		}
		else
		{
			slow_down($writer);
			begin_writing($writer);
		}
	}
	foreach my $reader (@readers)
	{
		next if $reader->{over} || !$reader->{session}->is_done;
		$idle = 0;
		my $output = $reader->{session}->finish;
		die "$reader->{name}: $reader->{session}->{error}" if $reader->{session}->{error} ne '';
		my @tally = $reader->{tally}->($output);
		$uses += $1 if $reader == $swapped && $output =~ /\|(\d+)$/;
		foreach (0 .. 4)
		{
			$reader->{total}->[$_] += $tally[$_];
			$total[$_] += $tally[$_];
		}
		if (is_over())
		{
			$reader->{over} = 1;
			$busy--;
		}
		else
		{
			$reader->{next}->();
		}
	}
	usleep(2000) if $idle;
}

# ---- what they saw ----

foreach my $reader (@readers)
{
	my @tally = @{ $reader->{total} };
	my $all = join ', ', map { "$tally[$_] $names[$_]" } 0 .. 4;

	note "$reader->{name}: $all";
	is($tally[2], 0, "no stale grant: $reader->{name}");
	is($tally[3], 0, "no lost grant: $reader->{name}");
	ok($tally[0] > 0 && $tally[1] > 0, "the reader met both states: $reader->{name}") or diag $all;
}
note sprintf '%d checks of a known answer in %.1f s, %d revocations and grants', $total[0] + $total[1],
  time - $started, $changes;
cmp_ok($changes, '>', 200, 'the writers got through');
is($admin->query('SELECT count(*) FROM test.kind WHERE pg_sequence_last_value(state) < 12'), '0',
	'each kind was revoked and granted again and again');
cmp_ok($uses, '>', 200, 'memberships were used') if $keeps;
done_testing();
