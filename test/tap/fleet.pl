#
# fleet.pl: an origin, two followers by logical replication of which one follows the other, and a standby
#
# A follower answers as the origin does, and as soon as it cannot prove to be fresh, it denies everything, in
# sessions that are open, until it can again. How long that takes is up to cnap.max_staleness: the test
# waits until it has happened.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapFleet;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $logical = "wal_retrieve_retry_interval = 100ms\ncnap.max_staleness = 2s\n";
my $origin = new_node('origin', $logical . beating('100ms'), allows_streaming => 'logical');
my $follower = new_node('follower', $logical, allows_streaming => 'logical');
my $second = new_node('second', $logical, allows_streaming => 'logical');

furnish($_) foreach $origin, $follower, $second;
fill($origin);

# sessions(NODE, USER): that stay open; with plans of all kinds, and in a transaction. Replay on a standby
# would end one with an old snapshot.
sub sessions
{
	my ($node, $user) = @_;

	return map { connect_to($node, 'app', "SET cnap.user_id = '$user'", $_, "PREPARE ask AS $ASK") }
	  'SELECT 1', 'SET plan_cache_mode = force_generic_plan', 'SET enable_indexscan = off; SET enable_bitmapscan = off',
	  $node->name eq 'standby' ? 'BEGIN' : 'BEGIN ISOLATION LEVEL REPEATABLE READ';
}

sub answers
{
	my (@sessions) = @_;
	my %distinct = map { $_->query('EXECUTE ask') => 1 } @sessions;

	return join ' / ', sort keys %distinct;
}

# ---- nobody follows yet ----

my $worker = q{FROM pg_stat_activity WHERE backend_type = 'cnap_org beat' AND datname = 'postgres'};
becomes('1', 'the background worker runs', sub { $origin->safe_psql('postgres', "SELECT count(*) $worker") });
becomes('t', 'and stamps the beat', sub { $origin->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.beat') });
my $at = $origin->safe_psql('postgres', 'SELECT at FROM cnap.beat');
becomes('t', 'again and again', sub { $origin->safe_psql('postgres', "SELECT at > '$at' FROM cnap.beat") });
$origin->safe_psql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on');
$origin->reload;
becomes('on', 'while sessions cannot write', sub { $origin->safe_psql('postgres', 'SHOW default_transaction_read_only') });
$at = $origin->safe_psql('postgres', 'SELECT clock_timestamp()');
becomes('t', 'it still does', sub { $origin->safe_psql('postgres', "SELECT at > timestamptz '$at' + interval '2 s' FROM cnap.beat") });
$origin->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
$origin->reload;
becomes('off', 'they can again', sub { $origin->safe_psql('postgres', 'SHOW default_transaction_read_only') });
is(as_user($origin, 'gina', $ASK), $OPEN, 'the origin does not depend on it');
is(as_user($second, 'gina', $ASK), $CLOSED, 'nothing is known elsewhere');
is($second->safe_psql('postgres', "SELECT cnap_create_workspace('own', owner => 'x') IS NOT NULL"), 't',
	'and a database without a beat goes on by itself');
$second->safe_psql('postgres', 'DELETE FROM cnap.workspace');
$second->safe_psql('postgres', 'CREATE DATABASE published');
is($second->safe_psql('published', 'CREATE EXTENSION cnap_org; SELECT cnap_publish(); SELECT count(*) FROM cnap.beat'), "\n1",
	'whoever publishes gets a beat, also without the worker');
$second->safe_psql('postgres', 'DROP DATABASE published');

# A role that may renew the beat may do no more; and it is the renewal that may write it, not what comes after one
# that failed.
$origin->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION cnap_beat TO app');
is(as_user($origin, 'gina', 'SELECT cnap_beat()'), '', 'a scheduler of any role can renew the beat');
is(as_user($origin, 'gina', 'SELECT cnap_beat(take_over => true)'), '42501', 'but only a superuser takes the data over');
$origin->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION cnap_beat FROM app');
my $lock = connect_to($origin, undef, 'BEGIN', 'LOCK cnap.beat IN SHARE MODE');
my $hasty = connect_to($origin, undef, q{SET lock_timeout = '10ms'});
$hasty->attempt('SELECT cnap_beat()');
is($hasty->{sqlstate}, '55P03', 'a beat that cannot be written');
$lock->query('COMMIT');
$hasty->query('RESET lock_timeout');
$hasty->attempt('UPDATE cnap.beat SET at = now()');
is($hasty->{sqlstate}, '42501', 'leaves nothing behind');
$_->quit foreach $lock, $hasty;

# ---- following ----

$origin->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));
is($origin->safe_psql('postgres', "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables"),
	'access_token assignment beat organization organization_member permission_definition role_definition workspace workspace_member', 'what is published');

# A copy that is not complete: the lock holds up one table, while the beat is there.
my $blocker = connect_to($follower, undef, 'BEGIN', 'LOCK cnap.organization_member IN SHARE MODE');
subscribe($follower, $origin, 'access');
becomes('t', 'the beat arrives', sub { $follower->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.beat') });
becomes('t', 'and the workspaces', sub { $follower->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.workspace') });
is(as_user($follower, 'gina', $ASK), $CLOSED, 'but as long as a table is being copied, nobody has access');
is(as_user($follower, 'gina', 'SELECT * FROM cnap_workspaces()'), '55000', 'and functions say so');
is(as_user($follower, 'gina', "SELECT cnap_wait('" . position($origin) . "', '1s')"), '55000', 'no position has been reached');
is(found($follower), 'access_stale subscription_copying', 'and the linter does');
$blocker->query('COMMIT');
$follower->wait_for_subscription_sync($origin, 'access');
becomes($OPEN, 'a complete follower answers', sub { as_user($follower, 'gina', $ASK) });

$follower->safe_psql('postgres', 'SELECT cnap_publish()');
subscribe($second, $follower, 'access_2');
$second->wait_for_subscription_sync($follower, 'access_2');
becomes($OPEN, 'so does a follower of the follower', sub { as_user($second, 'gina', $ASK) });

my $standby = new_standby($origin, "hot_standby_feedback = on\nwal_receiver_status_interval = 1s");
becomes($OPEN, 'and a standby', sub { as_user($standby, 'gina', $ASK) });

my @followers = ($follower, $second, $standby);
my %sessions = map { $_->name => [ sessions($_, 'ben') ] } @followers;

is(found($_), '', $_->name . ': nothing is found') foreach $origin, @followers;

# What is not published any more, or in part, until the remedies have been executed
my @publications = ('FOR ALL TABLES', 'FOR TABLES IN SCHEMA cnap');
foreach my $change ('DROP TABLE cnap.workspace', 'DROP TABLE cnap.workspace; ALTER PUBLICATION cnap_access ADD TABLE cnap.workspace WHERE (false)',
	'DROP TABLE cnap.workspace; ALTER PUBLICATION cnap_access ADD TABLE cnap.workspace (id, name, owner_id)', 'SET TABLE doc',
	map { "SET (publish = '$_')" } 'insert', 'insert, update', 'insert, delete', 'update, delete')
{
	push @publications, shift @publications;
	$origin->safe_psql('postgres', "CREATE PUBLICATION other $publications[0]");
	$origin->safe_psql('postgres', "ALTER PUBLICATION cnap_access $change");
	is(found($origin), 'publication_incomplete publication_of_records', "publication: $change");
	$origin->safe_psql('postgres', 'DROP PUBLICATION other');
	remedied($origin, 'publication_incomplete');
	is(found($origin), '', "publication: $change, remedied");
}
$origin->safe_psql('postgres', 'ALTER PUBLICATION cnap_access ADD TABLE cnap.audit_log');
is(found($origin), 'publication_of_records', 'publication of the audit log');
remedied($origin, 'publication_of_records');
is(found($origin), '', 'publication of the audit log, remedied');

$origin->safe_psql('postgres', 'ALTER PUBLICATION cnap_access DROP TABLE cnap.role_definition');
$follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access REFRESH PUBLICATION');
is(found($follower), 'access_stale subscription_incomplete', 'a subscription that receives less');
$origin->safe_psql('postgres', 'SELECT cnap_publish()');
remedied($follower, 'subscription_incomplete');
$follower->wait_for_subscription_sync($origin, 'access');
becomes('', 'and all again', sub { found($follower) });

foreach my $action ('DELETE CASCADE', 'DELETE SET NULL', 'DELETE SET DEFAULT', 'UPDATE CASCADE', 'UPDATE SET NULL', 'UPDATE SET DEFAULT')
{
	$follower->safe_psql('postgres', "CREATE TABLE invoice (workspace_id uuid REFERENCES cnap.workspace ON $action)");
	is(found($follower), 'reference_to_followed', "a foreign key whose actions do not happen: ON $action");
	$follower->safe_psql('postgres', 'DROP TABLE invoice');
}
$origin->safe_psql('postgres', 'CREATE PUBLICATION other FOR TABLE cnap.workspace, cnap.audit_log');
$follower->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION other CONNECTION '%s' PUBLICATION other WITH (copy_data = false)},
		quoted($origin->connstr('postgres'))));
becomes('subscription_of_records subscription_twice', 'subscriptions that collide', sub { found($follower) });
$follower->safe_psql('postgres', 'DROP SUBSCRIPTION other');
$origin->safe_psql('postgres', 'DROP PUBLICATION other');
is(found($follower), '', 'and no longer');

# A change, and what follows from it everywhere, once cnap_wait() has returned
sub change
{
	my ($statement, $expected) = @_;

	$origin->safe_psql('postgres', $statement);
	my $position = position($origin);
	foreach my $node (@followers)
	{
		wait_for($node, $position);
		is(answers(@{ $sessions{ $node->name } }), $expected, $node->name . ": $statement");
	}
	return;
}

is(answers(map { @$_ } values %sessions), $CLOSED, 'a user without access');
change("SELECT cnap_grant_management('$W', '$O')", $OPEN);
change("DELETE FROM cnap.organization_member WHERE user_id = 'ben'", $CLOSED);
change("INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ('$O', 'ben')", $OPEN);

# ---- writes ----

my $guarded = $follower->safe_psql('postgres', q{SELECT string_agg(c.relname, ' ' ORDER BY c.relname)
	FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = 'a_refuse_local_write'});
is($guarded, 'access_token assignment install_link invitation organization organization_member permission_definition role_definition workspace workspace_member',
	'tables that are kept elsewhere');
foreach my $table (split ' ', $guarded)
{
	foreach my $statement ("INSERT INTO cnap.$table DEFAULT VALUES", "DELETE FROM cnap.$table WHERE false",
		"UPDATE cnap.$table SET created_at = now() WHERE false", "TRUNCATE cnap.$table CASCADE")
	{
		my ($code, $out, $err) = $follower->psql('postgres', $statement, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		like($err, qr/25006: access data is kept at \d+\/\d+/, $statement);
	}
}
is(as_user($follower, 'gina', $_), '25006', $_)
  foreach "SELECT cnap_create_workspace('x')", "SELECT cnap_create_organization('x')", "SELECT cnap_create_access_token('x')",
  "SELECT cnap_update_workspace('$W', name => 'x')", "SELECT cnap_add_workspace_member('$W', 'x')",
  "SELECT cnap_invite_to_workspace('$W')", "SELECT cnap_revoke_management('$W')", "SELECT cnap_delete_workspace('$W')";
is(as_user($follower, 'ann', "SELECT cnap_create_install_link('$O')"), '25006', 'install links');
my $statement = connect_to($follower, undef);
$statement->attempt($_) or is($statement->{sqlstate}, '25006', $_) foreach 'SELECT cnap_beat()', 'SELECT cnap_beat(true)',
  'DELETE FROM cnap.workspace', "SELECT cnap_forget_user('gina', 'x')";
$statement->attempt($_) or is($statement->{sqlstate}, '42501', $_)

  foreach 'DELETE FROM cnap.beat', 'UPDATE cnap.beat SET at = now()';
my $truncate = connect_to($origin, undef);
$truncate->attempt("TRUNCATE cnap.$_ CASCADE") or is($truncate->{sqlstate}, '55000', "TRUNCATE cnap.$_ at the origin")
  foreach split ' ', $origin->safe_psql('postgres', q{SELECT array_to_string(cnap.published_tables(), ' ')});

# ---- positions ----

is(as_user($origin, 'gina', 'SELECT cnap_position() IS NOT NULL'), 't', 'anybody may ask for the position');
is(as_user($origin, 'gina', "BEGIN; SELECT cnap_update_workspace('$W', name => 'x'); SELECT cnap_position()"), '25001',
	'but not before the commit');
is(as_user($_, 'gina', 'SELECT cnap_position()'), '55000', 'nor at ' . $_->name) foreach @followers;
is(as_user($follower, 'gina', "SELECT cnap_wait('$_')"), '22023', "'$_' is no position")
  foreach '', 'x', '1/2', '1/2@', '1/2@x', '@0/0x', '1/2@/0', '1/2@0/', '1/2@000000000/0', '1/2@0/000000000';
is(as_user($_, 'gina', "SELECT cnap_wait('1/2\@0/0')"), '55000', $_->name . ': a position of another origin') foreach $origin, @followers;
my $far = position($origin);
$far =~ s/\@.*/\@FFFF\/0/;
is(as_user($_, 'gina', "SELECT cnap_wait('$far', '100ms')"), '55000', $_->name . ' cannot reach it in time') foreach @followers;
is(as_user($follower, 'gina', "SELECT cnap_wait('$far', '$_')"), '22023', "$_ is not waited for") foreach '-1 s', '178000000 years';
is(as_user($origin, 'gina', 'SELECT cnap_wait(cnap_position())'), '', 'the origin itself has reached it');
is(as_user($origin, 'gina', 'SELECT cnap_followers()'), '42501', 'not everybody sees the followers');
becomes('physical|t|t,logical|t|t', 'the followers', sub { $origin->safe_psql('postgres',
			q{SELECT string_agg(concat_ws('|', kind, connected, open), ',' ORDER BY kind DESC) FROM cnap_followers()}) });
$origin->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$origin->safe_psql('elsewhere', q{SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')});
is($origin->safe_psql('postgres', 'SELECT count(*) FROM cnap_followers()'), '2', 'and nobody who follows another database of the server');
$origin->safe_psql('postgres', q{SELECT pg_drop_replication_slot('elsewhere'); DROP DATABASE elsewhere});
$follower->safe_psql('postgres', 'SELECT pg_current_xact_id(); SELECT pg_switch_wal()') foreach 1 .. 3;
ok($follower->poll_query_until('postgres', 'SELECT applied > (SELECT position FROM cnap.beat) FROM cnap_followers()'),
	'where others follow a follower, its log is another');
is($follower->safe_psql('postgres', 'SELECT connected, lag IS NULL, open FROM cnap_followers()'), 't|t|f', 'by which nobody knows how far they are');

# ---- closed ----

# closes(NODE, NAME): its sessions, all that they ask, and what functions say
sub closes
{
	my ($node, $name) = @_;
	my @sessions = @{ $sessions{ $node->name } };

	becomes($CLOSED, "$name: closed", sub { answers(@sessions) });
	is(as_user($node, 'gina', $ASK), $CLOSED, "$name: for everybody");
	is(as_user($node, 'gina', 'SELECT * FROM cnap_workspaces()'), '55000', "$name: functions say so");
	is(as_user($node, 'gina', "SELECT * FROM cnap_explain_access('gina', '$W')"), '55000', "$name: so do explanations");
	is(as_user($node, 'gina', "SELECT cnap_can_access('gina', '$W'), cnap_accessible_workspaces('gina')"), 'f|{}',
		"$name: questions about others");
	is(as_user($node, 'gina', 'SELECT cnap_current_user()'), 'gina', "$name: who asks is still known");
	return;
}

sub opens
{
	my ($node, $name) = @_;

	becomes($OPEN, "$name: open again", sub { answers(@{ $sessions{ $node->name } }) });
	return;
}

my $token = $origin->safe_psql('postgres', "SET cnap.user_id = 'ben'; SELECT cnap_create_access_token('x')");
wait_for($follower, position($origin));
my $signed_in = connect_to($follower, 'app', "SELECT cnap_authenticate('$token', false)", "PREPARE ask AS $ASK");
is($signed_in->query('EXECUTE ask'), $OPEN, 'signed in by a token');

my $limited = $origin->safe_psql('postgres', "SET cnap.user_id = 'ben'; SELECT cnap_create_access_token('limited', workspaces => '{$W}')");
wait_for($follower, position($origin));
my $within = connect_to($follower, 'app', "SELECT cnap_authenticate('$limited', false)", 'BEGIN');
is($within->query('SELECT cnap_accessible_workspaces()'), "{$W}", 'a token\'s limits are followed');
$origin->safe_psql('postgres', q{UPDATE cnap.access_token SET permissions = '{administer}' WHERE name = 'limited'});
wait_for($follower, position($origin));
is($within->query('SELECT cnap_accessible_workspaces()'), '{}', 'and so are their changes, in an open session');
$within->quit;

$follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access DISABLE');
closes($follower, 'subscription disabled');
is($signed_in->query('EXECUTE ask'), $CLOSED, 'subscription disabled: tokens');
is($signed_in->query('SELECT cnap_current_user() IS NULL'), 't', 'which may have been revoked');
is(as_user($follower, 'ben', "RESET cnap.user_id; SELECT cnap_authenticate('$token')"), '55000', 'nobody signs in');
closes($second, 'and what follows it');
is(found($second), 'access_stale', 'and the linter says so');
is(found($follower), 'access_stale subscription_disabled', 'and why');
is($follower->safe_psql('postgres', "SET cnap.max_staleness = -1; SELECT count(*) FROM cnap_lint() WHERE rule = 'staleness_unlimited'"),
	'1', 'and where nothing is ever stale');
is($follower->safe_psql('postgres', "SET cnap.max_staleness = -1; SELECT cnap_can_access('gina', '$W')"), 't',
	'a superuser can turn it off');
is($follower->safe_psql('postgres', "SET cnap.max_staleness = -1; SELECT cnap_can_access('gina', '$W'); RESET cnap.max_staleness; SELECT cnap_can_access('gina', '$W')"),
	"t\nf", 'and on again, at once');
is(as_user($follower, 'gina', 'SELECT cnap_current_user(); SET cnap.max_staleness = -1'), '42501', 'and nobody else');
like(as_user($follower, 'gina', "SET cnap.max_staleness = -1; $ASK"), qr/^\Q$CLOSED\E$/m, 'nor before the library is loaded');
is($follower->safe_psql('postgres', "SET debug_parallel_query = on; SELECT cnap_can_access('gina', '$W')"), 'f', 'parallel workers')
  if major_version($follower) >= 16;
remedied($follower, 'subscription_disabled');
opens($_, $_->name . ' after the subscription was enabled') foreach $follower, $second;
is($signed_in->query('EXECUTE ask'), $OPEN, 'and for tokens');

# A beat from the future proves nothing, even if it is the only one.
$follower->safe_psql('postgres', "ALTER SUBSCRIPTION access DISABLE; SET session_replication_role = replica;"
	  . " UPDATE cnap.beat SET at = now() + interval '1 hour'");
closes($follower, 'beat from the future');
$follower->safe_psql('postgres', 'ALTER SUBSCRIPTION access ENABLE');
opens($follower, 'follower with the right beat');

# A row of the follower's own stops apply.
$follower->safe_psql('postgres', "SET session_replication_role = replica;"
	  . " INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ('$W', 'conflict')");
$origin->safe_psql('postgres', "INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ('$W', 'conflict')");
closes($follower, 'apply wedged');
becomes('access_stale subscription_failing', 'and found', sub { found($follower) });
$follower->safe_psql('postgres', "SET session_replication_role = replica; DELETE FROM cnap.workspace_member WHERE user_id = 'conflict'");
opens($follower, 'apply');

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
closes($standby, 'replay paused');
becomes('f', 'the origin knows', sub { $origin->safe_psql('postgres', "SELECT open FROM cnap_followers() WHERE kind = 'physical'") });
is($origin->safe_psql('postgres', q{SELECT lag > '2s' FROM cnap_followers() WHERE kind = 'physical'}), 't', 'and how old the data there is');
is($origin->safe_psql('postgres', q{SET cnap.max_staleness = -1; SELECT open FROM cnap_followers() WHERE kind = 'physical'}), 't',
	'which would not matter without a limit');
is($origin->safe_psql('postgres', guide(qr/WHERE NOT open/)), 'standby', 'and raises the alert');
like($origin->safe_psql('postgres', guide(qr/^SELECT name, kind/)), qr/^standby\|physical\|t\|.*\|f$/m, 'as the list does');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
opens($standby, 'replay');

$origin->kill9;
closes($_, 'origin killed: ' . $_->name) foreach @followers;
$origin->start;
opens($_, 'origin restarted: ' . $_->name) foreach @followers;

# ---- becoming the origin ----

my $promoted = $sessions{standby};
$standby->promote;
becomes($OPEN, 'a promoted standby is the origin at once', sub { answers(@$promoted) });
is($standby->safe_psql('postgres', 'SELECT cnap_beat(); SELECT cnap_position() IS NOT NULL'), "\nt", 'with a beat of its own');

$second->safe_psql('postgres', 'DROP SUBSCRIPTION access_2');
closes($second, 'subscription dropped');
is(as_user($second, 'gina', "SELECT cnap_update_workspace('$W', name => 'x')"), '55000', 'nobody writes there');
$second->psql('postgres', 'SELECT cnap_beat()', stderr => \my $refused);
like($refused, qr/access data is kept at/, 'and the beat is not renewed there');
$second->safe_psql('postgres', guide(qr/take_over/));
opens($second, 'a superuser lets it keep the data');
is(as_user($second, 'gina', "SELECT cnap_update_workspace('$W', name => 'x')"), '', 'and change them');
is($second->safe_psql('postgres', "SELECT count(*) FROM cnap.audit_log WHERE action = 'beat.take_over'"), '1', 'which is on record');

# Back again, which begins with the data that it has kept itself
$second->safe_psql('postgres', guide(qr/^DROP SUBSCRIPTION IF/));
is(answers(@{ $sessions{second} }), $CLOSED, 'nothing is left');
$follower->safe_psql('postgres', 'ALTER PUBLICATION cnap_access DROP TABLE cnap.beat');
subscribe($second, $follower, 'access_2');
becomes('t', 'the workspaces arrive without a beat', sub { $second->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.workspace') });
is(answers(@{ $sessions{second} }), $CLOSED, 'and open sessions know that this is not all');
$follower->safe_psql('postgres', 'SELECT cnap_publish()');
$second->safe_psql('postgres', 'ALTER SUBSCRIPTION access_2 REFRESH PUBLICATION');
$second->wait_for_subscription_sync($follower, 'access_2');
opens($second, 'copied anew');
is($second->safe_psql('postgres', 'SELECT name FROM cnap.workspace'), 'Globex', 'without its own changes');

# A follower of a follower is closed as long as that one is being copied.
$follower->safe_psql('postgres', guide(qr/^DROP SUBSCRIPTION IF/));
$blocker->query($_) foreach 'BEGIN', 'LOCK cnap.organization_member IN SHARE MODE';
subscribe($follower, $origin, 'access');
becomes('t', 'the follower of one that is being copied has a beat', sub { $second->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.beat') });
becomes('t', 'and the workspaces', sub { $second->safe_psql('postgres', 'SELECT count(*) = 1 FROM cnap.workspace') });
is(as_user($second, 'gina', $ASK), $CLOSED, 'but is closed');
is($second->safe_psql('postgres', 'SELECT restored FROM cnap.beat'), 't', 'since the beat says so');
$blocker->query('COMMIT');
$follower->wait_for_subscription_sync($origin, 'access');
opens($_, $_->name . ' after the copy') foreach $follower, $second;

# ---- restoring ----

my $dump = "$PostgreSQL::Test::Utils::tmp_check/fleet.dump";
foreach my $node ($origin, $follower)
{
	my $name = $node->name;
	$node->command_ok([ 'pg_dump', '--no-subscriptions', '--no-publications', '-Fc', '-f', $dump, 'postgres' ], "dump of $name");
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', $dump ], "restore of $name");
	is($node->safe_psql('restored', "SELECT cnap_can_access('gina', '$W'), restored FROM cnap.beat"), 'f|t', 'a copy is closed');
	$node->psql('restored', 'DELETE FROM cnap.beat', stderr => \my $error);
	like($error, qr/only cnap_beat\(\) and replication/, 'nor is its beat to be deleted');
	$node->safe_psql('restored', 'SELECT cnap_beat(take_over => true)');
	is($node->safe_psql('restored', "SELECT cnap_can_access('gina', '$W')"), 't', 'until somebody decides that it is the origin');

	# what was dumped here comes back, to a session that is open
	is($node->safe_psql('restored', "CREATE TEMP TABLE dumped AS TABLE cnap.beat; DELETE FROM cnap.beat; SELECT cnap_can_access('gina', '$W');"
			  . " INSERT INTO cnap.beat TABLE dumped; SELECT cnap_can_access('gina', '$W')"), "t\nf", 'a beat of its own that is restored closes it, too');
	$node->psql('restored', 'SELECT cnap_beat()', stderr => \$error);
	like($error, qr/access data is kept at/, 'and is not renewed');
	$node->safe_psql('postgres', 'DROP DATABASE restored');
}

# ---- the worker ----

$_->quit foreach map { @$_ } values %sessions;
$follower->append_conf('postgresql.conf', beating('100ms'));
$follower->restart;
becomes('idle: another database keeps the access data', 'where another database keeps the data, the worker waits',
	sub { $follower->safe_psql('postgres', "SELECT query $worker") });
unlike(slurp_file($follower->logfile), qr/ERROR:  access data is kept at.*cnap_beat_worker|cnap_org beat.*exited with exit code 1/, 'and does not fail');
$follower->safe_psql('postgres', 'DROP SUBSCRIPTION access');
$origin->safe_psql('postgres', 'DROP TABLE doc; DROP PUBLICATION cnap_access; DROP EXTENSION cnap_org');
becomes('waiting for CREATE EXTENSION cnap_org', 'the worker survives DROP EXTENSION',
	sub { $origin->safe_psql('postgres', "SELECT query $worker") });
$origin->safe_psql('postgres', 'CREATE EXTENSION cnap_org');
becomes('1', 'and goes on', sub { $origin->safe_psql('postgres', 'SELECT count(*) FROM cnap.beat') });

# Each beat but the first after the signal shows the new interval.
$origin->append_conf('postgresql.conf', 'cnap.beat_interval = 1h');
$origin->restart;
$origin->append_conf('postgresql.conf', 'cnap.beat_interval = 100ms');
$origin->reload;
foreach my $beat (1 .. 3)
{
	$at = $origin->safe_psql('postgres', 'SELECT at FROM cnap.beat');
	becomes('t', "a new interval applies to the worker that runs: $beat", sub { $origin->safe_psql('postgres', "SELECT at > '$at' FROM cnap.beat") });
}
$origin->stop;
ok(!-e $origin->data_dir . '/postmaster.pid', 'it lets the server stop');
unlike(slurp_file($origin->logfile), qr/PANIC|TRAP|terminated by signal [^9]/, 'cleanly');

is_deeply([ not_in_tests() ], [], 'there is a test of everything in the guide');

done_testing();
