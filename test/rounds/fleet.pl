#
# fleet.pl: readers on followers against the last revocation known to be committed
#
# In each round, the access of 2000 users is revoked at the origin, ten at a time, while something goes wrong
# with the replication. Sessions of two followers, one behind the other, and of a standby ask about all of
# those whose revocation's COMMIT had returned cnap.max_staleness before: nobody may be granted access.
# And now and then, after cnap_wait(), about all whose revocation was committed by then.
#
#   CNAP_ROUNDS  number of rounds, of some hundred thousand checks each
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapFleet;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $rounds = $ENV{CNAP_ROUNDS} // 9;
my $seed = $ENV{CNAP_SEED} // time;
my ($users, $together, $staleness) = (2000, 10, 1);
srand $seed;

my $logical = "wal_retrieve_retry_interval = 100ms\ncnap.max_staleness = ${staleness}s\n";
my $origin = new_node('origin', $logical . beating('50ms'), allows_streaming => 'logical');
my $follower = new_node('follower', $logical, allows_streaming => 'logical');
my $second = new_node('second', $logical, allows_streaming => 'logical');

furnish($_) foreach $origin, $follower, $second;
fill($origin);
$origin->safe_psql('postgres', 'SELECT cnap_publish()');
subscribe($follower, $origin, 'access');
$follower->safe_psql('postgres', 'SELECT cnap_publish()');
subscribe($second, $follower, 'access_2');
my $standby = new_standby($origin, 'hot_standby_feedback = on');

# How many of the first $1 users have access
my $prepare = "PREPARE ask (int) AS SELECT count(*) FROM generate_series(1, \$1) n WHERE cnap_can_access('u' || n, '$W')";
my @readers = map { { node => $_, waiter => connect_to($_, 'app'), sessions => [] } } $follower, $second, $standby;
foreach my $reader (@readers)
{
	push @{ $reader->{sessions} }, connect_to($reader->{node}, 'app', $_, $prepare) foreach 'SELECT 1', 'BEGIN';
}
my ($checks, $granted, $stale, $waited, $rounds_of) = (0, 0, 0, 0, {});

sub replica
{
	my ($node, $statement) = @_;

	$node->safe_psql('postgres', "SET session_replication_role = replica; $statement");
	return;
}

sub copy_anew
{
	$follower->safe_psql('postgres', guide(qr/^DROP SUBSCRIPTION IF/));
	subscribe($follower, $origin, 'access');
	return;
}

# The postmaster is killed; another one can start once its processes have ended.
sub restart
{
	my @processes = split /\n/, $origin->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');

	$origin->kill9;
	usleep(10_000) while kill 0, @processes;
	$origin->start;
	return;
}

# What goes wrong: what begins it, and what ends it
my %wrong = (
	nothing => [ sub { }, sub { } ],
	disabled => [ sub { $follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access DISABLE') },
		sub { $follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access ENABLE') } ],
	'second disabled' => [ sub { $second->safe_psql('postgres', 'ALTER SUBSCRIPTION access_2 DISABLE') },
		sub { $second->safe_psql('postgres', 'ALTER SUBSCRIPTION access_2 ENABLE') } ],
	dropped => [ sub { $follower->safe_psql('postgres', 'DROP SUBSCRIPTION access') }, \&copy_anew ],
	copied => [ \&copy_anew, sub { } ],
	conflict => [
		sub {
			replica($follower, "INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ('$W', 'conflict')");
			$origin->safe_psql('postgres', "SELECT cnap_add_workspace_member('$W', 'conflict')");
		},
		sub {
			replica($follower, "DELETE FROM cnap.workspace_member WHERE user_id = 'conflict'");
			$origin->safe_psql('postgres', "SELECT cnap_remove_workspace_member('$W', 'conflict')");
		} ],
	future => [
		sub {
			$follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access DISABLE');
			replica($follower, q{UPDATE cnap.beat SET at = now() + interval '1 hour'});
		},
		sub { $follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access ENABLE') } ],
	paused => [ sub { $standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()') },
		sub { $standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()') } ],
	killed => [ \&restart, sub { } ]);
my @wrong = sort keys %wrong;

# ask(SESSIONS, COUNT): how many of the first users have access there, at once; returns the sum
sub ask
{
	my ($sessions, $count) = @_;
	my $sum = 0;

	$_->begin("EXECUTE ask ($count)") foreach @$sessions;
	foreach my $session (@$sessions)
	{
		$sum += $session->finish;
		die $session->{error} if $session->{error} ne '';
		$checks += $count;
	}
	return $sum;
}

# One round: everybody gets access, and is known to have it everywhere; then it is revoked.
sub round
{
	my ($kind) = @_;
	my ($begin, $end) = @{ $wrong{$kind} };
	my $sessions = [ map { @{ $_->{sessions} } } @readers ];
	my $at = int rand $users / $together / 2;
	my @committed;    # times at which the COMMITs had returned
	my $past = 0;     # how many of them are max_staleness ago

	$origin->safe_psql('postgres', "INSERT INTO cnap.workspace_member (workspace_id, user_id) SELECT '$W', 'u' || n FROM generate_series(1, $users) n");
	foreach my $reader (@readers)
	{
		becomes(2 * $users, "$kind: " . $reader->{node}->name . ' has everybody', sub { ask($reader->{sessions}, $users) });
	}
	my $writer = connect_to($origin);
	while (@committed * $together < $users || $past < @committed)
	{
		if (@committed == $at && $begin)
		{
			$writer->quit;
			$begin->();
			$begin = undef;
			$writer = connect_to($origin);
		}
		if (@committed * $together < $users)
		{
			my $first = @committed * $together + 1;

			$writer->query("DELETE FROM cnap.workspace_member WHERE workspace_id = '$W' AND user_id IN (SELECT 'u' || n FROM generate_series($first, $first + $together - 1) n)");
			push @committed, time;
		}
		else
		{
			usleep(20_000);
		}
		my $limit = time - $staleness;
		$past++ while $past < @committed && $committed[$past] < $limit;
		$stale += ask($sessions, $past * $together) if $past;
		$granted += ask($sessions, $users) if @committed % 20 == 0;

		# What has been waited for, where it arrives in time
		if (@committed % 20 == 10)
		{
			my $position = position($origin);
			my $count = @committed * $together;

			foreach my $reader (@readers)
			{
				$reader->{waiter}->attempt("SELECT cnap_wait('$position', '200ms')");
				next if $reader->{waiter}{error} ne '';
				$waited++;
				$stale += ask($reader->{sessions}, $count);
			}
		}
	}
	$writer->quit;
	$end->();
	$rounds_of->{$kind}++;
	return;
}

for my $round (1 .. $rounds)
{
	round($round <= @wrong ? $wrong[ $round - 1 ] : $wrong[ int rand @wrong ]);
}
is($stale, 0, "no grant after max_staleness, nor after cnap_wait(), in $checks checks; seed $seed");
cmp_ok($granted, '>', 0, 'while others had access');
diag("$checks checks, $stale stale; $granted grants, and $waited positions that were reached; "
	  . join(', ', map { "$_: $rounds_of->{$_}" } sort keys %$rounds_of));
done_testing();
