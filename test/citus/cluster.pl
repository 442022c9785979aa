#
# cluster.pl: a cluster of Citus as a whole: trust, identity, revocation, and nodes that come and go
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../tap";

use CnapCitus;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($coordinator, @workers) = new_cluster(2, "cnap.max_staleness = 60s\ncitus.shard_count = 32");
my @nodes = ($coordinator, @workers);

$coordinator->safe_psql('postgres', guide(qr/^CREATE TABLE doc/));
$coordinator->safe_psql('postgres', q{
	CREATE TABLE ref (id int PRIMARY KEY, workspace_id uuid NOT NULL, note text);
	CREATE INDEX ON ref (workspace_id);
	SELECT create_reference_table('ref');
	SELECT cnap_protect('ref');
	GRANT SELECT, INSERT, UPDATE, DELETE ON doc, ref TO app, plain;
	INSERT INTO doc SELECT n, w.id, CASE WHEN w.managed_by IS NULL THEN 'UNSEEN ' ELSE 'seen ' END || w.name
		FROM cnap.workspace w, generate_series(1, 10) n;
	INSERT INTO ref SELECT row_number() OVER (ORDER BY id), workspace_id, note FROM doc WHERE id = 1});

# ---- trust ----

my $granted = q{SELECT count(*) FROM pg_parameter_acl p, aclexplode(p.paracl) a
	WHERE p.parname = 'cnap.user_id' AND a.grantee = 'app'::regrole};
my $setting = q{SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'app'::regrole
	AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())};
foreach my $node (@nodes)
{
	my $name = $node->name;

	is($node->safe_psql('postgres', $granted), 1, "$name: the role is trusted");
	is($node->safe_psql('postgres', $setting), '{citus.propagate_set_commands=local}', "$name: what it sets is sent");
	is($node->safe_psql('postgres', "SELECT cnap_can_access('ben', '$OWN'), cnap_can_access('ben', '$OTHER')"), 't|f', "$name: the checks answer");
}
is(found($coordinator, '^(node|identity_not|public|subscr)'), '', 'the linter finds nothing about the nodes');
is(found($_, '^(node|identity_not|public|subscr|policy|table|child|partition)'), '', $_->name . ': nor there') foreach @nodes;
is(found($_, '^(policy|table|child|partition|column_type)', 'SET citus.override_table_visibility = off'), '',
	$_->name . ': nor anything about shards, where they are listed') foreach @nodes;

# ---- identity ----

my %counts = (doc => '50|0', ref => '5|0');
foreach my $node (@nodes)
{
	foreach my $table (sort keys %counts)
	{
		my $name = $node->name . ", $table";
		my $query = "SELECT $MARKED FROM $table";

		is(as_user($node, 'ben', $query), $counts{$table}, "$name: a user sees their rows");
		is(as_user($node, 'u9', $query), $table eq 'doc' ? '10|10' : '1|1', "$name: another one theirs");
		is(as_user($node, 'nobody', $query), '0|0', "$name: and a stranger none");
		is(connect_to($node, 'app')->query($query), '0|0', "$name: nor a session without a user");
		is(connect_to($node, 'plain')->query($query), '0|0', "$name: nor one of an ordinary role");
	}
	is(as_user($node, 'ben', "SELECT count(*) FROM doc WHERE workspace_id = '$_->[0]'"), $_->[1], $node->name . ': one workspace')
	  foreach [ $OWN, 10 ], [ $OTHER, 0 ];
}

# Sessions that are pooled: what one transaction sets is over with it, however it ends
my $query = "SELECT coalesce(cnap_current_user(), 'nobody') || ' ' || count(*) FROM doc";
my $session = connect_to($coordinator, 'app');
foreach my $case (
	[ 'COMMIT', "SET LOCAL cnap.user_id = 'ben'", 'Q', 'COMMIT' ],
	[ 'ROLLBACK', "SET LOCAL cnap.user_id = 'ben'", 'Q', 'ROLLBACK' ],
	[ 'a savepoint rolled back before a connection is used', 'SAVEPOINT s', "SET LOCAL cnap.user_id = 'ben'", 'ROLLBACK TO s' ],
	[ 'a savepoint rolled back afterwards', 'SAVEPOINT s', "SET LOCAL cnap.user_id = 'ben'", 'Q', 'ROLLBACK TO s' ],
	[ 'to nobody', "SET LOCAL cnap.user_id = 'ben'", 'Q', "SET LOCAL cnap.user_id = ''" ],
	[ 'an error', "SET LOCAL cnap.user_id = 'ben'", 'SELECT 1/0' ])
{
	my ($name, @statements) = @$case;

	$session->query('BEGIN');
	$session->attempt($_ eq 'Q' ? $query : $_) foreach @statements;
	$session->query('ROLLBACK') if $session->{sqlstate} ne '00000';
	is($session->query($query), 'nobody 0', "pooled: $name");
	$session->attempt('ROLLBACK');
	is($session->query($query), 'nobody 0', "pooled: $name, and when the transaction has ended");
}
$session->query('BEGIN');
$session->query("SET LOCAL cnap.user_id = 'u9'");
is($session->query($query), 'u9 10', '(one user)');
$session->query('SAVEPOINT s');
$session->query("SET LOCAL cnap.user_id = 'ben'");
is($session->query($query), 'ben 50', '(and another one, in a savepoint)');
$session->query('ROLLBACK TO s');
is($session->query($query), 'u9 10', 'a savepoint rolled back: the former user, everywhere');
$session->query('ROLLBACK');

$session->quit;
$session = connect_to($workers[1], 'app');
is(join('', map { $session->query($_) } grep { /\S/ } split /;\n/, guide(qr/^BEGIN/, "'42'" => "'u9'", '*' => 'count(*)')), '10', 'as the guide says');

# What is not sent shows no rows of others, but it does not change who is asking elsewhere either
$session->quit;
$session = connect_to($coordinator, 'app');
$session->query('BEGIN');
$session->query(q{SELECT set_config('cnap.user_id', 'ben', true)});
is($session->query($query), 'ben 0', 'set_config() stays where it is executed');
$session->query('ROLLBACK');
$session->query(q{SET cnap.user_id = 'ben'});
is($session->query($query), 'ben 0', 'so does SET for the session');
$session->quit;

# An ordinary role cannot have anything sent that it may not set
foreach my $node (@nodes)
{
	foreach my $attempt ("SET LOCAL cnap.user_id = 'u9'", q{SELECT set_config('cnap.user_id', 'u9', true)},
		"SET LOCAL citus.propagate_set_commands = 'local'; SET LOCAL cnap.user_id = 'u9'")
	{
		my $plain = connect_to($node, 'plain', q{SET citus.propagate_set_commands = 'local'}, 'BEGIN');
		$plain->attempt($attempt);
		is($plain->{sqlstate}, '42501', $node->name . ": plain: $attempt");
		$plain->query('ROLLBACK');
		is($plain->query('SELECT count(*) FROM doc'), 0, 'and sees nothing');
		$plain->quit;
	}
	my $plain = connect_to($node, 'plain');
	unlike($plain->attempt($_) . $plain->{error}, qr/UNSEEN|seen/, $node->name . ": plain: $_")
	  foreach q{SELECT result FROM run_command_on_workers('SELECT string_agg(note, '','') FROM doc')},
	  q{SELECT result FROM run_command_on_workers($$BEGIN; SET LOCAL cnap.user_id = 'ben'; SELECT string_agg(note, ',') FROM doc$$)},
	  q{SELECT result FROM run_command_on_shards('doc', 'SELECT string_agg(note, '','') FROM %s')},
	  q{SELECT result FROM run_command_on_placements('doc', 'SELECT string_agg(note, '','') FROM %s')};
	$plain->quit;
}

# ---- a direct connection to a worker ----

foreach my $worker (@workers)
{
	my ($shard) = grep { $worker->safe_psql('postgres', "SELECT count(*) FROM $_ WHERE note ~ 'UNSEEN'") } shards($worker, 'doc');
	my $direct = connect_to($worker, 'plain');

	is($direct->query("SELECT count(*) FROM $shard"), 0, "$shard: an ordinary role sees none of the rows");
	$direct->quit;
	$direct = connect_to($worker, 'app', q{SET cnap.user_id = 'ben'});
	my $direct_rows = join ' ', map { $direct->query("SELECT count(*) FILTER (WHERE note ~ 'UNSEEN') FROM $_") } shards($worker, 'doc');
	like($direct_rows, qr/^[0 ]+$/, $worker->name . ': a user sees only their rows of the shards');
	$direct->attempt("INSERT INTO $shard VALUES (99, '$OTHER', 'x')");
	isnt($direct->{sqlstate}, '00000', 'and cannot write those of others');
	$direct->quit;
}

# ---- revocation ----

my @sessions = map { connect_to($_, 'app', 'BEGIN', q{SET LOCAL cnap.user_id = 'ben'}) } @nodes;
is($_->query("SELECT $MARKED FROM doc"), '50|0', 'before the revocation, in an open transaction') foreach @sessions;
$coordinator->safe_psql('postgres', qq{
	BEGIN; SET LOCAL cnap.user_id = 'ann';
	SELECT cnap_remove_organization_member('00000000-0000-0000-0000-0000000000aa', 'ben');
	COMMIT});
settled($coordinator, @workers);
is($_->query("SELECT $MARKED FROM doc"), '0|0', 'after it, in the same transaction') foreach @sessions;
$_->quit foreach @sessions;
foreach my $node (@nodes)
{
	is(as_user($node, 'ben', "SELECT $MARKED FROM doc"), '0|0', $node->name . ': in a new one');
	is(as_user($node, 'ann', "SELECT $MARKED FROM doc"), '50|0', $node->name . ': and others see what they did');
}
like(as_user($workers[0], 'ann', "SELECT cnap_update_workspace('$OWN', name => 'x')"), qr/25006/, 'nothing is changed on a worker');

# A worker that is cut off shows nothing, once it is too old
$workers[0]->safe_psql('postgres', q{ALTER SUBSCRIPTION access_worker1 DISABLE});
$workers[0]->safe_psql('postgres', q{ALTER SYSTEM SET cnap.max_staleness = '1s'; SELECT pg_reload_conf()});
my $all = $coordinator->safe_psql('postgres', "SELECT count(*) FROM doc WHERE note !~ 'UNSEEN'");
my $there = 0;
$there += $workers[0]->safe_psql('postgres', "SELECT count(*) FROM $_ WHERE note !~ 'UNSEEN'") foreach shards($workers[0], 'doc');
ok($there > 0 && $there < $all, "(of $all rows, it has $there)");
becomes(($all - $there) . '|0', 'a worker that is cut off: its rows are missing',
	sub { as_user($coordinator, 'ann', "SELECT $MARKED FROM doc") });
becomes('node_stale node ' . $workers[0]->host . ':' . $workers[0]->port, 'and the linter says so',
	sub { found($coordinator, '^node') });
$workers[0]->safe_psql('postgres', q{ALTER SYSTEM RESET cnap.max_staleness; SELECT pg_reload_conf(); ALTER SUBSCRIPTION access_worker1 ENABLE});
becomes('50|0', 'until it is not any more', sub { as_user($coordinator, 'ann', "SELECT $MARKED FROM doc") });

# ---- distrust ----

my $lost = connect_to($workers[1], 'app', 'BEGIN', q{SET LOCAL cnap.user_id = 'ann'});
is($lost->query('SELECT count(*) FROM doc'), 50, '(a session of the role)');
$lost->query('COMMIT');
$coordinator->safe_psql('postgres', q{SELECT cnap_distrust('app')});
is($_->safe_psql('postgres', $granted), 0, $_->name . ': not trusted any more') foreach @nodes;
$lost->query('BEGIN');
$lost->attempt(q{SET LOCAL cnap.user_id = 'ann'});
is($lost->{sqlstate}, '42501', 'the session is not either');
$lost->quit;

# What one node has done by itself
$workers[0]->safe_psql('postgres', q{GRANT SET ON PARAMETER cnap.user_id TO app});
is(found($coordinator, '^node'), 'node_trusts node ' . $workers[0]->host . ':' . $workers[0]->port, 'trusted on one node alone');
$coordinator->safe_psql('postgres', $coordinator->safe_psql('postgres', q{SELECT remedy FROM cnap_lint() WHERE rule = 'node_trusts'}));
is(found($coordinator, '^node'), '', 'the remedy');
is($workers[0]->safe_psql('postgres', $granted), 0, 'and what it has done');

$coordinator->safe_psql('postgres', q{SELECT cnap_trust('app')});
$workers[1]->stop;
$coordinator->psql('postgres', q{SELECT cnap_distrust('app')}, stderr => \my $warning);
like($warning, qr/WARNING:  role "app" may still be trusted on other nodes/, 'distrust while a node is down: a warning');
is($coordinator->safe_psql('postgres', $granted), 0, 'it has effect on the coordinator');
is($workers[0]->safe_psql('postgres', $granted), 0, 'and on the nodes that can be reached');
like(found($coordinator, '^node'), qr/^node_unknown node /, 'the linter knows nothing about the other one');
$coordinator->psql('postgres', q{SELECT cnap_trust('app')}, stderr => \my $refused);
like($refused, qr/ERROR:  role "app" is not trusted on all nodes/, 'trust is refused');
is($coordinator->safe_psql('postgres', $granted), 0, 'without effect on the coordinator');
$workers[1]->start;
becomes('2', '(the node is back)', sub { $coordinator->safe_psql('postgres', 'SELECT count(*) FROM run_command_on_workers(\'SELECT 1\') WHERE success') });
like(found($coordinator, '^node'), qr/node_trusts node /, 'it trusts as before');
$coordinator->safe_psql('postgres', guide(qr/^SELECT cnap_trust/));
becomes('', 'and now all of them do', sub { found($coordinator, '^node') });

# The role's name is quoted
$coordinator->safe_psql('postgres', q{CREATE ROLE "a'b""; DROP ROLE c" LOGIN});
$coordinator->safe_psql('postgres', q{SELECT cnap_trust('"a''b""; DROP ROLE c"')});
is($_->safe_psql('postgres', q{SELECT count(*) FROM pg_parameter_acl p, aclexplode(p.paracl) a
	WHERE p.parname = 'cnap.user_id' AND a.grantee::regrole::text ~ 'DROP'}), 1,
	$_->name . ': an odd name') foreach @nodes;
$coordinator->safe_psql('postgres', q{SELECT cnap_distrust('"a''b""; DROP ROLE c"')});

# A role that logs in without the setting
$coordinator->safe_psql('postgres', q{ALTER ROLE app IN DATABASE postgres RESET citus.propagate_set_commands});
is(found($coordinator, '^identity_not'), 'identity_not_sent app', 'a role whose settings are not sent');
is(as_user($coordinator, 'ann', "SELECT $MARKED FROM doc"), '0|0', 'sees nothing');
$coordinator->safe_psql('postgres', $coordinator->safe_psql('postgres', q{SELECT remedy FROM cnap_lint() WHERE rule = 'identity_not_sent'}));
is(found($coordinator, '^identity_not'), '', 'the remedy');

# ---- another worker ----

my $third = CnapCitus::new_node_of_citus('worker3', 'cnap.max_staleness = 60s');
add_worker($coordinator, $third);
my $address = 'node ' . $third->host . ':' . $third->port;
is(found($coordinator, '^node'), "node_stale $address, node_without_trust $address", 'another worker: it follows nobody, and trusts nobody');
$coordinator->safe_psql('postgres', q{SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')});
ok(scalar shards($third, 'doc'), '(shards have been moved to it)');
like(as_user($coordinator, 'ann', "SELECT $MARKED FROM doc"), qr/42501: .*cnap\.user_id/, 'as long as it does not trust the role, it refuses');
$coordinator->safe_psql('postgres', guide(qr/^SELECT cnap_trust/));
my $fewer = as_user($coordinator, 'ann', "SELECT $MARKED FROM doc");
like($fewer, qr/^\d+\|0$/, 'then it shows no rows');
isnt($fewer, '50|0', 'so they are missing');
CnapCitus::follow($coordinator, $third);
settled($coordinator, $third);
becomes('', 'when it follows, and trusts, nothing is found', sub { found($coordinator, '^node') });
is(as_user($_, 'ann', "SELECT $MARKED FROM doc"), '50|0', $_->name . ': and all is there') foreach @nodes, $third;
is($third->safe_psql('postgres', q{SELECT count(*) FROM cnap_protected_tables() WHERE enforced}), 2, 'protected as elsewhere');

is_deeply(not_executed(), [], 'all of the guide has been executed');

done_testing();
