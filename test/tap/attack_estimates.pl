#
# attack_estimates.pl: attempts to count rows that are hidden
#
# Plans, estimates, statistics, counters, sequences and constraints reveal numbers. How much of
# that comes from PostgreSQL itself, with any policy, is measured on a table with the same rows and
# a policy that the planner knows nothing about, and cnap_org must not add to it. The documentation
# says what it is, and how to prevent it.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

my $node = new_world('main', 'autovacuum = off');
my $admin = connect_to($node, undef, q{
	CREATE ROLE mia LOGIN;
	SELECT cnap_set_role_user('mia', 'mia');
	GRANT plain TO mia;
	CREATE SCHEMA own AUTHORIZATION mia;
	CREATE FUNCTION app.w(n int) RETURNS uuid LANGUAGE sql IMMUTABLE
	RETURN ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
	CREATE FUNCTION app.opaque(workspace uuid) RETURNS boolean LANGUAGE plpgsql STABLE
	AS $$ BEGIN RETURN public.cnap_can_access(workspace); END $$;
	CREATE TABLE app.protected (id int, workspace_id uuid, note text, other uuid);
	CREATE TABLE app.plainly (LIKE app.protected);
	CREATE TABLE app.elsewhere (LIKE app.protected);
	CREATE TABLE app.keyed (workspace_id uuid, id int, note text, PRIMARY KEY (workspace_id, id))});

# Of 20 thousand rows mia sees 200. The others belong to 8 workspaces of different sizes; in the
# table app.elsewhere to 2000.
my $row = q{n, app.w(%s), CASE WHEN n %% 50 = 0 THEN 'rare' ELSE 'often' END || n %% 7, app.w(n %% 9)};
$admin->query(sprintf("INSERT INTO app.protected SELECT $row FROM generate_series(1, 20000) n",
		'CASE WHEN n % 100 = 0 THEN n / 100 % 2 + 1 ELSE 10 + floor(log(2, n % 200 + 1))::int END'));
$admin->query(sprintf("INSERT INTO app.elsewhere SELECT $row FROM generate_series(1, 20000) n",
		'CASE WHEN n % 100 = 0 THEN n / 100 % 2 + 1 ELSE 1000 + n % 2000 END'));
$admin->query(q{
	INSERT INTO app.plainly TABLE app.protected;
	INSERT INTO app.keyed SELECT workspace_id, id, 'UNSEEN' FROM app.protected WHERE id < 1000;
	CREATE INDEX ON app.protected (workspace_id);
	CREATE INDEX ON app.plainly (workspace_id);
	CREATE INDEX ON app.protected (note);
	CREATE INDEX ON app.plainly (note);
	CREATE INDEX ON app.elsewhere (workspace_id);
	CREATE STATISTICS app.p ON workspace_id, note FROM app.protected;
	CREATE STATISTICS app.q ON workspace_id, note FROM app.plainly;
	ALTER TABLE app.plainly ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON app.plainly USING (app.opaque(workspace_id));
	SELECT cnap_protect('app.protected'), cnap_protect('app.elsewhere'), cnap_protect('app.keyed');
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.protected, app.plainly, app.elsewhere, app.keyed TO plain;
	ANALYZE app.protected, app.plainly, app.elsewhere, app.keyed});
my $mia = connect_to($node, 'mia');
my $nobody = connect_to($node, 'plain');

# The estimate of how many rows a query returns
sub estimate
{
	my ($session, $query) = @_;
	my ($rows) = $session->query("EXPLAIN $query") =~ /rows=(\d+)/;

	return $rows;
}

is($mia->query("SELECT count(*) FROM app.$_"), 200, "(mia sees 200 rows of app.$_)") foreach qw(protected plainly elsewhere);

# ---- estimates ----

cmp_ok(abs(estimate($mia, "SELECT * FROM app.$_") - 200), '<=', 40, "the estimate of app.$_ is about the rows that mia sees") foreach qw(protected elsewhere);
is(estimate($nobody, "SELECT * FROM app.$_"), 1, "nobody is told an estimate of one row of app.$_") foreach qw(protected elsewhere);
is(estimate($nobody, "SELECT * FROM app.protected WHERE workspace_id = app.w($_)"), 1, "and of one of workspace $_") foreach 1, 10, 17, 99;
is(estimate($nobody, "SELECT * FROM app.protected WHERE note = '$_'"), 1, "and of one with the note $_") foreach 'rare0', 'often0', 'none';

# A condition must reduce an estimate by the same factor as it does for PostgreSQL's own estimate.
my %all = map { $_ => estimate($mia, "SELECT * FROM app.$_") } qw(protected plainly);
foreach my $condition ((map { "workspace_id = app.w($_)" } 1, 2, 10, 12, 14, 16, 17, 99), (map { "note = '$_'" } qw(rare0 often0 often6 none)),
	"note < 'often3'", "note LIKE 'rare%'", 'workspace_id > app.w(13)', 'workspace_id IN (app.w(10), app.w(17))', 'id < 100', 'id % 2 = 0',
	"workspace_id = app.w(17) AND note = 'often0'", 'note IS NULL', 'other = workspace_id', 'NOT workspace_id = app.w(17)',
	"workspace_id = app.w(17) OR note = 'rare0'", "length(note) = 5", "md5(note) = 'x'", "workspace_id::text ~ '17\$'")
{
	my %part = map { $_ => estimate($mia, "SELECT * FROM app.$_ WHERE $condition") / $all{$_} } keys %all;

	cmp_ok($part{protected} * $all{protected}, '<=', 1.25 * $part{plainly} * $all{protected} + 2,
		sprintf 'the estimate of %s tells no more than with another policy (%.3f, %.3f)', $condition, $part{protected}, $part{plainly});
}
foreach my $query ('SELECT DISTINCT workspace_id FROM app.%s', 'SELECT note FROM app.%s GROUP BY note', 'SELECT workspace_id, note FROM app.%s GROUP BY 1, 2',
	'SELECT * FROM app.%1$s a JOIN app.%1$s b USING (workspace_id)', 'SELECT * FROM app.%s a WHERE EXISTS (SELECT FROM app.deployment d WHERE d.workspace_id = a.workspace_id)')
{
	my %rows = map { $_ => estimate($mia, sprintf $query, $_) } qw(protected plainly);

	cmp_ok($rows{protected}, '<=', $rows{plainly}, 'nor the estimate of ' . sprintf $query, 'protected');
}

# a check is estimated with the user's own workspaces only, for any column of any table
$mia->query(q{CREATE TABLE own.t (w uuid, a int); INSERT INTO own.t SELECT app.w(n % 20), n FROM generate_series(1, 2000) n; ANALYZE own.t});
my $own = $mia->query('SELECT count(*) FROM own.t WHERE cnap_can_access(w)');
cmp_ok(abs(estimate($mia, 'SELECT * FROM own.t WHERE cnap_can_access(w)') - $own), '<=', 40, 'the check on a table of her own');
cmp_ok(estimate($mia, 'SELECT * FROM app.protected WHERE cnap_can_access(other)'), '<=', 200, 'the check on another column of a protected table');

# ---- planning functions without the privilege to execute them ----
#
# PostgreSQL plans first, and checks privileges afterwards.

$admin->query(q{SELECT cnap_create_workspace('more', owner => 'erin') FROM generate_series(1, 20)});
foreach my $check (q{cnap_can_access('erin', w)}, q{cnap_can_access('erin'::text, w)}, q{cnap_has_permission('erin', w, 'billing')},
	"cnap_can_access('$W3'::uuid, w)", q{w = ANY (cnap_accessible_workspaces('erin'))}, q{w = ANY (cnap.reachable('erin'::text, 'access'))},
	q{cnap_workspace_role('erin', w) = 'owner'}, q{EXISTS (SELECT FROM cnap_explain_access('erin', w))})
{
	foreach my $statement ('EXPLAIN SELECT FROM own.t WHERE %s', 'SELECT FROM own.t WHERE %s', 'EXPLAIN (GENERIC_PLAN) SELECT FROM own.t WHERE %s',
		'EXPLAIN SELECT FROM own.t WHERE false AND %s', 'EXPLAIN SELECT FROM own.t LEFT JOIN own.t u ON false AND %s', 'PREPARE p AS SELECT FROM own.t WHERE %s',
		'EXPLAIN UPDATE own.t SET a = 1 WHERE %s', 'CREATE INDEX ON own.t (a) WHERE %s', 'EXPLAIN SELECT (SELECT count(*) FROM own.t WHERE %s)')
	{
		my $session = connect_to($node, 'plain');
		my $sql = sprintf $statement =~ s/own\.t/pg_temp.t/gr, $check;
		$session->query('CREATE TEMP TABLE t AS SELECT app.w(n) w, n a FROM generate_series(1, 100) n; CREATE INDEX ON t (w); ANALYZE t; SELECT cnap_current_user()');
		my $before = $session->query('SELECT misses, loads, entries FROM cnap_cache_stats()');
		my $said = $session->attempt($sql =~ s/LEFT JOIN pg_temp.t u/LEFT JOIN (SELECT w AS x FROM pg_temp.t) u/r);
		unlike($said, qr/rows=2[01]\b/, "planned, and not executed: $sql");
		is($session->query('SELECT misses, loads, entries FROM cnap_cache_stats()'), $before, 'and the cache has not looked at erin');
		$session->quit;
	}
}

# ---- statistics and counters ----

foreach my $query ('SELECT count(*) FROM pg_stats WHERE tablename = $$protected$$', 'SELECT count(*) FROM pg_stats_ext WHERE tablename = $$protected$$',
	'SELECT count(*) FROM pg_stats_ext_exprs WHERE tablename = $$protected$$', 'SELECT count(*) FROM pg_stats WHERE schemaname = $$cnap$$')
{
	is($mia->query($query), 0, $query);
}
refused($mia, 'what statistics are kept of', 'SELECT stxdmcv FROM pg_statistic_ext_data', '42501');
refused($mia, 'the statistics of a column', 'SELECT stavalues1 FROM pg_statistic', '42501');

# ---- sequences ----

foreach my $statement (q{SELECT nextval('cnap.audit_log_id_seq')}, q{SELECT currval('cnap.audit_log_id_seq')}, q{SELECT setval('cnap.audit_log_id_seq', 1)},
	'SELECT last_value FROM cnap.audit_log_id_seq', 'SELECT * FROM cnap.audit_log_id_seq', 'ALTER SEQUENCE cnap.audit_log_id_seq RESTART',
	'ALTER SEQUENCE cnap.audit_log_id_seq OWNED BY NONE', 'DROP SEQUENCE cnap.audit_log_id_seq', 'CREATE TABLE own.s (id int DEFAULT nextval($$cnap.audit_log_id_seq$$)); INSERT INTO own.s VALUES (DEFAULT)')
{
	refused($mia, $statement, "BEGIN; $statement", '42501');
}
refused($mia, 'lastval() behind an audited change', q{SELECT cnap_create_workspace('mine'); SELECT lastval()}, '42501');
is($mia->query(q{SELECT last_value IS NULL FROM pg_sequences WHERE schemaname = 'cnap'}), 't', 'pg_sequences tells no number');

# ---- what PostgreSQL reveals with any policy, and how to prevent it ----

my $tell = q{CREATE FUNCTION own.tell(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'told %', $1; RETURN true; END $$};
$mia->query($tell);
$admin->query(q{CREATE UNIQUE INDEX ON app.protected (id); CREATE UNIQUE INDEX ON app.plainly (id)});
foreach my $statement ("INSERT INTO app.%s VALUES (101, '$W1', 'new') ON CONFLICT (id) DO UPDATE SET note = 'new' WHERE own.tell(%1\$s.note)",
	"INSERT INTO app.%s VALUES (101, '$W1', 'new')", "INSERT INTO app.%s VALUES (101, '$W1', 'new') ON CONFLICT DO NOTHING",
	'EXPLAIN (ANALYZE, BUFFERS off, COSTS off, TIMING off, SUMMARY off) SELECT id FROM app.%s WHERE note = \'rare0\'',
	'EXPLAIN (ANALYZE, BUFFERS off, COSTS off, TIMING off, SUMMARY off) SELECT id FROM app.%s WHERE workspace_id = app.w(17)')
{
	my @said = map {
		my $table = $_;
		my $said = $mia->attempt('SET enable_indexscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; BEGIN; ' . sprintf $statement, $table);
		$said .= $mia->{error};
		$mia->attempt('ROLLBACK');
		$said =~ s/\nLOCATION.*|Filter:.*\n|$table//gr =~ s/\n\s*//gr
	} qw(protected plainly);

	is($said[0] =~ s/WARNING.*?told \w+//r, $said[1] =~ s/WARNING.*?told \w+//r, "(PostgreSQL tells as much with another policy: $statement)");
}
# a key that contains the workspace cannot conflict with a row of another workspace
foreach my $statement ("INSERT INTO app.keyed VALUES (app.w(17), 101, 'x')", "INSERT INTO app.keyed VALUES (app.w(17), 123456, 'x')",
	"INSERT INTO app.keyed VALUES (app.w(17), 199, 'x') ON CONFLICT (workspace_id, id) DO UPDATE SET note = 'x' WHERE own.tell(keyed.note)",
	"INSERT INTO app.keyed VALUES (app.w(17), 199, 'x') ON CONFLICT DO NOTHING")
{
	refused($mia, "a unique key with the workspace: $statement", $statement, '42501');
	unlike($mia->{error}, qr/UNSEEN/, 'and tells nothing');
}
is($mia->attempt("INSERT INTO app.keyed VALUES ('$W1', 101, 'x') ON CONFLICT (workspace_id, id) DO UPDATE SET note = 'x' WHERE own.tell(keyed.note)") . $mia->{error},
	'', 'while her own rows are inserted');

$node->stop;
done_testing();
