#
# cache_apply.pl: logical replication's apply worker as the only writer
#
# The access tables are published; sessions on the subscriber, in open transactions, must notice
# the changes that arrive, including those of the initial copy.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapFleet;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = new_node('publisher', "shared_preload_libraries = cnap_org\ncnap.beat_database = postgres\n", allows_streaming => 'logical');
my $subscriber = new_node('subscriber', "wal_retrieve_retry_interval = 100ms\n", allows_streaming => 'logical');
my ($origin, $target) = map { connect_to($_, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN',
		"SELECT cnap_trust('app')", "\\i $FindBin::RealBin/cache.sql") } $publisher, $subscriber;

$target->query('TRUNCATE cnap.organization, cnap.organization_member, cnap.workspace, cnap.workspace_member, cnap.install_link, cnap.redemption, cnap.invitation');
$origin->query('SELECT cnap_publish()');

# Each user has a session in each isolation level, which checks one workspace. The cache of lou's is too
# small for all of lou's workspaces, and remembers the memberships.
my %asked = (ann => 1, dora => 21, customer => 30, boss => 30, lou => 1);
my @sessions = map {
	my $isolation = $_;
	map {
		my $w = "test.w($asked{$_})";
		{ user => $_, isolation => $isolation, session => connect_to($subscriber, 'app', "SET cnap.user_id = '$_'",
				$_ eq 'lou' ? 'SET cnap.cache_size = 64' : (),
				"PREPARE a AS SELECT cnap_can_access($w)", "PREPARE b AS SELECT count(*) > 0 FROM test.doc WHERE workspace_id = $w",
				"PREPARE c AS SELECT $w = ANY (cnap_accessible_workspaces())",
				"PREPARE d AS SELECT count(*) FILTER (WHERE workspace_id = $w) > 0 FROM test.doc",
				"BEGIN ISOLATION LEVEL $isolation") }
	} sort keys %asked
} 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE';

# Who has access according to all checks, in each of the sessions
sub who
{
	my %who;

	foreach my $asker (@sessions)
	{
		my $answers = '';

		$answers .= $asker->{session}->query("EXECUTE $_") foreach 'a' .. 'd', 'a' .. 'd';
		push @{ $who{ $asker->{isolation} } }, $asker->{user} if $answers eq 't' x 8;
		push @{ $who{ $asker->{isolation} } }, "$asker->{user} $answers" if $answers !~ /^(?:t+|f+)$/;
	}
	my %distinct = map { join(' ', @{ $who{$_} // [] }) => 1 } 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE';
	return join ' / ', sort keys %distinct;
}

sub change
{
	my ($statement, $expected) = @_;

	$origin->query($statement);
	$publisher->wait_for_catchup('access');
	is(who(), $expected, $statement);
	return;
}

is(who(), '', 'nobody before the subscription');
$target->query("CREATE SUBSCRIPTION access CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION cnap_access");
$subscriber->wait_for_subscription_sync($publisher, 'access');

# which leaves tables that the apply worker does not keep yet, and a beat that came before they were complete
becomes('ann customer dora lou', 'the initial copy', \&who);

change("DELETE FROM cnap.organization_member WHERE user_id IN ('ann', 'lou')", 'customer dora');
change("INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.o(), 'ann'), (test.o(), 'lou')",
	'ann customer dora lou');
change("UPDATE cnap.workspace SET managed_by = NULL WHERE managed_by IS NOT NULL", 'customer dora');
change("UPDATE cnap.workspace SET managed_by = test.o() WHERE id = test.w(1)", 'ann customer dora lou');
change("UPDATE cnap.workspace SET managed_until = now() - interval '1 hour' WHERE id = test.w(1)", 'customer dora');
change("UPDATE cnap.workspace SET managed_until = NULL WHERE id = test.w(1)", 'ann customer dora lou');
change("UPDATE cnap.workspace SET managed_access = 'assigned' WHERE id = test.w(1)", 'customer dora');
change("INSERT INTO cnap.assignment (workspace_id, user_id) VALUES (test.w(1), 'ann'), (test.w(1), 'lou')",
	'ann customer dora lou');
change("UPDATE cnap.assignment SET until = now() - interval '1 hour' WHERE user_id = 'ann'", 'customer dora lou');
change('UPDATE cnap.assignment SET until = NULL', 'ann customer dora lou');
change("DELETE FROM cnap.assignment WHERE user_id = 'lou'", 'ann customer dora');
change("DELETE FROM cnap.organization_member WHERE user_id = 'ann'; INSERT INTO cnap.organization_member (organization_id, user_id)"
	  . " VALUES (test.o(), 'ann')", 'customer dora');
change("UPDATE cnap.workspace SET managed_access = 'all' WHERE id = test.w(1)", 'ann customer dora lou');
change("UPDATE cnap.workspace SET owner_id = 'boss' WHERE id = test.w(30)", 'ann boss dora lou');
change('DELETE FROM cnap.workspace WHERE id = test.w(30)', 'ann dora lou');
change("INSERT INTO cnap.workspace (id, name, owner_id) VALUES (test.w(30), 'w', 'customer')", 'ann customer dora lou');
change("DELETE FROM cnap.workspace_member WHERE user_id = 'dora'", 'ann customer lou');
change("INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (test.w(21), 'dora')", 'ann customer dora lou');
# which is refused while they are published, unless somebody insists
change('SET session_replication_role = replica; TRUNCATE cnap.workspace_member; RESET session_replication_role',
	'ann customer lou');
change("INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (test.w(21), 'dora'), (test.w(30), 'boss')",
	'ann boss customer dora lou');
change("SELECT cnap_remove_organization_member(test.o(), user_id) FROM unnest('{ann,lou}'::text[]) user_id",
	'boss customer dora');
change("BEGIN; SELECT cnap_delete_organization(test.o()); SELECT cnap_delete_workspace(test.w(21)); COMMIT", 'boss customer');

$_->{session}->query('COMMIT') foreach @sessions;
is(who(), 'boss customer', 'the same after the transactions');

done_testing();
