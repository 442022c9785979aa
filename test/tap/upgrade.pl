#
# upgrade.pl: from this version to a made-up next one, and each released version to this one
#
# The next version is this one with a table, a column by which access is denied, functions and a
# trigger changed; the test makes it in a directory of its own and builds it. Its library serves
# databases that have not been updated; this one refuses those that have. An updated database is the
# same as one in which the new version was created.
#
use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;

use CnapFleet qw(becomes);
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my ($this) = slurp_file('cnap_org.control') =~ /^default_version = '(.*)'/m;
my $next = $this =~ s/^(\d+)\.(\d+)\..*/"$1." . ($2 + 1) . ".0"/er;
my $scratch = PostgreSQL::Test::Utils::tempdir();

# ---- trees of PostgreSQL, into which versions are installed ----

sub output_of
{
	my @command = @_;
	open my $pipe, '-|', @command or die "@command: $!";
	my $output = do { local $/ = undef; <$pipe> };
	close $pipe or die "@command failed";
	chomp $output;
	return $output;
}

sub run_or_die
{
	my @command = @_;
	system(@command) == 0 or die "@command failed";
	return;
}

my %directory = map { $_ => output_of($pg_config, "--$_") } qw(bindir sharedir pkglibdir);

# A copy of the installation, which PostgreSQL's programs find relative to themselves
sub new_tree
{
	my ($name) = @_;
	my $tree = "$scratch/$name";

	run_or_die('mkdir', '-p', map { "$tree$_" } values %directory);
	run_or_die('cp', '-L', (grep { -f && -x } glob "$directory{bindir}/*"), "$tree$directory{bindir}");
	run_or_die('cp', '-rs', "$directory{$_}/.", "$tree$directory{$_}") foreach qw(sharedir pkglibdir);
	run_or_die('find', "$tree$directory{sharedir}", "$tree$directory{pkglibdir}", '-depth', '-name', 'cnap_org*',
		'-exec', 'rm', '-rf', '{}', '+');
	return $tree;
}

sub make
{
	my ($source, @arguments) = @_;
	local %ENV = %ENV;

	delete @ENV{ grep { /^MAKE|^MFLAGS/ } keys %ENV };
	run_or_die('make', '-s', '-C', $source, "PG_CONFIG=$pg_config", 'with_llvm=no', @arguments);
	return;
}

sub install
{
	my ($source, $tree) = @_;

	make($source, 'install', "DESTDIR=$tree");
	return;
}

sub node_of
{
	my ($name, $tree) = @_;

	return PostgreSQL::Test::Cluster->new($name, install_path => $tree . dirname($directory{bindir}));
}

# ---- the next version ----

# a blank in the name of the directory is no obstacle
my $source = "$scratch/the next";

# Replaces the only place that matches, and returns what it has become.
sub edit
{
	my ($file, $pattern, $replacement) = @_;
	my $path = "$source/$file";
	my $text = slurp_file($path);
	my $result;

	$text =~ s/$pattern/$result = $replacement->()/e or die "$file: no $pattern";
	open my $out, '>', $path or die "$path: $!";
	print $out $text;
	close $out;
	return $result;
}

sub add
{
	my ($file, $text) = @_;

	open my $out, '>', "$source/$file" or die "$file: $!";
	print $out $text;
	close $out;
	return;
}

# The column and the table by which a workspace is suspended
my $suspension = <<'END';
CREATE TABLE cnap.suspension (
	workspace_id uuid CONSTRAINT suspension_pkey PRIMARY KEY
		CONSTRAINT suspension_workspace_fkey REFERENCES cnap.workspace (id) ON DELETE CASCADE,
	reason text NOT NULL CONSTRAINT suspension_reason_format CHECK (cnap.is_name(reason))
);
COMMENT ON TABLE cnap.suspension IS 'why a workspace is suspended';
SELECT pg_extension_config_dump('cnap.suspension', '');

CREATE FUNCTION @extschema@.cnap_suspension(workspace uuid) RETURNS text
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_suspension';
COMMENT ON FUNCTION @extschema@.cnap_suspension(uuid) IS 'why the workspace is suspended';

CREATE FUNCTION @extschema@.cnap_suspended() RETURNS SETOF uuid
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'SELECT workspace_id FROM cnap.suspension';
COMMENT ON FUNCTION @extschema@.cnap_suspended() IS 'the workspaces that are suspended';

CREATE FUNCTION cnap.for_the_owner_alone() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT 1';
COMMENT ON FUNCTION cnap.for_the_owner_alone() IS 'one';
END

my $c = <<'END';
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/table_scan.h"

PG_FUNCTION_INFO_V1(cnap_suspension);

Datum
cnap_suspension(PG_FUNCTION_ARGS)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	text	   *reason = NULL;
	bool		isnull;

	CnapKeyUuid(&key, 1, PG_GETARG_UUID_P(0));
	tuple = CnapScanRow(&scan, CNAP_SUSPENSION, &key);
	if (HeapTupleIsValid(tuple))
		reason = DatumGetTextPCopy(CnapField(&scan, tuple, 2, &isnull));
	CnapEndScan(&scan);
	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(reason);
}
END

sub make_next
{
	run_or_die('mkdir', '-p', "$source/src");
	run_or_die('cp', '-r', 'Makefile', 'cnap_org.control', $source);
	run_or_die('sh', '-c', "tar -c --exclude='*.o' --exclude='*.bc' src | tar -x -C '$source'");

	edit('cnap_org.control', qr/default_version = '\Q$this\E'/, sub { "default_version = '$next'" });

	# the library: a table and a column more
	my $header = slurp_file("$source/src/core/own_catalog.h");
	my ($last) = $header =~ /#define CNAP_TABLES \((\w+) \+ 1\)/;
	edit('src/core/own_catalog.h', qr/^\t$last$/m, sub { "\t$last,\n\tCNAP_SUSPENSION" });
	edit('src/core/own_catalog.h', qr/\(\Q$last\E \+ 1\)/, sub { '(CNAP_SUSPENSION + 1)' });
	edit('src/core/own_catalog.c', qr/(\[$last\] = "\w+",)/, sub { "$1\n\t[CNAP_SUSPENSION] = \"suspension\"," });
	my ($columns) = slurp_file("$source/src/sql/10_tables.sql") =~ /CREATE TABLE cnap\.workspace \(\n(.*?)^\);/ms;
	my $number = 1 + grep { !/^CONSTRAINT/ } $columns =~ /^\t(\w+) /mg;
	edit('src/core/rows.c', qr/(CNAP_WORKSPACE, snapshot, 1, &key\);\n\ttuple = CnapNextRow\(&scan\);\n\tfound = HeapTupleIsValid\(tuple\);)/,
		sub { "$1\n\tif (found)\n\t\t(void) CnapField(&scan, tuple, $number, &found);" });
	edit('src/access/ways.c', qr/append_reach\(list, DatumGetUUIDP\(id\), CNAP_WAY_OWNER, DT_NOEND\);/,
		sub { "(void) CnapField(&scan, tuple, $number, &isnull);\n\t\tif (isnull)\n\t\t\tappend_reach(list, DatumGetUUIDP(id), CNAP_WAY_OWNER, DT_NOEND);" });
	edit('src/core/signals.c', qr/same_owner = !CnapColumnDiffers\(.*?\);/, sub { 'same_owner = false;' });
	add('src/functions/suspension.c', $c);

	# the install script
	edit('src/sql/10_tables.sql', qr/^(CREATE TABLE cnap\.workspace \(\n.*?)(^\tCONSTRAINT workspace_management_whole)/ms,
		sub { "$1\tsuspended_at timestamptz,\n$2" });
	my $trigger = edit('src/sql/20_triggers.sql', qr/CREATE TRIGGER signal_update AFTER UPDATE ON cnap\.workspace\n.*?;/s,
		sub { $& =~ s/(OLD|NEW)\.id,/$1.id, $1.suspended_at,/gr });
	my $text = edit('src/sql/77_lint_own.sql', qr/CREATE FUNCTION cnap\.lint_text\(.*?\$\$;/s,
		sub { $& =~ s/'\(\) '/'( )'/r });
	my $comment = edit('src/sql/77_lint_own.sql', qr/COMMENT ON FUNCTION cnap\.lint_text.*?;/s, sub { $& =~ s/a definition/what defines it,/r });
	add('src/sql/67_suspension.sql', $suspension);
	edit('src/sql/90_privileges.sql', qr/^.*cnap_accept_invitation.*\n/m,
		sub { "$&\t\t('FUNCTION', '\@extschema\@.cnap_suspension', 'EXECUTE', 'everybody'),\n"
			  . "\t\t('FUNCTION', '\@extschema\@.cnap_suspended', 'EXECUTE', 'trusted'),\n" });

	# and the step from this version
	$text =~ s/^CREATE FUNCTION/CREATE OR REPLACE FUNCTION/;
	add("src/sql/update/$next.sql", <<"END");
ALTER TABLE cnap.workspace ADD suspended_at timestamptz;
DROP TRIGGER signal_update ON cnap.workspace;
$trigger
ALTER TABLE cnap.workspace ENABLE ALWAYS TRIGGER signal_update;
$text
$comment
$suspension
END
	make($source, '-j2', 'COPT=-O0', 'all');
	return;
}

# ---- what a database consists of ----

my %catalogs = (
	objects => 'SELECT * FROM cnap.lint_present() ORDER BY kind, object COLLATE "C"',
	made => 'SELECT * FROM cnap.made ORDER BY kind, object COLLATE "C"',
	privileges => $PRIVILEGES,
	initial => q{SELECT pg_describe_object(classoid, objoid, objsubid), a.grantee, a.privilege_type
		FROM pg_init_privs CROSS JOIN aclexplode(initprivs) a WHERE privtype = 'e' ORDER BY 1, 2, 3},
	members => q{SELECT pg_describe_object(d.classid, d.objid, 0), obj_description(d.objid, d.classid::regclass::name)
		FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		WHERE e.extname = 'cnap_org' ORDER BY 1},
	columns => q{SELECT attrelid::regclass, attnum, attname, col_description(attrelid, attnum) FROM pg_attribute
		WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'cnap'::regnamespace) AND NOT attisdropped ORDER BY 1, 2},
	extension => q{SELECT extversion, extrelocatable, extnamespace::regnamespace,
		array(SELECT c::regclass::text || coalesce(' ' || extcondition[n], '') FROM unnest(extconfig) WITH ORDINALITY u (c, n) ORDER BY 1)
		FROM pg_extension WHERE extname = 'cnap_org'});

# What differs between two databases of a cluster
sub difference
{
	my ($node, $a, $b) = @_;
	my @lines;

	foreach my $name (sort keys %catalogs)
	{
		my %in;
		$in{$_}++ foreach split /\n/, $node->safe_psql($a, $catalogs{$name});
		$in{$_}-- foreach split /\n/, $node->safe_psql($b, $catalogs{$name});
		push @lines, map { "$name: " . ($in{$_} > 0 ? $a : $b) . ": $_" } sort grep { $in{$_} } keys %in;
	}
	return join "\n", @lines;
}

# ---- a server with this version ----

my ($tree, $other_tree) = map { new_tree($_) } qw(one other);
install('.', $_) foreach $tree, $other_tree;
make_next();

my $node = node_of('main', $tree);
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nwal_retrieve_retry_interval = 100ms\n");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(shop later fresh);
populate($node, $_) foreach qw(shop later);
$node->safe_psql('shop', q{
	REVOKE EXECUTE ON FUNCTION cnap_cache_stats() FROM PUBLIC;
	CREATE ROLE auditor;
	GRANT EXECUTE ON FUNCTION cnap_audit_cursor() TO auditor;
	CREATE ROLE nosy;
	ALTER ROLE cnap_app LOGIN;});
grant_by_default($node, 'shop', 'nosy');
my $before = answers($node, 'shop');
like($before, qr/carol\|$W1\|t\|owner/, 'the answers are about something');

$node->backup('base');
my $standby = node_of('standby', $other_tree);
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# as_app(NODE, DATABASE, USER, STATEMENT...): a session of the application
sub as_app
{
	my ($at, $db, $user, @statements) = @_;
	my $session = CnapTest::Session->new($at, user => 'cnap_app', dbname => $db, name => "$user in $db");

	$session->query($_) foreach "SET cnap.user_id = '$user'", @statements;
	return $session;
}

my $rows = "SELECT coalesce(string_agg(note, ',' ORDER BY id), 'none') FROM app.deployment";
my @prepare = ("PREPARE ask AS SELECT cnap_can_access('$W1')", "PREPARE see AS $rows");
my $ask = 'EXECUTE ask; EXECUTE see';

# Sessions with the library of this version, which have used it or have merely loaded it
my $old = as_app($node, 'shop', 'carol', @prepare);
is($old->query($ask), "t\none", 'a session, before anything');
my $idle = as_app($node, 'shop', 'carol', 'SELECT cnap_current_user()');
my $old_admin = CnapTest::Session->new($node, dbname => 'shop');
is($old_admin->query("SELECT cnap_can_access('carol', '$W1')"), 't', 'and one of a superuser');

# ---- the next library, and databases of this version ----

install($source, $tree);
my ($status, $output, $error);
is($old->query($ask), "t\none", 'a session with the former library goes on');
is(answers($node, 'shop'), $before, 'the next library gives the same answers');
is(refused_as($node, 'shop', 'dave', 'INSERT INTO app.deployment VALUES (9, ' . "'$W1')"), '42501', 'and protects the same');
is(act_as($node, 'shop', 'carol', "SELECT FROM cnap_update_workspace('$W1', name => 'Globex 2'); $rows"), "one", 'and makes changes');
$node->safe_psql('shop', q{CREATE FUNCTION too_early(uuid) RETURNS text LANGUAGE c AS '$libdir/cnap_org', 'cnap_suspension'});
(undef, undef, $error) = $node->psql('shop', "SELECT too_early('$W1')");
like($error, qr/ERROR:  "cnap\.suspension" does not exist in this version of extension "cnap_org"\nHINT:  ALTER EXTENSION cnap_org UPDATE;/,
	'what the version lacks is missing');
$node->safe_psql('shop', 'DROP FUNCTION too_early');

my $new = as_app($node, 'shop', 'carol', @prepare);
my $deep = as_app($node, 'shop', 'carol', @prepare, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
foreach my $session ($new, $deep)
{
	is($session->query($ask), "t\none", "a session with the next library: $session->{name}") foreach 1 .. 10;
}

# ---- the update ----

$old_admin->attempt("ALTER EXTENSION cnap_org UPDATE");
is($old_admin->{sqlstate}, '55000', 'a session with the former library cannot update');
like($old_admin->{error}, qr/older than its objects.*of version \Q$this\E, and the objects are of version \Q$next\E.*connect again/s, 'and is told why');
is($node->safe_psql('shop', q{SELECT extversion FROM pg_extension WHERE extname = 'cnap_org'}), $this, 'nothing has happened');
is($old_admin->query("SELECT cnap_can_access('carol', '$W1')"), 't', 'it goes on as before');

($status, $output, $error) = $node->psql('shop', 'BEGIN; ALTER EXTENSION cnap_org UPDATE; ROLLBACK');
is($status, 0, 'an update that is rolled back') or diag($error);
is($old->query($ask), "t\none", 'leaves sessions alone');
($status, $output, $error) = $node->psql('shop', 'ALTER EXTENSION cnap_org UPDATE');
is($status, 0, 'the update') or diag($error);
like($error, qr/WARNING:  a trusted role lacks privileges.*\nHINT:  SELECT public\.cnap_trust\('cnap_app'\);/, 'says whom to trust again');
is($node->safe_psql('shop', q{SELECT extversion FROM pg_extension WHERE extname = 'cnap_org'}), $next, 'has been made');

is($new->query($ask), "t\none", 'a session with the next library goes on');
is($deep->query($ask), "t\none", 'also in a transaction');
$node->safe_psql('shop', "UPDATE cnap.workspace SET suspended_at = now() WHERE id = '$W1';"
	  . " INSERT INTO cnap.suspension VALUES ('$W1', 'unpaid')");
is($new->query($ask), "f\nnone", 'and knows at once what is new');
is($deep->query($ask), "f\nnone", 'also in a transaction');
is($new->query("SELECT cnap_suspension('$W1')"), 'unpaid', 'including functions');

foreach my $session ($old, $idle)
{
	my $answer = eval { $session->attempt("SELECT cnap_can_access('$W1')") } // '';
	isnt($answer, 't', 'a session with the former library answers nothing');
	like($session->{error} . ($@ // '') . $session->{buffer}, qr/FATAL:  55000: the library of extension "cnap_org" is older than its objects/, 'and is ended');
}
is(answers($node, 'later'), $before, 'a database that has not been updated is as before');
is(act_as($node, 'later', 'carol', $rows), 'one', 'with the protection of its tables');

# ---- an updated database is as good as new ----

$node->safe_psql('fresh', 'CREATE EXTENSION cnap_org');
$node->safe_psql('fresh', q{
	SELECT cnap_trust('cnap_app');
	REVOKE EXECUTE ON FUNCTION cnap_cache_stats() FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION cnap_audit_cursor() TO auditor;});
is($node->safe_psql('shop', q{SELECT has_function_privilege('cnap_app', 'cnap_suspended()', 'EXECUTE')}), 'f', '(a trusted role cannot yet execute a new function)');
$node->safe_psql('shop', q{SELECT cnap_trust('cnap_app')});
is(difference($node, 'shop', 'fresh'), '', 'updated and created, they are the same');
is($node->safe_psql('shop', q{SELECT count(*) FROM pg_class WHERE relname = 'present_before'}), '0', 'nothing is left of the update');
is($node->safe_psql('shop', q{SELECT has_function_privilege('nosy', 'cnap_suspended()', 'EXECUTE')}), 'f', 'default privileges give nothing');
is($node->safe_psql('shop', q{SELECT has_function_privilege('nosy', 'cnap_cache_stats()', 'EXECUTE')}), 'f', 'what was revoked stays so');
is($node->safe_psql('shop', q{SELECT rule, object FROM cnap_lint() WHERE severity = 'error'}), '', 'the linter finds nothing');

my $dump = "$scratch/dump.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, 'shop' ], 'it can be dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'restored', '-f', $dump ], 'and restored');
is($node->safe_psql('restored', 'TABLE cnap.suspension'), "$W1|unpaid", 'with what is new');
is(difference($node, 'shop', 'restored'), '', 'and the same objects and privileges');

# ---- there is no way back ----

(undef, undef, $error) = $node->psql('shop', "ALTER EXTENSION cnap_org UPDATE TO '$this'");
like($error, qr/ERROR:  extension "cnap_org" has no update path from version "\Q$next\E" to version "\Q$this\E"/, 'a downgrade is refused');
install('.', $tree);
foreach my $statement ("SELECT cnap_can_access('$W1')", $rows, 'SELECT cnap_workspaces()')
{
	(undef, $output, $error) = $node->psql('shop', "SET cnap.user_id = 'dave'; SET ROLE cnap_app; $statement");
	is($output, '', "the former library answers nothing: $statement");
	like($error, qr/FATAL:  the library of extension "cnap_org" is older.*\n.*\nHINT:  Install version \Q$next\E or a later one, and connect again/, 'and says why');
}
is(answers($node, 'later'), $before, 'other databases work with it');
install($source, $tree);

# ---- a server that preloads the library ----

install('.', $tree);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cnap_org'\n");
$node->restart;
install($source, $tree);
(undef, undef, $error) = $node->psql('later', 'ALTER EXTENSION cnap_org UPDATE');
like($error, qr/ERROR:  the library .*\n.*\nHINT:  Install version \Q$next\E or a later one, and restart the server/, 'a server that has preloaded the former one cannot update');
is(answers($node, 'later'), $before, 'and goes on as before');
(undef, undef, $error) = $node->psql('shop', "SELECT cnap_can_access('dave', '$W2')");
like($error, qr/ERROR:  the library .*\n.*\nHINT:  .* restart the server/, 'nor does it serve what has been updated');
$node->restart;
is($node->safe_psql('shop', "SELECT cnap_can_access('dave', '$W2')"), 't', 'until it is restarted');

# ---- a standby ----

$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
(undef, $output, $error) = $standby->psql('shop', "SELECT cnap_can_access('dave', '$W2')");
is($output, '', 'a standby with the former library answers nothing');
like($error, qr/FATAL:  the library .* is older/, 'and says why');
is($standby->safe_psql('later', "SELECT cnap_can_access('carol', '$W1')"), 't', 'but in what has not been updated');
install($source, $other_tree);
is($standby->safe_psql('shop', "SELECT cnap_can_access('dave', '$W2'), cnap_can_access('carol', '$W1'), cnap_suspension('$W1')"),
	't|f|unpaid', 'with the next library, it answers as the primary does');
$standby->stop;

# ---- a follower, which is updated first ----

my $follower = node_of('follower', $tree);
$follower->init(allows_streaming => 'logical');
$follower->append_conf('postgresql.conf', "wal_retrieve_retry_interval = 100ms\n");
$follower->start;
$follower->safe_psql('postgres', 'CREATE EXTENSION cnap_org');
$node->safe_psql('later', 'SELECT cnap_publish()');
my $origin = $node->connstr('later') =~ s/'/''/gr;
$follower->safe_psql('postgres', "CREATE SUBSCRIPTION access CONNECTION '$origin' PUBLICATION cnap_access");
my $everything = qq{SELECT string_agg(cnap_can_access(u, w)::text, ' ' ORDER BY u, w)
	FROM unnest('{ann,carol,dave,mia}'::text[]) u, unnest('{$W1,$W2,$W3}'::uuid[]) w};
my $expected = $node->safe_psql('later', $everything);
# what it has copied counts only with a beat that comes after that
becomes($expected, 'a follower with the next version follows this one',
	sub { $node->safe_psql('later', 'SELECT cnap_beat()'); return $follower->safe_psql('postgres', $everything) });
$node->safe_psql('later', 'ALTER EXTENSION cnap_org UPDATE; SELECT cnap_publish()');
$node->safe_psql('later', "UPDATE cnap.workspace SET suspended_at = now() WHERE id = '$W1'; SELECT cnap_beat()");
ok($follower->poll_query_until('postgres', "SELECT NOT cnap_can_access('carol', '$W1') AND cnap_can_access('dave', '$W2')"),
	'and learns what is new when the origin is updated');
$follower->stop;

# ---- each version that was released ----

# Kept when it is released, as CONTRIBUTING.md says
my @released = grep { !/--\Q$this\E\.sql$/ } glob "$FindBin::RealBin/../released/cnap_org--*.sql";
if (@released)
{
	install('.', $tree);
	$node->restart;
	$node->safe_psql('postgres', 'CREATE DATABASE present');
	$node->safe_psql('present', 'CREATE EXTENSION cnap_org');
}
foreach my $file (@released)
{
	my ($version) = $file =~ /--(.*)\.sql$/;

	run_or_die('cp', $file, "$tree$directory{sharedir}/extension");
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS released');
	$node->safe_psql('postgres', 'CREATE DATABASE released');
	$node->safe_psql('released', "CREATE EXTENSION cnap_org VERSION '$version'");
	$node->safe_psql('released', "ALTER EXTENSION cnap_org UPDATE TO '$this'");
	is(difference($node, 'released', 'present'), '', "version $version, updated, and this one are the same");
}

$node->stop;
done_testing();
