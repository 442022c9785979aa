#
# protection.pl: distributed tables: protected before and after they are distributed, changed, moved,
# and what is refused because Citus would open it
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../tap";

use CnapCitus;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($coordinator, @workers) = new_cluster(2, 'cnap.max_staleness = 60s');
my @nodes = ($coordinator, @workers);
my $fill = q{SELECT n, w.id, CASE WHEN w.managed_by IS NULL THEN 'UNSEEN ' ELSE 'seen ' END || w.name
	FROM cnap.workspace w, generate_series(1, 10) n};

# refused(STATEMENT, PATTERN, NAME): on the coordinator, by an error like that
sub refused
{
	my ($statement, $pattern, $name) = @_;
	my $session = connect_to($coordinator, undef);

	$session->attempt($statement);
	like($session->{error}, $pattern, $name);
	$session->quit;
	return;
}

# shows(COUNTS, NAME, TABLE...): to ben, on all nodes
sub shows
{
	my ($counts, $name, @tables) = @_;

	foreach my $node (@nodes)
	{
		is(as_user($node, 'ben', "SELECT $MARKED FROM $_"), $counts, "$name, $_, " . $node->name) foreach @tables;
	}
	return;
}

# is_enforced(NAME, TABLE...): according to all nodes
sub is_enforced
{
	my ($name, @tables) = @_;

	foreach my $node (@nodes)
	{
		is($node->safe_psql('postgres', "SELECT string_agg(relation::text, ' ' ORDER BY relation::text) FROM cnap_protected_tables()"
				  . " WHERE enforced AND relation = ANY ('{@{[ join ',', @tables ]}}'::regclass[])"),
			join(' ', sort @tables), "$name: enforced, " . $node->name);
	}
	return;
}

sub run
{
	my ($statement) = @_;

	return $coordinator->safe_psql('postgres', $statement);
}

# ---- before and after ----

run(qq{
	CREATE TABLE before (id bigint NOT NULL, workspace_id uuid NOT NULL, note text, PRIMARY KEY (workspace_id, id));
	SELECT cnap_protect('before');
	INSERT INTO before $fill;
	SELECT create_distributed_table('before', 'workspace_id', shard_count => 4);
	CREATE TABLE after (LIKE before INCLUDING ALL);
	SELECT create_distributed_table('after', 'workspace_id', colocate_with => 'before');
	INSERT INTO after $fill;
	GRANT SELECT, INSERT, UPDATE, DELETE ON before, after TO app;});
shows('200|150', '(not protected yet)', 'after');
run(q{SELECT cnap_protect('after')});
shows('50|0', 'protected', 'before', 'after');
is_enforced('protected', 'before', 'after');
is(as_user($_, 'ben', "INSERT INTO after VALUES (100, '$OWN', 'x')"), '', $_->name . ': one writes to own workspaces') foreach @nodes;
like(as_user($_, 'ben', "INSERT INTO after VALUES (100, '$OTHER', 'x')"), qr/42501: .*row-level security/, $_->name . ': and to no others') foreach @nodes;

# Again, with another permission, and none
run(q{SELECT cnap_protect('after', write_permission => 'administer')});
is($_->safe_psql('postgres', q{SELECT write_permission FROM cnap_protected_tables() WHERE relation = 'after'::regclass}), 'administer',
	$_->name . ': protected again, with another permission') foreach @nodes;
$coordinator->safe_psql('postgres', q{UPDATE cnap.workspace SET managed_role = 'member' WHERE name = 'W1'});
settled($coordinator, @workers);
like(as_user($_, 'ben', "INSERT INTO after VALUES (100, '$OWN', 'x')"), qr/42501: .*row-level security/, $_->name . ': which is required') foreach @nodes;
run(q{SELECT cnap_unprotect('after')});
shows('200|150', 'unprotected', 'after');
is($_->safe_psql('postgres', q{SELECT count(*) FROM pg_policy p JOIN pg_class c ON c.oid = polrelid WHERE relname ~ '^after'}), 0,
	$_->name . ': no policies are left') foreach @nodes;
run(q{SELECT cnap_protect('after')});
shows('50|0', 'and protected', 'after');

# An ordinary owner
run(q{CREATE ROLE owner LOGIN; GRANT CREATE ON SCHEMA public TO owner});
run(qq{
	SET ROLE owner;
	CREATE TABLE own (id bigint NOT NULL, workspace_id uuid NOT NULL, note text, PRIMARY KEY (workspace_id, id));
	SELECT create_distributed_table('own', 'workspace_id', colocate_with => 'none');
	SELECT cnap_protect('own');
	SELECT cnap_unprotect('own');
	SELECT cnap_protect('own');
	GRANT SELECT ON own TO app;
	RESET ROLE;
	INSERT INTO own $fill});
shows('50|0', 'of an ordinary owner', 'own');
is_enforced('of an ordinary owner', 'own');

# ---- policies that Citus would turn into others ----

my $plan = q{SELECT reason FROM cnap_protect_schema('public')};
foreach my $policy ('other ON after USING (true)', 'other ON after AS RESTRICTIVE FOR SELECT USING (true)', 'other ON after FOR SELECT TO app USING (true)')
{
	refused("CREATE POLICY $policy", qr/55000: .*less protected\nDETAIL: .*open it on the workers/s, "CREATE POLICY $policy: refused");
	run("SET cnap.guard = off; CREATE POLICY $policy");
	shows('200|150', "(what it would show: $policy)", 'after') if $policy !~ /TO app/;
	like(found($_, '^policy'), qr/^policy_open_on_workers (public\.)?after$/, $_->name . ': the linter reports it') foreach @nodes;
	is($_->safe_psql('postgres', q{SELECT enforced FROM cnap_protected_tables() WHERE relation = 'after'::regclass}), 'f',
		$_->name . ': it is not enforced') foreach @nodes;
	refused(q{SELECT cnap_protect('after')}, qr/55000: .*is distributed, and has policies of its own/, 'nor protected again');
	like(run($plan . q{ WHERE relation = 'after'::regclass}), qr/has policies of its own/, 'the plan says so');
	run(q{DROP POLICY other ON after});
	shows('50|0', 'without it', 'after');
}
run(q{CREATE TABLE open (LIKE before INCLUDING ALL); CREATE POLICY other ON open USING (true);
	SELECT create_distributed_table('open', 'workspace_id', colocate_with => 'before')});
refused(q{SELECT cnap_protect('open')}, qr/55000: .*is distributed, and has policies of its own/, 'a table that has policies of its own');
like(run($plan . q{ WHERE relation = 'open'::regclass}), qr/has policies of its own/, 'which is the reason in the plan');
is(run(q{SELECT count(*) FROM pg_policy WHERE polrelid = 'open'::regclass AND polname LIKE 'cnap%'}), 0, 'and gets none of ours');
run(q{DROP TABLE open});

# What is refused on the coordinator is refused on workers as well, in whatever session
foreach my $node (@nodes)
{
	my $session = connect_to($node, undef, q{SET citus.enable_ddl_propagation = off}, q{SET citus.enable_manual_changes_to_shards = on});
	my ($shard) = $node == $coordinator ? () : shards($node, 'after');

	foreach my $table ('after', $shard // ())
	{
		foreach my $statement ("DROP POLICY cnap_select_restrictive ON $table", "ALTER TABLE $table DISABLE ROW LEVEL SECURITY",
			"ALTER POLICY cnap_select_permissive ON $table USING (true)")
		{
			$session->attempt($statement);
			like($session->{error}, qr/55000: .*less protected/, $node->name . ": $statement");
		}
	}
	$session->quit;
}

# ---- children ----

run(qq{CREATE TABLE kind (id uuid PRIMARY KEY, workspace_id uuid NOT NULL);
	SELECT create_reference_table('kind');
	SELECT cnap_protect('kind');
	CREATE TABLE part (id bigint NOT NULL, before_id bigint, workspace_id uuid NOT NULL, note text, PRIMARY KEY (workspace_id, id),
		FOREIGN KEY (workspace_id, before_id) REFERENCES before (workspace_id, id));
	SELECT create_distributed_table('part', 'workspace_id', colocate_with => 'before');
	CREATE TABLE part_without (key uuid PRIMARY KEY, FOREIGN KEY (key) REFERENCES kind);
	SELECT create_distributed_table('part_without', 'key', colocate_with => 'none')});
my $advice = qr/55000: .*distribute the table by its workspace column and use cnap_protect\(\)/;
refused(q{SELECT cnap_protect_child('part', 'before_id')}, $advice, 'protected through its parent');
refused(q{SELECT cnap_protect_child('part', 'before_id', 'w')}, $advice, 'by a column that follows it');
like(run($plan . q{ WHERE relation = 'part_without'::regclass}), qr/distribute the table by its workspace column/, 'the plan says so, too');
run(q{DROP TABLE part_without});
run(q{SELECT cnap_protect('part'); GRANT SELECT ON part TO app});
run(q{INSERT INTO part SELECT id, id, workspace_id, note FROM before});
shows('50|0', 'by its own column', 'part');

# ---- partitions ----

run(q{
	CREATE TABLE event (id int, workspace_id uuid NOT NULL, note text, at date, PRIMARY KEY (workspace_id, id, at)) PARTITION BY RANGE (at);
	CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
	SELECT create_distributed_table('event', 'workspace_id', colocate_with => 'before');
	SELECT cnap_protect('event');
	CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
	CREATE TABLE event_3 (LIKE event INCLUDING ALL);
	ALTER TABLE event ATTACH PARTITION event_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
	INSERT INTO event SELECT id, workspace_id, note, '2026-01-15'::date + m * 30 FROM before, generate_series(0, 2) m;
	GRANT SELECT ON event, event_1, event_2, event_3 TO app});
shows('150|0', 'a partitioned table', 'event');
shows('50|0', 'its partitions', 'event_1', 'event_2', 'event_3');
is_enforced('partitions', 'event', 'event_1', 'event_2', 'event_3');
run(q{ALTER TABLE event DETACH PARTITION event_3});
shows('50|0', 'a partition that was detached', 'event_3');

# ---- shards ----

# move(TABLE, FROM, TO, MODE): a shard, with those of the tables distributed alike
sub move
{
	my ($table, $from, $to, $mode) = @_;

	return sprintf q{SELECT citus_move_shard_placement((SELECT shardid FROM citus_shards WHERE table_name = '%s'::regclass AND nodeport = %d ORDER BY shard_size DESC, shardid LIMIT 1),
		'%s', %d, '%s', %d, '%s')}, $table, $from->port, $from->host, $from->port, $to->host, $to->port, $mode;
}
my @tables = qw(before after own part event_1);
foreach my $mode ('block_writes', 'force_logical')
{
	run(move('before', @workers[ 0, 1 ], $mode));
	shows('50|0', "moved, $mode", @tables);
	run(move('before', @workers[ 1, 0 ], $mode));
	shows('50|0', "moved back, $mode", @tables);
}
run(qq{SELECT isolate_tenant_to_new_shard('before', '$OTHER', 'CASCADE', shard_transfer_mode => 'block_writes')});
shows('50|0', 'a shard of its own for a workspace', @tables);
is(as_user($_, 'u9', 'SELECT count(*) FROM before'), 10, $_->name . ': which its owner sees') foreach @nodes;

# Citus reads as the table's owner, to whom the policies apply: the guide warns of that.
run(qq{
	SET ROLE owner;
	CREATE TABLE lost (LIKE own INCLUDING ALL);
	SELECT create_distributed_table('lost', 'workspace_id', colocate_with => 'none');
	SELECT cnap_protect('lost');
	RESET ROLE;
	INSERT INTO lost $fill});
run(move('lost', @workers, 'block_writes'));
is(run('SELECT count(*) FROM lost'), 200, 'moved by a superuser: all rows are there');
my $owner = connect_to($coordinator, 'owner');
$owner->query(move('lost', @workers[ 1, 0 ], 'block_writes'));
$owner->quit;
cmp_ok(run('SELECT count(*) FROM lost'), '<', 200, 'moved by an ordinary owner: Citus loses rows');
run('DROP TABLE lost');

run('CALL citus_cleanup_orphaned_resources()');
is_enforced('after all that', @tables);
like(found($_, '^(policy|partition|child|parent|table_unprotected|row_sec)'), qr/^$/, $_->name . ': and nothing is found') foreach @nodes;

# ---- made anew ----

run(q{SELECT alter_distributed_table('own', shard_count := 3, cascade_to_colocated := false)});
shows('50|0', 'another number of shards', 'own');
like(found($coordinator, '^policy'), qr/^policy_missing (public\.)?own$/, 'the linter reports what has been lost on the coordinator');
run(run(q{SELECT remedy FROM cnap_lint() WHERE rule = 'policy_missing'}));
is(found($coordinator, '^policy'), '', 'and how to protect it again');
is_enforced('protected again', 'own');
run(q{SELECT undistribute_table('own')});
is(as_user($coordinator, 'ben', "SELECT $MARKED FROM own"), '50|0', 'not distributed any more');
run(run(q{SELECT remedy FROM cnap_lint() WHERE rule = 'policy_missing'}));
is(found($coordinator, '^policy'), '', 'protected again');

# ---- the linter's statements ----

run(q{CREATE TABLE forgotten (LIKE before INCLUDING ALL); SELECT create_distributed_table('forgotten', 'workspace_id', colocate_with => 'before')});
like(found($_, '^table_unpro'), qr/^table_unprotected (public\.)?forgotten$/, $_->name . ': a table that is not protected') foreach @nodes;
run(run(q{SELECT remedy FROM cnap_lint() WHERE rule = 'table_unprotected'}));
is_enforced('the remedy', 'forgotten');

done_testing();
