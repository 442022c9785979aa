#
# fleet_ways.pl: upgrades, failover, and databases with data of their own, as the guide describes them
#
# With $oldinstall, as for pg_upgrade.pl, also followers of an origin of another major version.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapFleet;
use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $logical = "wal_retrieve_retry_interval = 100ms\ncnap.max_staleness = 2s\n";
my $beating = $logical . beating('100ms');
my $origin = new_node('origin', $beating, allows_streaming => 'logical');
my $follower = new_node('follower', $logical, allows_streaming => 'logical');

furnish($_) foreach $origin, $follower;
fill($origin);
$origin->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));

# ---- a follower with data of its own ----

# It has kept its own access data, of one workspace that is also the origin's, and of another.
my $own = '00000000-0000-0000-0000-00000000000b';
$follower->safe_psql('postgres', qq{
	INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$W', 'Initech', 'ivo'), ('$own', 'Hooli', 'hal');
	CREATE TABLE invoice (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
	INSERT INTO invoice VALUES (1, '$W'), (2, '$own');
	SELECT cnap_protect('invoice');
	GRANT ALL ON invoice TO app});
my $invoices = q{SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM invoice};
is(as_user($follower, 'hal', $invoices), '2', 'a database by itself');

$follower->safe_psql('postgres', guide(qr/^DROP SUBSCRIPTION IF/));
is($follower->safe_psql('postgres', $invoices), '1 2', 'its access data goes, and its own data stays');
my $blocker = connect_to($follower, undef, 'BEGIN', 'LOCK cnap.workspace IN SHARE MODE');
subscribe($follower, $origin, 'access');
becomes('t', 'the beat arrives before the workspaces', sub { $follower->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.beat') });
my $tidy = guide(qr/^BEGIN;\nSELECT cnap_wait/, '7412345678901234567/16384@0/1A2B3C8' => position($origin));
my ($status) = $follower->psql('postgres', $tidy =~ s/1 min/1s/r, on_error_stop => 1);
is($status, 3, 'nothing is tidied up meanwhile');
$blocker->query('COMMIT');
$follower->wait_for_subscription_sync($origin, 'access');
becomes('1', 'whoever has access at the origin has access', sub { as_user($follower, 'gina', $invoices) });
is(as_user($follower, $_, $invoices), '', "and $_ has not") foreach qw(ivo hal);
is($follower->safe_psql('postgres', $invoices), '1 2', 'a workspace that does not exist');
$follower->safe_psql('postgres', $tidy);
is($follower->safe_psql('postgres', $invoices), '1', 'has been tidied up');

# What a workspace leaves behind that is deleted at the origin; and a foreign key that comes later
$follower->safe_psql('postgres', 'SET cnap.guard = off; ALTER TABLE invoice DROP CONSTRAINT invoice_workspace_id_fkey');
$follower->safe_psql('postgres', guide(qr/NOT VALID/));
$follower->safe_psql('postgres', guide(qr/VALIDATE CONSTRAINT/));
my $session = connect_to($follower, undef);
$session->attempt("INSERT INTO invoice VALUES (3, '$own')");
is($session->{sqlstate}, '23503', 'the foreign key holds');
my $gone = $origin->safe_psql('postgres', "SELECT cnap_create_workspace('gone', owner => 'gina')");
wait_for($follower, position($origin));
$follower->safe_psql('postgres', "INSERT INTO invoice VALUES (4, '$gone')");
is(as_user($follower, 'gina', $invoices), '1 4', 'a new workspace');
$origin->safe_psql('postgres', "SELECT cnap_delete_workspace('$gone')");
wait_for($follower, position($origin));
is(as_user($follower, 'gina', $invoices), '1', 'deleted');
$follower->safe_psql('postgres', guide(qr/^BEGIN;\nSELECT cnap_wait/, '7412345678901234567/16384@0/1A2B3C8' => position($origin)));
is($follower->safe_psql('postgres', $invoices), '1', 'and tidied up');
is(found($_), '', $_->name . ': nothing is found') foreach $origin, $follower;

# ---- versions ----

# version(NODE, VERSION): its database gets it, with a column that the one before does not have
my ($this) = slurp_file("$FindBin::RealBin/../../cnap_org.control") =~ /^default_version = '(.*)'/m;

sub version
{
	my ($node, $version, @columns) = @_;

	$node->safe_psql('postgres', "ALTER TABLE cnap.workspace ADD COLUMN $_ text") foreach @columns;
	$node->safe_psql('postgres', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'cnap_org'");
	return;
}

sub findings
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q{SELECT severity, rule, finding FROM cnap_lint() WHERE rule ~ '^origin_'});
}

sub rename_workspace
{
	my ($name) = @_;

	$origin->safe_psql('postgres', "SELECT cnap_update_workspace('$W', name => '$name')");
	return;
}

is($follower->safe_psql('postgres', 'SELECT version FROM cnap.beat'), $this, 'the beat carries the version');
version($_, '0.9.9') foreach $origin, $follower;
becomes('', 'both have another version', sub { found($follower) });
version($follower, '0.9.10', 'next');
becomes("notice|origin_older|this database has version 0.9.10 of the extension, and the one that keeps the access data still 0.9.9",
	'the follower has been updated first', sub { findings($follower) });
is(as_user($follower, 'gina', $ASK), $OPEN, 'it goes on');
rename_workspace('renamed');
wait_for($follower, position($origin));
is(as_user($follower, 'gina', 'SELECT name FROM cnap_workspaces()'), 'renamed', 'and follows');
is(found($origin), '', 'the origin knows nothing of it');
version($origin, '0.9.10', 'next');
becomes('', 'then the origin', sub { found($follower) });
rename_workspace('again');
wait_for($follower, position($origin));
$origin->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));
$follower->safe_psql('postgres', guide(qr/REFRESH PUBLICATION/));

# the wrong order
version($origin, '0.10.0', 'later');
becomes('error|origin_newer|the access data is kept by version 0.10.0 of the extension, and this database has 0.9.10, which may not understand all of it, or stop applying it',
	'the origin has been updated first', sub { findings($follower) });
is(as_user($follower, 'gina', 'SELECT count(*) FROM cnap_lint() WHERE rule = \'origin_newer\''), '1', 'which everybody can see');
rename_workspace('unknown here');
becomes('access_stale origin_newer subscription_failing', 'and replication stops', sub { found($follower) });
is(as_user($follower, 'gina', $ASK), $CLOSED, 'so the follower is closed');
version($follower, '0.10.0', 'later');
becomes('', 'until it has been updated, too', sub { found($follower) });
is(as_user($follower, 'gina', $ASK), $OPEN, 'and is open again');
is(as_user($follower, 'gina', 'SELECT name FROM cnap_workspaces()'), 'unknown here', 'with all of the data');

foreach my $node ($follower, $origin)
{
	version($node, $this);
	$node->safe_psql('postgres', guide(qr/^ALTER EXTENSION/));
}
becomes('', 'both have this version', sub { found($follower) });

# ---- failover ----

my $new_slots = major_version($origin) >= 17;
$origin->safe_psql('postgres', q{SELECT pg_create_physical_replication_slot('standby', true)});
my $connection = $origin->connstr . ' dbname=postgres application_name=standby';
my $standby = new_standby($origin,
	$new_slots
	? guide_settings(qr/sync_replication_slots/) . "primary_conninfo = '$connection'\n"
	: "hot_standby_feedback = on\nprimary_slot_name = 'standby'\n");
if ($new_slots)
{
	$origin->append_conf('postgresql.conf', guide_settings(qr/synchronized_standby_slots/));
	$origin->reload;
	$follower->safe_psql('postgres', $_) foreach split /(?<=;)\n/, guide(qr/failover = true/);
	becomes('t', 'the standby has the slot', sub { $standby->safe_psql('postgres',
				q{SELECT count(*) = 1 FROM pg_replication_slots WHERE slot_name = 'access' AND synced AND NOT temporary}) });
}
becomes($OPEN, 'a standby', sub { as_user($standby, 'gina', $ASK) });
becomes($OPEN, 'and a follower', sub { as_user($follower, 'gina', $ASK) });
$origin->safe_psql('postgres', "SELECT cnap_add_workspace_member('$W', person) FROM unnest('{kim,leo,max}'::text[]) person");
my $before = position($origin);
wait_for($_, $before) foreach $standby, $follower;
is(as_user($_, 'kim', $ASK), $OPEN, $_->name . ' before the failover') foreach $standby, $follower;

SKIP:
{
	skip 'WAIT FOR LSN is new in PostgreSQL 19', 6 if major_version($origin) < 19;

	# wait_for_lsn(NODE, TIMEOUT): until it has replayed all that the origin has; the SQLSTATE
	my $wait_for_lsn = sub {
		my ($node, $timeout) = @_;
		my $place = $origin->safe_psql('postgres', guide(qr/^SELECT split_part\(cnap_position/));
		my $reader = connect_to($node, 'app');

		$reader->attempt(guide(qr/^WAIT FOR LSN/, '0/1A2B3C8' => $place, '5s' => $timeout));
		return $reader->{sqlstate};
	};
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
	becomes('paused', 'replay pauses', sub { $standby->safe_psql('postgres', 'SELECT pg_get_wal_replay_pause_state()') });
	$origin->safe_psql('postgres', "SELECT cnap_remove_workspace_member('$W', 'max')");
	is($wait_for_lsn->($standby, '10ms'), '57014', 'the command waits for what has not been replayed');
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	is($wait_for_lsn->($standby, '1min'), '00000', 'and not for what has');
	is(as_user($standby, 'max', $ASK), $CLOSED, 'a revocation, after the wait');
	becomes($OPEN, 'which is not since the standby is stale', sub { as_user($standby, 'gina', $ASK) });
	is($wait_for_lsn->($follower, '10ms'), '55000', 'the command is nothing for a follower by subscription');
}
$origin->kill9;
$standby->promote;
becomes($CLOSED, 'the follower closes', sub { as_user($follower, 'kim', $ASK) });
$standby->safe_psql('postgres', "SELECT cnap_remove_workspace_member('$W', 'kim')");
is($standby->safe_psql('postgres', 'SELECT cnap_wait(' . "'$before')"), '', 'positions stay good');

my $there = quoted($standby->connstr('postgres'));
if ($new_slots)
{
	$follower->safe_psql('postgres', guide(qr/^ALTER SUBSCRIPTION access CONNECTION/, 'host=standby dbname=app user=replicator' => $there));
}
else
{
	my (undef, undef, $error) = $follower->psql('postgres', "ALTER SUBSCRIPTION access CONNECTION '$there'");
	is($error, '', 'the connection can be changed');
	becomes('1', 'but there is no slot', sub { (slurp_file($follower->logfile) =~ /replication slot "access" does not exist/) ? 1 : 0 });
	is(as_user($follower, 'kim', $ASK), $CLOSED, 'so the follower stays closed');
	$follower->safe_psql('postgres', $_) foreach split /(?<=;)\n/, guide(qr/slot_name = NONE/);
	$follower->safe_psql('postgres', guide(qr/^DROP SUBSCRIPTION IF/));
	subscribe($follower, $standby, 'access');
}
becomes($OPEN, 'it follows the new origin', sub { as_user($follower, 'leo', $ASK) });
wait_for($follower, position($standby));
is(as_user($follower, 'kim', $ASK), $CLOSED, 'with what has changed meanwhile');
$standby->safe_psql('postgres', "SELECT cnap_remove_workspace_member('$W', 'leo')");
wait_for($follower, position($standby));
is(as_user($follower, 'leo', $ASK), $CLOSED, 'and what changes now');
is(found($_), '', $_->name . ': nothing is found') foreach $standby, $follower;

# ---- another major version ----

SKIP:
{
	skip 'no other installation in $oldinstall', 6 if !$ENV{oldinstall};
	my $old = PostgreSQL::Test::Cluster->new('old', install_path => $ENV{oldinstall});
	my $new = new_node('new', $logical, allows_streaming => 'logical');

	$old->init(allows_streaming => 'logical');
	$old->adjust_conf('postgresql.conf', 'autovacuum_worker_slots');    # which it need not know
	$old->append_conf('postgresql.conf', $beating);
	$old->start;
	furnish($_) foreach $old, $new;
	fill($old);
	my ($from, $to) = map { major_version($_) } $old, $new;
	isnt($from, $to, "another version: $from");
	$old->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));
	subscribe($new, $old, 'access');
	becomes($OPEN, "$to follows $from", sub { as_user($new, 'gina', $ASK) });
	$old->safe_psql('postgres', "SELECT cnap_transfer_workspace('$W', 'x') FROM cnap_add_workspace_member('$W', 'x');"
		  . "SELECT cnap_remove_workspace_member('$W', 'gina')");
	wait_for($new, position($old));
	is(as_user($new, 'gina', $ASK), $CLOSED, 'a revocation');

	# and the other way round
	$new->safe_psql('postgres', 'DROP SUBSCRIPTION access');
	$new->safe_psql('postgres', guide(qr/take_over/));
	is(as_user($new, 'x', $ASK), $OPEN, "$to takes over");
	$new->append_conf('postgresql.conf', $beating);
	$old->append_conf('postgresql.conf', guide_settings(qr/beat_database = ''/));
	$_->restart foreach $new, $old;
	$new->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));
	$old->safe_psql('postgres', guide(qr/^DROP SUBSCRIPTION IF/));
	subscribe($old, $new, 'access');
	becomes($OPEN, "$from follows $to", sub { as_user($old, 'x', $ASK) });
	$new->safe_psql('postgres', "SELECT cnap_delete_workspace('$W')");
	wait_for($old, position($new));
	is(as_user($old, 'x', $ASK), $CLOSED, 'a deletion');
}

done_testing();
