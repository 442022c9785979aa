# Protection survives dump and restore, of the database in all formats, of single tables and of
# data only, and an update of the extension. Children with and without a workspace column are
# protected as before, and the columns still follow the parents'.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', '');
$node->safe_psql('postgres', 'CREATE DATABASE source TEMPLATE template0');
populate($node, 'source');
# names such that restoring in their order meets the children before their parents
$node->safe_psql('source', qq{
	CREATE TABLE app."Z root" (id int PRIMARY KEY, workspace_id uuid NOT NULL);
	CREATE TABLE app.b_plain (id int PRIMARY KEY, root_id int NOT NULL REFERENCES app."Z root" ON DELETE CASCADE);
	CREATE TABLE app.a_deep (id int PRIMARY KEY, plain_id int NOT NULL REFERENCES app.b_plain ON DELETE CASCADE);
	CREATE TABLE app.d_kept (id int PRIMARY KEY, root_id int NOT NULL REFERENCES app."Z root" ON DELETE CASCADE);
	CREATE TABLE app.c_kept (id int PRIMARY KEY, kept_id int NOT NULL REFERENCES app.d_kept ON DELETE CASCADE) PARTITION BY RANGE (id);
	CREATE TABLE app.c_kept_1 PARTITION OF app.c_kept FOR VALUES FROM (0) TO (1000);
	INSERT INTO app."Z root" VALUES (1, '$W1'), (2, '$W2'), (3, '$W3');
	INSERT INTO app.b_plain SELECT id, id FROM app."Z root";
	INSERT INTO app.a_deep SELECT id, id FROM app."Z root";
	INSERT INTO app.d_kept SELECT id, id FROM app."Z root";
	INSERT INTO app.c_kept SELECT id, id FROM app."Z root";
	SET client_min_messages = warning;
	SELECT cnap_protect('app."Z root"', write_permission => 'administer');
	SELECT cnap_protect_child('app.b_plain', 'root_id');
	SELECT cnap_protect_child('app.a_deep', 'plain_id');
	SELECT cnap_protect_child('app.d_kept', 'root_id', 'workspace_id');
	SELECT cnap_protect_child('app.c_kept', 'kept_id', 'ws');
	GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO cnap_app;});

my @catalogs = (
	'SELECT * FROM cnap_protected_tables() ORDER BY relation::text',
	q{SELECT polrelid::regclass, polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid),
		pg_get_expr(polwithcheck, polrelid), obj_description(oid, 'pg_policy') FROM pg_policy
		ORDER BY polrelid::regclass::text, polname},
	q{SELECT tgrelid::regclass, pg_get_triggerdef(oid), tgenabled FROM pg_trigger
		WHERE tgfoid = 'cnap.fill_workspace'::regproc ORDER BY tgrelid::regclass::text},
	q{SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
		WHERE connamespace = 'app'::regnamespace ORDER BY conrelid::regclass::text, conname},
	'SELECT evtname, evtevent, evtenabled, evttags FROM pg_event_trigger');
my $counts = q{SELECT (SELECT count(*) FROM app."Z root"), (SELECT count(*) FROM app.b_plain),
	(SELECT count(*) FROM app.a_deep), (SELECT count(*) FROM app.d_kept), (SELECT count(*) FROM app.c_kept)};

is(act_as($node, 'source', 'carol', $counts), '1|1|1|1|1', 'carol sees the rows of a workspace');
like($node->safe_psql('source', $catalogs[0]), qr/^(?:[^\n]*\|t\|[^\n]*\n?){7}$/, 'seven tables are protected');

# What must hold in a restored database.
sub compare
{
	my ($db) = @_;
	is($node->safe_psql($db, $_), $node->safe_psql('source', $_), "$db: same catalogs") foreach @catalogs;
	is(act_as($node, $db, $_, $counts), act_as($node, 'source', $_, $counts), "$db: $_ sees the same")
	  foreach ('carol', 'ann', 'nobody');
	is(refused_as($node, $db, 'carol', 'INSERT INTO app.a_deep VALUES (90, 2)'), '42501', "$db: no foreign parent");
	is(refused_as($node, $db, 'carol', 'INSERT INTO app.d_kept VALUES (90, 2)'), '42501', "$db: nor with a column");
	act_as($node, $db, 'carol', 'INSERT INTO app.d_kept VALUES (91, 1); INSERT INTO app.c_kept VALUES (91, 91)');
	$node->safe_psql($db, qq{UPDATE app."Z root" SET workspace_id = '$W2' WHERE id = 1});
	is($node->safe_psql($db, q{SELECT count(*) FROM app.d_kept d, app.c_kept c
		WHERE c.kept_id = d.id AND d.root_id = 1 AND d.workspace_id = c.ws AND c.ws = '} . $W2 . "'"), '2',
		"$db: columns follow");
	is(act_as($node, $db, 'carol', $counts), '0|0|0|0|0', "$db: and nobody is left behind");
	$node->safe_psql($db, 'DELETE FROM app."Z root" WHERE id = 1');
	is($node->safe_psql($db, $counts), '2|2|2|2|2', "$db: foreign keys cascade");
}

sub restore
{
	my ($db, $restore) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	$restore->();
	compare($db);
}

my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'source' ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'source' ], 'pg_dump -Fc');
restore('plain', sub {
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", 'plain' ], 'plain: restored');
});
restore('custom', sub {
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'custom', "$dir/custom" ], 'custom: restored');
});
restore('jobs', sub { restore_in_parallel($node, 'jobs', "$dir/custom") });

# only the application's tables, into a database that has the extension and its data
$node->safe_psql('postgres', 'CREATE DATABASE tables TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'tables', "$dir/custom" ], 'tables: restored');
$node->safe_psql('tables', 'SELECT FROM cnap_unprotect_schema(\'app\', true);
	DROP TABLE app."Z root", app.b_plain, app.a_deep, app.c_kept, app.d_kept');
$node->command_ok([ 'pg_dump', '-f', "$dir/tables.sql", '-t', 'app."Z root"', '-t', 'app.*_*', 'source' ], 'pg_dump -t');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/tables.sql", 'tables' ],
	'tables: restored again');
$node->safe_psql('tables', q{SELECT cnap_protect('app.deployment', write_permission => 'administer')});
compare('tables');

# pg_restore -t omits policies; the plan for the schema shows that, and repairs it
$node->safe_psql('postgres', 'CREATE DATABASE selected TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'selected', "$dir/custom" ], 'selected: restored');
$node->safe_psql('selected', 'DROP TABLE app.a_deep');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'selected', '-t', 'a_deep', "$dir/custom" ], 'pg_restore -t');
is($node->safe_psql('selected', q{SELECT relation, protection FROM cnap_protect_schema('app') WHERE statement IS NOT NULL
	OR relation = 'app.a_deep'::regclass}), 'app.a_deep|none', 'selected: without its foreign key it cannot be protected');
$node->safe_psql('selected', q{ALTER TABLE app.a_deep ADD FOREIGN KEY (plain_id) REFERENCES app.b_plain;
	SELECT FROM cnap_protect_schema('app', true)});
is(act_as($node, 'selected', 'carol', $counts), '1|1|1|1|1', 'selected: protected again');

# data only, where everything else exists already (pg_restore does not know the right order)
$node->command_ok([ 'pg_dump', '-a', '-Fc', '-n', 'app', '-f', "$dir/rows", 'source' ], 'pg_dump -a');
$node->safe_psql('postgres', 'CREATE DATABASE rows TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'rows', "$dir/custom" ], 'rows: restored');
$node->safe_psql('rows', 'TRUNCATE app.deployment, app."Z root" CASCADE');
# it disables the triggers meanwhile, which the guard refuses
my @restore = ('pg_restore', '-a', '--disable-triggers', '--exit-on-error', '-d', 'rows', "$dir/rows");
$node->command_fails_like(\@restore, qr/would leave it less protected/, 'rows: refused');
$node->safe_psql('rows', 'TRUNCATE app.deployment, app."Z root" CASCADE');
{
	local $ENV{PGOPTIONS} = '-c cnap.guard=off';
	$node->command_ok(\@restore, 'rows: restored again');
}
compare('rows');

# an update of the extension, and dropping it
$node->safe_psql('source', 'ALTER EXTENSION cnap_org UPDATE');
is(act_as($node, 'source', 'carol', $counts), '1|1|1|1|1', 'the extension updated');
my (undef, undef, $error) = $node->psql('source', 'DROP EXTENSION cnap_org CASCADE');
like($error, qr/while it protects tables/, 'the extension cannot be dropped');
$node->safe_psql('source', q{SELECT FROM cnap_unprotect_schema('app', true); DROP EXTENSION cnap_org CASCADE});
is($node->safe_psql('source', $counts), '3|3|3|3|3', 'and can, after that');

$node->stop;
done_testing();
