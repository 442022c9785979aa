#
# leaks.pl: attempts to learn about hidden rows of distributed tables
#
# mia is a person with a role of her own, and the manager of the first workspaces. She writes statements,
# as those of attack_leaks.pl, on a distributed table and a reference table, on the coordinator and on a
# worker. What Citus does not support fails; nothing tells her about a row that is hidden.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../tap";

use CnapCitus;
use CnapLeaks;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($coordinator, @workers) = new_cluster(2, 'cnap.max_staleness = 60s');
my @nodes = ($coordinator, @workers);

$coordinator->safe_psql('postgres', q{
	CREATE ROLE mia LOGIN;
	CREATE SCHEMA app;
	CREATE SCHEMA own AUTHORIZATION mia;
	GRANT USAGE ON SCHEMA app TO mia, app;
	CREATE TABLE app.secret (id int, workspace_id uuid NOT NULL, note text, amount numeric,
		PRIMARY KEY (workspace_id, id), CHECK (amount > 0));
	CREATE TABLE app.shared (LIKE app.secret INCLUDING ALL);
	SELECT create_distributed_table('app.secret', 'workspace_id');
	SELECT create_reference_table('app.shared');
	SELECT cnap_protect('app.secret'), cnap_protect('app.shared');
	INSERT INTO app.secret SELECT n + CASE WHEN managed_by IS NULL THEN 777000 ELSE 0 END, w.id,
			CASE WHEN managed_by IS NULL THEN 'UNSEEN ' ELSE 'seen ' END || n, n
		FROM cnap.workspace w, generate_series(1, 20) n;
	INSERT INTO app.shared SELECT * FROM app.secret;
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.secret, app.shared TO mia, app;
	ANALYZE app.secret, app.shared;
	INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('00000000-0000-0000-0000-0000000000aa', 'mia', 'member')});
$_->safe_psql('postgres', q{SELECT cnap_set_role_user('mia', 'mia')}) foreach @nodes;
settled($coordinator, @workers);

my %sessions = map { $_->name => connect_to($_, 'mia') } $coordinator, $workers[0];
$sessions{coordinator}->query($OWN_CODE);
foreach my $name (sort keys %sessions)
{
	is($sessions{$name}->query("SELECT count(*), count(*) FILTER (WHERE note ~ '^seen') FROM $_"), '100|100', "($name: mia sees 100 of 400 rows of $_)")
	  foreach 'app.secret', 'app.shared';
}

# Statements that are about Citus
my @of_citus = (
	'a repartition join' => q{SET LOCAL citus.enable_repartition_joins = on; SELECT s.id, o.note FROM app.secret s JOIN app.secret o ON s.id = o.id WHERE own.tell(o.note)},
	'a join with a reference table' => 'SELECT s.id, r.note FROM app.secret s JOIN app.shared r USING (workspace_id, id) WHERE own.tell(r.note)',
	'a join with a local table' => 'SELECT s.note FROM app.secret s JOIN own.t USING (id) WHERE own.tell(s.note)',
	'a subquery that is pulled' => 'SELECT * FROM (SELECT * FROM app.secret ORDER BY id LIMIT 1000) s WHERE own.tell(note)',
	'INSERT from it, distributed alike' => q{INSERT INTO app.secret SELECT id + 1000, workspace_id, note, amount FROM app.secret WHERE own.tell(note) RETURNING note},
	'INSERT from it, distributed anew' => qq{INSERT INTO app.secret SELECT id + 2000, '$OWN', note, amount FROM app.secret WHERE own.tell(note) RETURNING note},
	'INSERT for others' => qq{INSERT INTO app.secret SELECT 1, '$OTHER', note, 1 FROM app.secret RETURNING note},
	'run_command_on_workers' => q{SELECT * FROM run_command_on_workers('SELECT string_agg(note, '','') FROM app.secret')},
	'run_command_on_shards' => q{SELECT * FROM run_command_on_shards('app.secret', 'SELECT string_agg(note, '','') FROM %s')},
	'run_command_on_placements' => q{SELECT * FROM run_command_on_placements('app.secret', 'SELECT string_agg(note, '','') FROM %s')},
	'run_command_on_all_nodes' => q{SELECT * FROM run_command_on_all_nodes('SELECT string_agg(note, '','') FROM app.shared')},
	'master_modify_multiple_shards' => q{SELECT master_modify_multiple_shards('UPDATE app.secret SET amount = amount')},
	'dump_local_wait_edges' => 'SELECT * FROM citus_dist_stat_activity',
	'the tenants' => 'SELECT * FROM citus_stat_tenants',
	'statements of others' => 'SELECT * FROM citus_stat_statements',
	'locks of others' => 'SELECT * FROM citus_locks',
	'sizes' => q{SELECT * FROM citus_shards},
	'a query plan' => 'SET LOCAL citus.explain_all_tasks = on; EXPLAIN (ANALYZE, VERBOSE, COSTS off, TIMING off) SELECT * FROM app.secret WHERE own.tell(note)',
	'remote commands in the log' => q{SET LOCAL citus.log_remote_commands = on; SET LOCAL client_min_messages = debug4; SELECT count(*) FROM app.secret WHERE own.tell(note)},
	'an intermediate result' => q{SELECT create_intermediate_result('r', 'SELECT * FROM app.secret'); SELECT * FROM read_intermediate_result('r', 'text') AS r (id int, w uuid, note text, amount numeric)},
	'results of workers' => q{SELECT worker_partition_query_result('p', 'SELECT * FROM app.secret', 0, 'hash', '{-2147483648}', '{2147483647}', true)},
	'a table of her own, distributed' => q{CREATE TABLE own.d AS SELECT * FROM app.secret WHERE own.tell(note)},
	'her name for the session' => q{SET LOCAL application_name = 'citus_internal gpid=1'; SELECT * FROM app.secret WHERE own.tell(note)});

my $hidden = qr/UNSEEN|$OTHER|\b777\d{3}\b/;
my $answered = 0;
foreach my $name (sort keys %sessions)
{
	my $session = $sessions{$name};
	my @statements = (@LEAKY_STATEMENTS, @of_citus);

	while (my ($attempt, $statement) = splice @statements, 0, 2)
	{
		# Citus 13.2.2 crashes, whatever the policies are: see doc/citus.md
		next if $attempt eq 'an operator in an outer join';
		foreach my $table ('app.secret', 'app.shared')
		{
			my $executed = $statement =~ s/\bapp\.secret\b/$table/gr =~ s/\bsecret\./($table =~ s,app\.,,r) . '.'/egr;
			$executed =~ s/\(id, KEY, (.*?)\+ 3, VALUE/(id, workspace_id, $1+ 3, '$OWN'/;

			# each part by itself: Citus sends all of a string with SET LOCAL
			$session->query('BEGIN');
			my $told = join "\n", map { $session->attempt($_) . $session->{error} } split /; /, $executed;
			$answered++ if $session->{sqlstate} eq '00000';
			$session->attempt('ROLLBACK');

			# what she has written herself may be repeated
			my ($leak) = grep { !/^(DETAIL:  on server|LOG:|DEBUG:|NOTICE:  issuing)/ || !/\Q$OTHER\E/ } $told =~ /^(.*$hidden.*)$/mg;
			is($leak, undef, "$name, $table: $attempt");
		}
	}
}
note("$answered statements were answered");
cmp_ok($answered, '>', 100, 'many of them are answered');

# The shards of a worker, and what her own functions are told there
foreach my $worker (@workers)
{
	my $session = connect_to($worker, 'mia');

	foreach my $shard (shards($worker, 'app.secret'), shards($worker, 'app.shared'))
	{
		foreach my $statement ("SELECT note FROM $shard WHERE own.tell(note)", "COPY $shard TO STDOUT", "UPDATE $shard SET amount = 1 WHERE own.tell(note) RETURNING note",
			"DELETE FROM $shard WHERE own.tell(note) RETURNING note", "TRUNCATE $shard", "INSERT INTO $shard VALUES (1, '$OTHER', 'x', 1)")
		{
			$session->query('BEGIN');
			my $told = $session->attempt($statement) . $session->{error};
			my $state = $session->{sqlstate};
			$session->attempt('ROLLBACK');
			unlike($told, qr/UNSEEN|\b777\d{3}\b/, $worker->name . ": $statement");
			isnt($state, '00000', 'and is refused') if $statement =~ /^(TRUNCATE|INSERT)/;
		}
	}
	$session->quit;
}

is($coordinator->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE note ~ 'UNSEEN'), min(amount) FROM app.secret}), '400|300|1', 'and nothing has been changed');

done_testing();
