#
# leaks.pl: what a user sees among everybody's rows, and what if there were no others
#
# Random statements are executed by a user in a database with the rows of all tenants, and in a copy
# of it from which all rows have been deleted that the rules, written as plain SQL, deny the user.
# Results, numbers of rows, errors and their texts, and what the user sees afterwards have to be the
# same, and rows that the user does not see have to remain as they were. Half of the statements
# contain an expression that fails for some rows, so that they fail for a hidden one if it is looked
# at. Which of the user's own rows fails first, or whether a condition spares it, is up to the plan,
# which the number of all rows may change, so an error counts if no row of the user's own explains it.
# Where sqlsmith is installed, the queries that it makes up are executed as well.
#
#   CNAP_ROUNDS  number of statements, in hundreds
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{CNAP_ROUNDS} // 10;
my $seed = $ENV{CNAP_SEED} // time;
my @people = qw(ann gina nobody);
srand $seed;

my $node = new_node('leaks', "autovacuum = off\njit = off\n");
my $version = major_version($node);

# ---- tables of all kinds ----

$node->safe_psql('postgres', 'CREATE DATABASE everything; CREATE ROLE app LOGIN');
$node->safe_psql('everything', q{
	CREATE EXTENSION cnap_org;
	SELECT cnap_trust('app');
	CREATE SCHEMA test;
	CREATE FUNCTION test.w(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT format('10000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid $$;
	INSERT INTO cnap.organization (id, name) VALUES (test.w(900), 'Vendor');
	INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES (test.w(900), 'olga', 'owner'), (test.w(900), 'ann', 'member');
	INSERT INTO cnap.workspace (id, name, owner_id) SELECT test.w(n), 'w' || n, CASE n % 8 WHEN 0 THEN 'gina' ELSE 'other' || n END FROM generate_series(1, 40) n;
	UPDATE cnap.workspace SET managed_by = test.w(900), managed_role = CASE WHEN id < test.w(20) THEN 'admin' ELSE 'member' END, managed_since = now()
		WHERE id IN (test.w(3), test.w(16), test.w(33));
	INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (test.w(5), 'ann', 'member'), (test.w(6), 'ann', 'admin'), (test.w(7), 'gina', 'member');

	CREATE TABLE test.doc (id int PRIMARY KEY, workspace_id uuid NOT NULL, n int NOT NULL, t text, UNIQUE (id, workspace_id));
	CREATE TABLE test.task (id int PRIMARY KEY, doc_id int NOT NULL REFERENCES test.doc ON DELETE CASCADE ON UPDATE CASCADE, n int NOT NULL, t text);
	CREATE TABLE test.note (id int PRIMARY KEY, doc_id int NOT NULL REFERENCES test.doc ON DELETE CASCADE ON UPDATE CASCADE, n int NOT NULL, t text);
	CREATE TABLE test.event (id int NOT NULL, workspace_id uuid NOT NULL, n int NOT NULL, t text, PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
	CREATE TABLE test.event_low PARTITION OF test.event FOR VALUES FROM (MINVALUE) TO (50);
	CREATE TABLE test.event_high PARTITION OF test.event DEFAULT;
	INSERT INTO test.doc SELECT i, test.w(1 + i % 40), i * 7919 % 100, chr(97 + i % 26) || i FROM generate_series(1, 800) i;
	INSERT INTO test.task SELECT i, 1 + i * 31 % 800, i * 4591 % 100, chr(97 + i % 26) || i FROM generate_series(1, 1600) i;
	INSERT INTO test.note SELECT i, 1 + i * 57 % 800, i * 5087 % 100, chr(97 + i % 26) || i FROM generate_series(1, 1600) i;
	INSERT INTO test.event SELECT i, test.w(1 + i % 40), i * 6007 % 100, chr(97 + i % 26) || i FROM generate_series(1, 800) i;
	CREATE INDEX ON test.doc (workspace_id);
	CREATE INDEX ON test.doc (n, t);
	CREATE INDEX ON test.task (doc_id);
	CREATE INDEX ON test.note (doc_id);
	CREATE INDEX ON test.event (workspace_id);
	SELECT cnap_protect('test.doc', write_permission => 'administer'), cnap_protect('test.event');
	SELECT cnap_protect_child('test.task', 'doc_id'), cnap_protect_child('test.note', 'doc_id', 'workspace_id');
	CREATE INDEX ON test.note (workspace_id);
	CREATE VIEW test.seen WITH (security_invoker) AS SELECT d.id, d.workspace_id, d.n, t.t FROM test.doc d JOIN test.task t ON t.doc_id = d.id;
	GRANT USAGE ON SCHEMA test TO app;
	GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA test TO app;
	ANALYZE;

	-- the workspaces of a user, by the rules
	CREATE FUNCTION test.reaches(who text) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
		SELECT id FROM cnap.workspace w WHERE owner_id = who
			OR EXISTS (SELECT FROM cnap.workspace_member m WHERE (m.workspace_id, m.user_id) = (w.id, who))
			OR EXISTS (SELECT FROM cnap.organization_member m WHERE (m.organization_id, m.user_id) = (w.managed_by, who)) $$;
	-- a digest of the rows that the user does not reach
	CREATE FUNCTION test.hidden(who text) RETURNS text LANGUAGE sql STABLE AS $$
		SELECT md5(string_agg(r, ',' ORDER BY r COLLATE "C")) FROM (
			SELECT d::text FROM test.doc d WHERE workspace_id NOT IN (SELECT test.reaches(who))
			UNION ALL SELECT t::text FROM test.task t WHERE (SELECT workspace_id FROM test.doc d WHERE d.id = t.doc_id) NOT IN (SELECT test.reaches(who))
			UNION ALL SELECT n::text FROM test.note n WHERE workspace_id NOT IN (SELECT test.reaches(who))
			UNION ALL SELECT e::text FROM test.event e WHERE workspace_id NOT IN (SELECT test.reaches(who))) x (r) $$;
	CREATE TABLE test.before AS SELECT who, test.hidden(who) FROM unnest('{ann,gina,nobody}'::text[]) who;

	-- what a statement shows a user, and does; then nothing remains of it
	CREATE FUNCTION test.run(who text, query boolean, sql text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
		seen text;
		n bigint;
	BEGIN
		BEGIN
			PERFORM set_config('cnap.user_id', who, true), set_config('role', 'app', true);
			IF query THEN
				EXECUTE format('SELECT count(*), md5(string_agg(x::text, %L ORDER BY x::text COLLATE "C")) FROM (%s) x', ',', sql) INTO n, seen;
			ELSE
				EXECUTE sql;
				GET DIAGNOSTICS n = ROW_COUNT;
				SELECT md5(string_agg(r, ',' ORDER BY r COLLATE "C")) INTO seen
				FROM (SELECT x::text FROM test.doc x UNION ALL SELECT x::text FROM test.task x
					UNION ALL SELECT x::text FROM test.note x UNION ALL SELECT x::text FROM test.event x) x (r);
				PERFORM set_config('role', 'none', true);
				IF test.hidden(who) IS DISTINCT FROM (SELECT hidden FROM test.before b WHERE b.who = run.who) THEN
					seen := 'hidden rows have been changed';
				END IF;
			END IF;
			result := concat_ws(' ', n, seen);
			RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ000';
		EXCEPTION
			WHEN SQLSTATE 'ZZ000' THEN RETURN result;
			WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
		END;
	END $$});
foreach my $who (@people)
{
	$node->safe_psql('postgres', "CREATE DATABASE only_$who TEMPLATE everything");
	$node->safe_psql("only_$who", qq{
		DELETE FROM test.event WHERE workspace_id NOT IN (SELECT test.reaches('$who'));
		DELETE FROM test.doc WHERE workspace_id NOT IN (SELECT test.reaches('$who'));
		UPDATE test.before SET hidden = test.hidden(who) WHERE who = '$who';});
}

# ---- statements ----

sub one_of { return $_[ rand @_ ] }
sub number { return int rand 100 }
sub id { return 1 + int rand 800 }
sub workspace { return 'test.w(' . (1 + int rand 44) . ')' }

my @tables = qw(doc task note event seen);
my %has_workspace = map { $_ => 1 } qw(doc note event seen);

# An expression that is an error for some rows
sub trap
{
	my ($alias) = @_;
	return one_of("1 / ($alias.n - " . number() . ')', "1 / ($alias.id - " . id() . ')', "($alias.t || 'x')::int", "substr($alias.t, 2)::int");
}

sub condition
{
	my ($alias, $table, $depth) = @_;
	my $n = number();

	return one_of("$alias.n % " . (2 + int rand 5) . ' = ' . int rand 3, "$alias.n < $n", "$alias.id < " . id(), "$alias.id = " . id(), "$alias.t LIKE '" . chr(97 + rand 26) . "%'",
		"$alias.n BETWEEN $n AND $n + 20", "$alias.n IN ($n, " . number() . ', ' . number() . ')',
		$has_workspace{$table} ? "$alias.workspace_id = " . workspace() : "$alias.doc_id > " . id(),
		$has_workspace{$table} ? "$alias.workspace_id IN (" . workspace() . ', ' . workspace() . ')' : "$alias.doc_id = " . id(),
		trap($alias) . ' IS NOT NULL', trap($alias) . ' > 0',
		$depth > 0 ? one_of('EXISTS', 'NOT EXISTS') . ' (SELECT FROM ' . source('s' . $depth, $depth - 1, "s$depth.n = $alias.n") . ')' : "$alias.n <> $n",
		$depth > 0 ? "$alias.id IN (SELECT id FROM " . source('s' . $depth, $depth - 1) . ')' : "$alias.t IS NOT NULL",
		$depth > 0 ? 'NOT (' . condition($alias, $table, $depth - 1) . ')' : "$alias.n > $n");
}

# A table with conditions
sub source
{
	my ($alias, $depth, @more) = @_;
	my $table = one_of(@tables);

	return "test.$table $alias WHERE " . join one_of(' AND ', ' AND ', ' OR '), @more, map { condition($alias, $table, $depth) } 0 .. rand 2;
}

sub query
{
	my $table = one_of(@tables);
	my $other = one_of(@tables);
	my $where = join ' AND ', map { condition('a', $table, 1) } 0 .. rand 2;
	my $join = one_of('JOIN', 'LEFT JOIN', 'FULL JOIN') . " test.$other b ON " . one_of('a.n = b.n', 'a.id = b.id', 'a.n = b.n AND a.id < b.id');

	return one_of(
		"SELECT * FROM test.$table a WHERE $where",
		"SELECT a.*, b.t FROM test.$table a $join WHERE $where",
		"SELECT count(*), min(a.n), max(a.t), sum(a.id) FROM test.$table a WHERE $where",
		"SELECT a.n, count(*) FROM test.$table a WHERE $where GROUP BY a.n HAVING count(*) > 1",
		"SELECT a.id, row_number() OVER (ORDER BY a.id, a.n) FROM test.$table a WHERE $where",
		"SELECT id, n FROM " . source('a', 1) . one_of(' UNION ', ' EXCEPT ', ' INTERSECT ') . 'SELECT id, n FROM ' . source('b', 0),
		"WITH c AS " . one_of('', 'MATERIALIZED ', 'NOT MATERIALIZED ') . '(SELECT * FROM ' . source('a', 1) . ') SELECT * FROM c WHERE n < ' . number(),
		"SELECT a.id, l.* FROM test.$table a, LATERAL (SELECT count(*) FROM test.$other b WHERE b.n = a.n) l WHERE $where",
		"SELECT a.id, (SELECT max(b.t) FROM test.$other b WHERE b.id = a.id) FROM test.$table a WHERE $where",
		"SELECT DISTINCT a.n FROM test.$table a WHERE $where",
		"SELECT a.id, a.n FROM test.$table a WHERE $where ORDER BY a.id, a.n, a.t LIMIT " . (1 + int rand 5),
		"SELECT " . trap('a') . " FROM test.$table a WHERE $where");
}

# New rows have ids that nobody has, since a key tells whether one exists.
my $fresh = 100_000;

sub change
{
	my $table = one_of(qw(doc task note event));
	my $where = condition('a', $table, 1);
	my $key = $table =~ /doc|event/ ? 'workspace_id' : 'doc_id';
	my $owner = $key eq 'doc_id' ? one_of(id(), id(), 5000 + id()) : workspace();
	my $id = ++$fresh;
	my $row = "($id, $owner, " . number() . ", 'new')";
	my @columns = $table eq 'event' ? ('n = a.n', "t = 'x'") : ('n = a.n + 1', "t = 'x'", "t = a.t || 'y'");

	return one_of(
		"UPDATE test.$table a SET " . one_of(@columns) . " WHERE $where",
		"UPDATE test.$table a SET $key = $owner WHERE $where",
		"UPDATE test.$table a SET t = b.t FROM test." . one_of(@tables) . " b WHERE b.id = a.id AND $where",
		"DELETE FROM test.$table a WHERE $where",
		"DELETE FROM test.$table a USING test." . one_of(@tables) . " b WHERE b.n = a.n AND $where",
		"INSERT INTO test.$table (id, $key, n, t) VALUES $row",
		"INSERT INTO test.$table (id, $key, n, t) VALUES $row RETURNING *",
		"INSERT INTO test.$table (id, $key, n, t) SELECT $fresh + a.id, a.$key, a.n, 'copy' FROM test.$table a WHERE $where",
		"MERGE INTO test.$table a USING (SELECT id, n FROM " . source('s', 0) . ') b ON a.id = b.id AND ' . condition('a', $table, 0)
		  . ' WHEN MATCHED AND b.n < ' . number() . " THEN DELETE WHEN MATCHED THEN UPDATE SET t = 'merged'");
}

# ---- both databases ----

my @settings = ('SET enable_seqscan = off', 'SET enable_indexscan = off; SET enable_bitmapscan = off', 'SET enable_hashjoin = off; SET enable_nestloop = off', 'RESET ALL');
my %everything = map { $_ => connect_to_database('everything') } @people;
my %only = map { $_ => connect_to_database("only_$_") } @people;

sub connect_to_database
{
	my $session = CnapTest::Session->new($node, dbname => $_[0]);
	$session->query("SET statement_timeout = '30s'");
	$session->query('SET client_min_messages = error');
	return $session;
}

my ($count, %outcome, @differences) = (0);
my $own_rows = join ' UNION ALL ', map { "SELECT id, n, t FROM test.$_" } @tables;

# Is an answer no error, or one that a row of the user's own explains?
sub is_explained
{
	my ($who, $statement, $answer) = @_;

	return 1 if $answer !~ /^\w{5} \D/;
	if ($answer =~ /^22P02 .*: "(.*)"$/)
	{
		my $value = $1 =~ s/'/''/gr;
		return has_own($who, "($own_rows) r WHERE '$value' IN (t || 'x', substr(t, 2))");
	}
	elsif ($answer =~ /^22012 /)
	{
		return has_own($who, "($own_rows) r WHERE " . join ' OR ', 'false', map { /(\w+) - (\d+)/ ? "$1 = $2" : () } $statement =~ /1 \/ \(\w+\.(\w+ - \d+)\)/g);
	}

	# a row that the user may read, but not write
	return $answer =~ /^42501 target row / && has_own($who, "test.doc WHERE NOT cnap_has_permission('$who', workspace_id, 'administer')");
}

# Are there such rows among the user's own?
sub has_own
{
	my ($who, $rows) = @_;
	return $node->safe_psql("only_$who", "SELECT EXISTS (SELECT FROM $rows)") eq 't';
}

# compare(USER, [IS QUERY, STATEMENT]...)
sub compare
{
	my ($who, @statements) = @_;
	my $setting = one_of(@settings) . ";\nSET statement_timeout = '30s'; SET client_min_messages = error;\n";
	my $script = $setting . join ";\n", map { "SELECT 'result ' || $_ || ' ' || translate(test.run('$who', $statements[$_][0], \$sql\$$statements[$_][1]\$sql\$), E'\\n', ' ')" } 0 .. $#statements;

	$_->begin($script) foreach $everything{$who}, $only{$who};
	my (%all, %own);
	%all = map { /^result (\d+) (.*)/ ? ($1 => $2) : () } split /\n/, $everything{$who}->finish;
	%own = map { /^result (\d+) (.*)/ ? ($1 => $2) : () } split /\n/, $only{$who}->finish;
	foreach my $i (0 .. $#statements)
	{
		# a timeout is no answer
		next if !defined $all{$i} || !defined $own{$i};
		$count++;
		$outcome{ $all{$i} =~ /^(\w{5}) \D/ ? $1 : $statements[$i][0] eq 'true' ? 'rows' : 'changes' }++;
		next if $all{$i} eq $own{$i} && $all{$i} !~ /^XX|hidden rows/;
		# where there are no others, an error is by the user's own rows
		if (($own{$i} =~ /^(22P02|22012|21000) \D/ || $all{$i} =~ /^(22P02|22012) \D/) && is_explained($who, $statements[$i][1], $all{$i}))
		{
			$outcome{'own rows in another order'}++;
			next;
		}
		push @differences, "$who: $statements[$i][1]: $all{$i}, and without others: $own{$i}";
	}
	return;
}

while ($count < 100 * $rounds && @differences < 10)
{
	compare(one_of(@people), map { rand() < 0.6 ? [ 'true', query() ] : [ 'false', change() ] } 1 .. 50);
}
note("$count statements with seed $seed: " . join ', ', map { "$_ $outcome{$_}" } sort keys %outcome);
is(join("\n", @differences), '', 'no difference that others make');
cmp_ok($outcome{rows} // 0, '>', $count / 10, 'some statements return rows');
cmp_ok($outcome{changes} // 0, '>', $count / 50, 'some change them');

# ---- sqlsmith ----

SKIP:
{
	my ($sqlsmith) = grep { -x } map { "$_/sqlsmith" } split /:/, "$ENV{PATH}:/usr/games";
	skip 'sqlsmith is not installed', 1 if !$sqlsmith;

	my $wanted = 10 * $rounds;
	my $target = $node->connstr('everything');
	open my $pipe, '-|', "$sqlsmith --target=\"$target\" --dry-run --exclude-catalog --seed=$seed --max-queries=" . 20 * $wanted . ' 2>/dev/null' or die $!;
	my @queries;
	{
		local $/ = ";\n";
		while (my $query = <$pipe>)
		{
			last if @queries >= $wanted;
			$query =~ s/;\s*$//;

			# what depends on the order of rows, or on chance
			$query =~ s/tablesample \w+ \([\d.]+\)//g;
			$query =~ s/(\(select \w+ from test\.\w+) limit 1 offset (\d+)\)/$1 order by id, n, t limit 1 offset $2)/g;
			$query =~ s/\s*limit \d+\s*$//;
			next if $query !~ /^\s*select/i || $query !~ /test\./ || length $query > 4000 || $query =~ s/order by id, n, t limit 1//r =~ /\blimit \d/
			  || $query =~ /random|clock|\bnow\b|timeofday|ctid|xmin|tableoid|txid|xact|snapshot|current|nextval|lastval|version|_size|_stat|advisory|sleep|pid|wal|lsn|cnap|_time|uuid\(|sample_\w+\(|notif|lock|over \(/i;
			push @queries, $query;
		}
	}
	close $pipe;
	($count, %outcome) = (0);
	@differences = ();
	while (my @batch = splice @queries, 0, 10)
	{
		compare(one_of(@people), map { [ 'true', $_ ] } @batch);
	}
	note("$count queries by sqlsmith: " . join ', ', map { "$_ $outcome{$_}" } sort keys %outcome);
	is(join("\n", @differences), '', 'nor in the queries by sqlsmith');
}

$_->quit foreach values %everything, values %only;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|XX000|terminated by signal/, 'no internal errors');
done_testing();
