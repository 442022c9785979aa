#
# attack_leaks.pl: attempts to learn about rows that are hidden
#
# mia sees two of the workspaces. She writes her own statements, as the role plain or the
# application server's, with functions, operators, views and triggers of her own, and observes
# errors, plans, estimates, statistics, sequences and constraints.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapLeaks;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_world('main', 'compute_query_id = on');
my $admin = connect_to($node, undef, qq{
	CREATE ROLE mia LOGIN;
	SELECT cnap_set_role_user('mia', 'mia');
	GRANT plain TO mia;
	CREATE SCHEMA own AUTHORIZATION mia;
	CREATE TABLE app.secret (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace,
		note text UNIQUE, amount numeric, CHECK (amount > 0));
	INSERT INTO app.secret SELECT n + own, (CASE WHEN own = 0 THEN CASE n % 2 WHEN 0 THEN '$W1' ELSE '$W2' END ELSE '$W3' END)::uuid,
			CASE WHEN own = 0 THEN 'seen ' ELSE 'UNSEEN ' END || n, n + own
		FROM generate_series(1, 1000) n, LATERAL (SELECT CASE WHEN n % 5 = 0 THEN 0 ELSE 777000 END) o (own);
	CREATE INDEX ON app.secret (workspace_id);
	CREATE INDEX ON app.secret (amount);
	CREATE STATISTICS app.s ON workspace_id, note FROM app.secret;
	SELECT cnap_protect('app.secret');
	CREATE TABLE app.child (id int PRIMARY KEY, parent_id int REFERENCES app.secret, note text UNIQUE, amount numeric);
	CREATE TABLE app.child_with_column (LIKE app.child, FOREIGN KEY (parent_id) REFERENCES app.secret, PRIMARY KEY (id));
	INSERT INTO app.child SELECT id, id, note, amount FROM app.secret;
	INSERT INTO app.child_with_column TABLE app.child;
	ALTER TABLE app.child_with_column ALTER parent_id SET NOT NULL;
	CREATE INDEX ON app.child (parent_id);
	CREATE INDEX ON app.child (amount);
	SELECT cnap_protect_child('app.child', 'parent_id');
	SELECT cnap_protect_child('app.child_with_column', 'parent_id', 'workspace_id');
	CREATE INDEX ON app.child_with_column (workspace_id);
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.secret, app.child, app.child_with_column TO plain;
	ANALYZE app.secret, app.child, app.child_with_column});
my $mia = connect_to($node, 'mia');

my @tables = qw(app.secret app.child app.child_with_column);
is($mia->query("SELECT count(*), count(*) FILTER (WHERE note ~ '^seen') FROM $_"), '200|200', "(mia sees 200 of 1000 rows of $_)") foreach @tables;

# ---- code of her own in a statement on the table ----

$mia->query($OWN_CODE);
my @plans = (
	'any plan' => 'SELECT 1',
	'no sequential scan' => 'SET enable_seqscan = off',
	'no index scan' => 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off',
	'no hash or merge' => 'SET enable_hashjoin = off; SET enable_mergejoin = off',
	'parallel' => 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0');

# Hidden data: a note, a workspace, or the number of a row
my $hidden = qr/UNSEEN|$W3|\b777\d{3}\b/;
$mia->quit;
while (my ($plan, $settings) = splice @plans, 0, 2)
{
	my $session = connect_to($node, 'mia', "\\set VERBOSITY default", $settings);
	for (my $i = 0; $i < @LEAKY_STATEMENTS; $i += 2)
	{
		foreach my $table (@tables)
		{
			my $statement = $LEAKY_STATEMENTS[ $i + 1 ] =~ s/app\.secret/$table/gr =~ s/\bsecret\./($table =~ s,app\.,,r) . '.'/egr;
			my ($key, $value) = $table eq 'app.secret' ? ('workspace_id', "'$W1'") : ('parent_id', 5);
			$statement =~ s/\(id, KEY, (.*?)\+ 3, VALUE/(id, $key, $1+ 3, $value/;

			$session->query('BEGIN');
			my $told = $session->attempt($statement) . $session->{error};
			$session->attempt('ROLLBACK');
			my ($leak) = $told =~ /^(.*$hidden.*)$/m;
			is($leak, undef, "$LEAKY_STATEMENTS[$i], $plan, $table");
		}
	}
	$session->quit;
}

# ---- what is not even allowed ----

$mia = connect_to($node, 'mia');
my @refused = (
	'COPY FROM' => 'COPY app.secret FROM STDIN' => '0A000',
	'TRUNCATE' => 'TRUNCATE app.secret' => '42501',
	'TRUNCATE CASCADE' => 'TRUNCATE app.secret CASCADE' => '42501',
	'a foreign key to the table' => 'CREATE TABLE own.probe (id int REFERENCES app.secret)' => '42501',
	'a foreign key to a unique column' => 'CREATE TABLE own.probe (note text REFERENCES app.secret (note))' => '42501',
	'a foreign key to the workspaces' => 'CREATE TABLE own.probe (id uuid REFERENCES cnap.workspace)' => '42501',
	'a foreign key to the organizations' => 'CREATE TABLE own.probe (id uuid REFERENCES cnap.organization)' => '42501',
	'a trigger' => 'CREATE TRIGGER t BEFORE UPDATE OR DELETE ON app.secret FOR EACH ROW EXECUTE FUNCTION own.on_change()' => '42501',
	'a trigger with a condition' => 'CREATE TRIGGER t BEFORE UPDATE ON app.secret FOR EACH ROW WHEN (own.tell(OLD.note)) EXECUTE FUNCTION own.on_change()' => '42501',
	'a rule' => 'CREATE RULE r AS ON SELECT TO app.secret DO ALSO NOTIFY x' => '42501',
	'an index on an expression' => 'CREATE INDEX ON app.secret (own.tell_immutable(note))' => '42501',
	'statistics on an expression' => 'CREATE STATISTICS own.s ON own.tell_immutable(note), id FROM app.secret' => '42501',
	'a constraint' => 'ALTER TABLE app.secret ADD CHECK (own.tell(note))' => '42501',
	'a generated column' => 'ALTER TABLE app.secret ADD x boolean GENERATED ALWAYS AS (own.tell_immutable(note)) STORED' => '42501',
	'another type of a column' => 'ALTER TABLE app.secret ALTER note TYPE text USING own.tell(note)::text' => '42501',
	'a policy' => 'CREATE POLICY p ON app.secret USING (true)' => '42501',
	'a child' => 'CREATE TABLE own.child () INHERITS (app.secret)' => '42501',
	'CLUSTER' => 'CLUSTER app.secret USING secret_pkey' => '42501',
	'ANALYZE with a function of hers' => 'CREATE INDEX ON app.secret (own.compare(note, note))' => '42501',
	'a publication' => 'CREATE PUBLICATION p FOR TABLE app.secret' => '42501',
	'a replication slot' => q{SELECT pg_create_logical_replication_slot('s', 'test_decoding')} => '42501',
	'the file' => q{SELECT pg_read_binary_file(pg_relation_filepath('app.secret'))} => '42501',
	'pg_statistic' => 'SELECT * FROM pg_statistic' => '42501',
	'pg_statistic_ext_data' => 'SELECT * FROM pg_statistic_ext_data' => '42501');
while (my ($attempt, $statement, $sqlstate) = splice @refused, 0, 3)
{
	refused($mia, $attempt, "BEGIN; $statement", $sqlstate);
}
foreach my $mode ('ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE')
{
	my @tables = split /\n/, $admin->query(q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind IN ('r', 'p', 'v')});
	my @locked = grep { $mia->attempt("BEGIN; LOCK $_ IN $mode MODE"); my $state = $mia->{sqlstate}; $mia->attempt('ROLLBACK'); $state ne '42501' } @tables;
	is("@locked", '', "LOCK of the extension's tables IN $mode MODE");
}

# Locking rows does not lock hidden ones.
{
	my $erin = connect_to($node, 'cnap_app', q{SET cnap.user_id = 'erin'}, q{SET lock_timeout = '30s'});
	$admin->query('GRANT UPDATE, SELECT ON app.secret TO cnap_app');
	$mia->query('BEGIN; SELECT count(*) FROM (SELECT FROM app.secret FOR UPDATE) s');
	$erin->query('UPDATE app.secret SET amount = amount');
	is($erin->{sqlstate}, '00000', 'FOR UPDATE of all rows does not lock hidden ones');
	$mia->query('ROLLBACK');
	$erin->quit;
}

# ---- errors ----

my $unknown = '00000000-0000-4000-8000-0000000000ff';

# The error of a statement, without the id that was given
sub says
{
	my ($session, $statement, $id) = @_;
	my $said = $session->attempt($statement) . $session->{error};

	$session->attempt('ROLLBACK');
	return $said =~ s/$id/ID/gr =~ s/\nLOCATION.*//sr;
}

foreach my $statement ("INSERT INTO app.secret VALUES (5000, 'ID', 'new', 1)", "INSERT INTO app.secret VALUES (5000, 'ID', NULL, -1)",
	"UPDATE app.secret SET workspace_id = 'ID' WHERE id = 5", "SELECT * FROM app.secret WHERE workspace_id = 'ID'", "DELETE FROM app.secret WHERE workspace_id = 'ID'")
{
	is(says($mia, $statement =~ s/ID/$W3/r, $W3), says($mia, $statement =~ s/ID/$unknown/r, $unknown), "a hidden workspace is like an unknown one: $statement");
}

# Parents, by every way in which a row can refer to one, with a workspace of her own if there is a
# column for it. Each table has a child table, and there is one whose key has two columns that can
# be null.
$admin->query(qq{
	CREATE TABLE app.grandchild (id int PRIMARY KEY, parent_id int REFERENCES app.child, note text);
	CREATE TABLE app.grandchild_with_column (id int PRIMARY KEY, parent_id int REFERENCES app.child_with_column, note text);
	ALTER TABLE app.secret ADD kind int NOT NULL DEFAULT 1, ADD UNIQUE (kind, id);
	CREATE TABLE app.pair (id int PRIMARY KEY, kind int DEFAULT 1, parent_id int, note text, FOREIGN KEY (kind, parent_id) REFERENCES app.secret (kind, id));
	CREATE TABLE app.pair_with_column (LIKE app.pair INCLUDING DEFAULTS, PRIMARY KEY (id), FOREIGN KEY (kind, parent_id) REFERENCES app.secret (kind, id));
	CREATE TABLE app.parted_with_column (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES app.secret, note text) PARTITION BY RANGE (id);
	CREATE TABLE app.part PARTITION OF app.parted_with_column FOR VALUES FROM (1) TO (9000);
	SELECT cnap_protect_child('app.grandchild', 'parent_id');
	SELECT cnap_protect_child('app.grandchild_with_column', 'parent_id', 'workspace_id');
	SELECT cnap_protect_child('app.pair', 'parent_id');
	SELECT cnap_protect_child('app.pair_with_column', 'parent_id', 'workspace_id');
	SELECT cnap_protect_child('app.parted_with_column', 'parent_id', 'workspace_id');
	CREATE TABLE app.later PARTITION OF app.parted_with_column FOR VALUES FROM (9000) TO (9900);
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.grandchild, app.grandchild_with_column, app.pair, app.pair_with_column, app.parted_with_column TO plain;
	INSERT INTO app.grandchild SELECT id, id FROM app.child;
	INSERT INTO app.grandchild_with_column SELECT id, id FROM app.child_with_column;
	INSERT INTO app.pair SELECT id, 1, id FROM app.secret;
	INSERT INTO app.pair_with_column TABLE app.pair;
	INSERT INTO app.parted_with_column SELECT id, id FROM app.secret WHERE id < 9000 UNION ALL VALUES (9005, 5)});
foreach my $table (map { "app.$_" } qw(child grandchild pair), map { "${_}_with_column" } qw(child grandchild pair parted))
{
	my $given = $table =~ /column/ ? ", '$W1'" : '';
	my $into = "INSERT INTO $table (id, parent_id" . ($given && ', workspace_id') . ')';
	my %statements = (
		'INSERT' => "$into VALUES (5001, ID$given)",
		'INSERT of several rows' => "$into VALUES (5001, 5$given), (5002, ID$given)",
		'INSERT of a query' => "$into SELECT 5001, ID$given FROM app.secret WHERE id = 5",
		'INSERT of a taken key' => "$into VALUES (5, ID$given)",
		'INSERT in a query' => "WITH new AS ($into VALUES (5001, ID$given) RETURNING id) SELECT count(*) FROM new",
		'INSERT without RETURNING' => "INSERT INTO $table (id, parent_id) VALUES (5001, ID)",
		'INSERT without the workspace, into what comes later' => "INSERT INTO $table (id, parent_id) VALUES (9001, ID)",
		'INSERT into what comes later' => "$into VALUES (9001, ID$given)",
		'ON CONFLICT DO NOTHING' => "$into VALUES (5001, ID$given) ON CONFLICT DO NOTHING",
		'ON CONFLICT DO NOTHING with a taken key' => "$into VALUES (5, ID$given) ON CONFLICT DO NOTHING",
		'ON CONFLICT DO UPDATE' => "$into VALUES (5001, ID$given) ON CONFLICT (id) DO UPDATE SET note = 'taken'",
		'ON CONFLICT DO UPDATE with a taken key' => "$into VALUES (5, ID$given) ON CONFLICT (id) DO UPDATE SET note = 'taken'",
		'ON CONFLICT DO UPDATE of the parent' => "$into VALUES (5, 5$given) ON CONFLICT (id) DO UPDATE SET parent_id = ID",
		'UPDATE' => "UPDATE $table SET parent_id = ID WHERE id = 5",
		'UPDATE of all rows' => "UPDATE $table SET parent_id = ID",
		'UPDATE of a row of what comes later' => "UPDATE $table SET parent_id = ID, id = 9001 WHERE id = 5",
		'UPDATE with the workspace' => $given ? "UPDATE $table SET (parent_id, workspace_id) = (ID$given)" : "UPDATE $table SET (parent_id, note) = (ID, '')",
		'UPDATE in a query' => "WITH new AS (UPDATE $table SET parent_id = ID RETURNING id) SELECT count(*) FROM new",
		'MERGE with INSERT' => "MERGE INTO $table t USING (VALUES (5001)) s (id) ON t.id = s.id WHEN NOT MATCHED THEN " . ($into =~ s/INTO \S+//r) . " VALUES (s.id, ID$given)",
		'MERGE with UPDATE' => "MERGE INTO $table t USING (VALUES (5)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET parent_id = ID");

	foreach my $kind (sort keys %statements)
	{
		next if $kind =~ /later$/ && $table !~ /parted/;
		my ($hidden, $absent) = map { says($mia, "BEGIN; " . ($statements{$kind} =~ s/ID/$_/r), $_) } 777003, 888003;

		is($hidden, $absent, "$table: a hidden parent is like an unknown one: $kind");
		like($hidden, qr/^(?:psql\S* )?ERROR:  42501: new row violates row-level security policy for table "\w+"$/, "$table: which is refused: $kind");
	}
	foreach my $kind ('INSERT', 'UPDATE')
	{
		my @ids = map {
			$mia->query("BEGIN; SAVEPOINT s");
			$mia->attempt($statements{$kind} =~ s/ID/$_/r);
			$mia->query('ROLLBACK TO s');
			my $id = $mia->query('SELECT pg_current_xact_id_if_assigned() IS NULL');
			$mia->query('ROLLBACK');
			$id;
		} 777003, 888003;
		is($ids[0], $ids[1], "$table: a hidden parent takes no other transaction id than an unknown one: $kind");
	}
	foreach my $statement ("COPY $table (id, parent_id) FROM STDIN", "DELETE FROM $table WHERE parent_id = ID", "SELECT * FROM $table WHERE parent_id = ID",
		"UPDATE $table SET note = 'mine' WHERE parent_id = ID RETURNING *")
	{
		is(says($mia, $statement =~ s/ID/777003/r, 777003), says($mia, $statement =~ s/ID/888003/r, 888003), "$table: a hidden parent is like an unknown one: $statement");
	}
}
# Roles to which no policy applies get the foreign key's error.
refused($admin, 'an unknown parent of a superuser', "INSERT INTO app.$_ (id, parent_id, workspace_id) VALUES (5001, 888003, '$W1')", '23503') foreach 'child_with_column', 'parted_with_column';

foreach my $statement (
	"INSERT INTO app.secret VALUES (777003, '$W1', 'new', 1)",
	'UPDATE app.secret SET id = 777003 WHERE id = 5',
	'UPDATE app.secret SET amount = -1', "DELETE FROM cnap.workspace WHERE id = '$W1'")
{
	unlike(says($mia, $statement, '777003'), qr/$hidden/, "an error tells no more of a row in the way than its key: $statement");
}

# Every public function, with hidden and with nonexistent ids
$admin->query(q{
	INSERT INTO cnap.organization (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000b1', 'Beta', 'beta');
	INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('00000000-0000-4000-8000-0000000000b1', 'erin', 'owner')});
my $beta = '00000000-0000-4000-8000-0000000000b1';
foreach my $role ('mia', 'plain', 'bare')
{
	my $session = connect_to($node, $role);
	my %of = map {
		my ($workspace, $organization) = @$_;
		$workspace => { calls($node, uuid => "'$workspace'", organization => "'$organization'") }
	} ([ $W3, $beta ], [ $unknown, $unknown ]);

	foreach my $signature (sort keys %{ $of{$W3} })
	{
		next if $signature =~ /^cnap_(create|cache_stats|protect|unprotect)/;
		my @said = map { $session->query('BEGIN'); says($session, $of{$_}{$signature}, qr/$_|$beta/) } $W3, $unknown;
		is($said[0], $said[1], "$role: $signature of what is hidden, and of what there is not");
	}
	$session->quit;
}

$node->stop;
done_testing();
