# Checks on a hot standby, where a revocation takes effect with its replay
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', 'autovacuum = off', allows_streaming => 1);
populate($primary, 'postgres');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

sub replay
{
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
}

replay();
is(answers($standby, 'postgres'), answers($primary, 'postgres'), 'the standby gives the same answers');
is(seen_by($standby, 'postgres', 'mia'), 'one,two', 'policies let a manager in');
is(seen_by($standby, 'postgres', 'nobody'), 'none', 'and nobody else');
is(act_as($standby, 'postgres', 'carol', 'SELECT section, role, via FROM cnap_workspaces()'),
	'own|owner|owner', 'listings work');
is(act_as($standby, 'postgres', 'carol', "SELECT count(*) > 0 FROM cnap_workspace_audit('$W1')"), 't',
	'and the audit log is there');
is(refused_as($standby, 'postgres', 'carol', "SELECT cnap_revoke_management('$W1')"), '25006',
	'changes are refused');

# In a session of each: check, change on the primary, replay, check. lou is a manager like mia, and owns
# so many workspaces that the smallest cache cannot hold them: what is known of lou are the memberships,
# once enough other workspaces have been asked about.
$primary->safe_psql('postgres', qq{
	INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ('$ACME', 'lou');
	INSERT INTO cnap.workspace (name, owner_id, created_at)
	SELECT 'lou''s', 'lou', '2000-01-01' FROM generate_series(1, 1000)});
replay();
# a transaction that keeps the primary from removing what those on the standby may still have to see
my $keeper = CnapTest::Session->new($primary);
$keeper->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $lou = CnapTest::Session->new($standby);
my $asked = qq{SELECT count(*) FROM generate_series(1, 20) WHERE cnap_can_access('lou', gen_random_uuid())};
my $reached = qq{SELECT cnap_can_access('lou', '$W1'), cnap_can_access('lou', '$W2')};
my $scans = q{SELECT pg_stat_get_xact_numscans('cnap.workspace_member_pkey'::regclass)};
$lou->query("SET cnap.cache_size = 64; BEGIN ISOLATION LEVEL REPEATABLE READ; $asked");
my $before = $lou->query($scans);
is($lou->query($reached), 't|t', 'a user with too many workspaces');
is($lou->query($scans), $before, 'whose memberships are used') if keeps_caches($lou);
$lou->query($asked);

my $session = CnapTest::Session->new($standby);
my $seen = q{SELECT coalesce(string_agg(note, ',' ORDER BY id), 'none') FROM app.deployment;};
$session->query("SET ROLE cnap_app; SET cnap.user_id = 'mia'; PREPARE seen AS $seen");
is($session->query("BEGIN ISOLATION LEVEL REPEATABLE READ; EXECUTE seen;"), 'one,two', 'an open transaction on the standby');
act_as($primary, 'postgres', 'carol', "SELECT cnap_revoke_management('$W1')");
replay();
is($session->query('EXECUTE seen;'), 'two', 'sees a revocation after its replay, in its snapshot of before');
is($lou->query("$reached; $asked"), "f|t\n0", 'a revocation, memberships known');
act_as($primary, 'postgres', 'ann', "SELECT cnap_remove_organization_member('$ACME', person) FROM unnest('{mia,lou}'::text[]) person");
replay();
is($session->query('EXECUTE seen;'), 'none', 'and a removal');
is($lou->query("$reached; $asked"), "f|f\n0", 'a removal, memberships known');
act_as($primary, 'postgres', 'ann', "SELECT cnap_add_organization_member('$ACME', person) FROM unnest('{mia,lou}'::text[]) person");
replay();
is($session->query('EXECUTE seen; COMMIT;'), 'two', 'and a grant');
is($lou->query("$reached; COMMIT"), 'f|t', 'a grant, memberships known');
$lou->quit;

# which of the managers get in; mia has left and come back, so is assigned no more, nor active
my $in = qq{SELECT cnap_can_access('$ASSIGNED'), cnap_can_access('$ACTIVATED')};
is($session->query("BEGIN ISOLATION LEVEL REPEATABLE READ; $in"), 'f|f', 'who comes back is not let in');
foreach my $change (
	[ 'ann', "cnap_assign_manager('$ASSIGNED', 'mia')", 't|f' ],
	[ 'mia', "cnap_activate_management('$ACTIVATED', 'ticket 4712')", 't|t' ],
	[ 'ann', "cnap_unassign_manager('$ASSIGNED', 'mia')", 'f|t' ],
	[ 'fay', "cnap_revoke_management('$ACTIVATED')", 'f|f' ],
	[ 'fay', "cnap_grant_management('$ACTIVATED', '$ACME', managers => 'activated')", 'f|f' ],
	[ 'mia', "cnap_activate_management('$ACTIVATED', 'ticket 4713', '1 ms')", 'f|f' ])
{
	my ($person, $call, $expected) = @$change;
	act_as($primary, 'postgres', $person, "SELECT $call; SELECT pg_sleep(0.01)");
	replay();
	is($session->query($in), $expected, "after $call");
}
$session->query('COMMIT');

# a change that is rolled back on the primary is never seen
act_as($primary, 'postgres', 'dave', "BEGIN; SELECT cnap_revoke_management('$W2'); ROLLBACK;");
replay();
is($session->query('EXECUTE seen;'), 'two', 'what was rolled back changes nothing');

# after promotion, everything continues
$_->quit foreach $session, $keeper;
$primary->stop;
$standby->promote;
act_as($standby, 'postgres', 'dave', "SELECT cnap_revoke_management('$W2')");
is(seen_by($standby, 'postgres', 'mia'), 'none', 'a promoted standby takes changes');

$standby->stop;
done_testing();
