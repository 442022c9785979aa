#
# fleet_sync.pl: synchronous replication, and transactions as a whole
#
# With synchronous_commit = remote_apply, no session of a follower that is named is granted what was
# revoked by a transaction whose COMMIT has returned, whether it follows physically or by a subscription.
# And no follower ever shows a part of a transaction.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapFleet;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = 100;
my $followed = "wal_retrieve_retry_interval = 100ms\n";
my $origin = new_node('origin', $followed . beating('100ms'), allows_streaming => 'logical');
my $follower = new_node('follower', $followed, allows_streaming => 'logical');

furnish($_) foreach $origin, $follower;
fill($origin);
$origin->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));
subscribe($follower, $origin, 'access');
$follower->wait_for_subscription_sync($origin, 'access');
my $standby = new_standby($origin, 'hot_standby_feedback = on');

foreach my $node ($follower, $standby)
{
	becomes($OPEN, $node->name . ' is open', sub { as_user($node, 'gina', $ASK) });
}

# readers(USER, QUESTION): sessions on both followers that stay open, inside a transaction and outside
sub readers
{
	my ($user, $question) = @_;
	my @sessions;

	foreach my $node ($follower, $standby)
	{
		push @sessions, connect_to($node, 'app', "SET cnap.user_id = '$user'", $_, "PREPARE ask AS $question") foreach 'SELECT 1', 'BEGIN';
	}
	return @sessions;
}

sub blocked
{
	return $origin->safe_psql('postgres',
		q{SELECT coalesce(max(wait_event), '') FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'});
}

# ---- synchronous ----

$origin->append_conf('postgresql.conf', guide_settings(qr/synchronous_standby_names/));
$origin->reload;
becomes('2', 'both are synchronous', sub { $origin->safe_psql('postgres', "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") });

my @readers = readers('kim', $ASK);
my $writer = connect_to($origin, undef, guide(qr/^SET synchronous_commit/));
my ($stale, $missing) = (0, 0);
foreach my $round (1 .. $rounds)
{
	$writer->query("SELECT cnap_add_workspace_member('$W', 'kim')");
	$missing += grep { $_->query('EXECUTE ask') ne $OPEN } @readers;
	$writer->query("SELECT cnap_remove_workspace_member('$W', 'kim')");
	$_->begin('EXECUTE ask') foreach @readers;
	$stale += grep { $_->finish ne $CLOSED } @readers;
}
is($stale, 0, 'no grant after a COMMIT that revoked it, of ' . $rounds * @readers);
is($missing, 0, 'nor a denial after one that granted it');

# COMMIT waits for a follower that does not apply, while the origin still grants.
$writer->query("SELECT cnap_add_workspace_member('$W', 'kim')");
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$writer->begin("SELECT cnap_remove_workspace_member('$W', 'kim')");
becomes('SyncRep', 'COMMIT waits for replay', \&blocked);
is($writer->is_done, 0, 'it has not returned');
is(as_user($origin, 'kim', $ASK), $OPEN, 'the origin still grants');
is($origin->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cnap_org beat' AND wait_event = 'SyncRep'"),
	'0', 'the beat does not wait');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$writer->finish;
is($writer->{sqlstate}, '00000', 'it returns');
is((grep { $_->query('EXECUTE ask') ne $CLOSED } @readers), 0, 'when all deny');

# The same for apply, which a lock holds up
$writer->query("SELECT cnap_add_workspace_member('$W', 'kim')");
my $blocker = connect_to($follower, undef, 'BEGIN', 'LOCK cnap.workspace_member IN SHARE MODE');
$writer->begin("SELECT cnap_remove_workspace_member('$W', 'kim')");
becomes('SyncRep', 'COMMIT waits for apply', \&blocked);
$blocker->query('COMMIT');
$writer->finish;
is((grep { $_->query('EXECUTE ask') ne $CLOSED } @readers), 0, 'and returns when all deny');

# With "on", it waits for the receipt alone.
$writer->query('SET synchronous_commit = on');
$writer->query("SELECT cnap_add_workspace_member('$W', 'kim')");
becomes($OPEN, 'synchronous_commit = on', sub { $readers[-1]->query('EXECUTE ask') });
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$writer->query("SELECT cnap_remove_workspace_member('$W', 'kim')");
is($readers[-1]->query('EXECUTE ask'), $OPEN, 'which is not enough');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$_->quit foreach @readers;

# ---- transactions as a whole ----

# between(NAME, STATES, QUESTION, ANSWERS): each transaction turns one of the two states into the other, while ben asks
sub between
{
	my ($name, $states, $question, $answers) = @_;
	my %seen;

	$writer->query($states->[0]);
	wait_for($_, position($origin)) foreach $follower, $standby;
	my @sessions = readers('ben', $question);
	foreach my $round (1 .. $rounds)
	{
		$writer->begin("BEGIN;\n$states->[$round % 2];\nCOMMIT");
		$_->begin(join ";\n", ('EXECUTE ask') x 20) foreach @sessions;
		foreach my $session (@sessions)
		{
			$seen{$_}++ foreach split /\n/, $session->finish;
		}
		$writer->finish;
		die $writer->{error} if $writer->{error} ne '';
	}
	is_deeply([ sort keys %seen ], [ sort @$answers ], "$name: all or nothing of a transaction, as often as it was asked");
	diag("$name: " . join ', ', map { "$_: $seen{$_} times" } sort keys %seen);
	$_->quit foreach @sessions;
	return;
}

$writer->query('SET synchronous_commit = local');
my @places = map { $writer->query("SELECT cnap_create_workspace('$_', owner => 'gina')") } qw(one two);
between('from one workspace into another',
	[ "DELETE FROM cnap.workspace_member WHERE user_id = 'ben';\nINSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ('$places[0]', 'ben')",
		"DELETE FROM cnap.workspace_member WHERE user_id = 'ben';\nINSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ('$places[1]', 'ben')" ],
	'SELECT cnap_accessible_workspaces()', [ map { "{$_}" } @places ]);

# ben is a manager's member, or the workspace is managed, but never both.
$writer->query("DELETE FROM cnap.workspace_member WHERE user_id = 'ben'");
between('management without members, members without management',
	[ "UPDATE cnap.workspace SET managed_by = NULL WHERE id = '$W';\nINSERT INTO cnap.organization_member (organization_id, user_id) VALUES ('$O', 'ben') ON CONFLICT DO NOTHING",
		"SELECT cnap_grant_management('$W', '$O');\nDELETE FROM cnap.organization_member WHERE user_id = 'ben'" ],
	$ASK, [$CLOSED]);

done_testing();
