# What cnap_lint() finds: nothing in the demo's schema, every flaw among ten thousand tables, in
# time proportional to their number; and doc/lint.md lists its rules.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

# the tests' own configuration logs all statements
my $node = new_node('main', 'log_statement = none');

# ---- the rules ----

my %rules;

foreach my $output (glob 'expected/lint*.out')
{
	$rules{$_} = 1 foreach slurp_file($output) =~ /^(?:error|warning|notice)\|(\w+)\|/mg;
}
# for which a contrib module is needed
$rules{$_} = 1 foreach slurp_file("$FindBin::RealBin/foreign.pl") =~ /"(\w+)\|ALTER FOREIGN TABLE/g;
# or sessions of their own
foreach my $test (glob "$FindBin::RealBin/*.pl")
{
	$rules{$_} = 1 foreach slurp_file($test) =~ /WHERE rule = '(\w+)'/g;
}
# or several servers, where all that is found is compared
my $beyond = qr/(?:access_stale|(?:publication|subscription|reference)_\w+)/;
foreach my $found (slurp_file("$FindBin::RealBin/fleet.pl") =~ /'($beyond(?: $beyond)*)'/g)
{
	$rules{$_} = 1 foreach split / /, $found;
}
$rules{$_} = 1 foreach slurp_file("$FindBin::RealBin/fleet_ways.pl") =~ /(?:error|warning|notice)\|(\w+)\|/g;
# or a cluster of Citus
foreach my $test (glob "$FindBin::RealBin/../citus/*.pl")
{
	$rules{$_} = 1 foreach slurp_file($test) =~ /\b((?:node|identity|policy)_\w+) (?:node|public|app|\$address|\()/g;
}
my @described = map { /`(\w+)`/g } slurp_file('doc/lint.md') =~ /^\| (`.*?) \|/mg;
is_deeply([ sort @described ], [ sort keys %rules ], 'the guide has the rules that the tests show');

# ---- the demo ----

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
my $demo = slurp_file('test/demo.sql') =~ s/^\\connect - postgres$/\\connect - $superuser/mr;
my $findings = 'SELECT * FROM cnap_lint()';

$node->safe_psql('postgres', 'CREATE DATABASE demo');
$node->psql('demo', $demo, on_error_stop => 1);
is($node->safe_psql('demo', 'SELECT count(*) FROM cnap_protected_tables()'), '3', 'the demo has protected tables');
is($node->safe_psql('demo', $findings), '', 'the schema of the demo has no finding');
is($node->safe_psql('demo', $findings, extra_params => [ '-U', 'reporting' ]),
	'', 'nor for somebody who can only read');

# ---- superusers ----

# The first one is exempt, and the owner of the extension.
$node->safe_psql('postgres', 'CREATE ROLE dba LOGIN SUPERUSER; CREATE DATABASE owned OWNER dba');
$node->safe_psql('owned', q{CREATE EXTENSION cnap_org; CREATE TABLE t (workspace_id uuid PRIMARY KEY);
	SELECT cnap_protect('t')}, extra_params => [ '-U', 'dba' ]);
my $superusers = q{SELECT severity, object FROM cnap_lint() WHERE rule = 'role_bypasses'};
is($node->safe_psql('owned', $superusers), '', 'the owner of the extension');
is($node->safe_psql('demo', $superusers), 'notice|dba', 'another superuser');
$node->safe_psql('postgres', 'ALTER ROLE dba NOLOGIN');

# ---- ten thousand tables ----

$node->safe_psql('postgres', 'CREATE DATABASE many');
$node->safe_psql('many', slurp_file('test/tap/lint.sql'));
my $summary = 'SELECT severity, rule, count(*), count(remedy) FROM cnap_lint() GROUP BY 1, 2 ORDER BY 2';
my $expected = <<'END' =~ s/\n\z//r;
error|child_unprotected|1000|1000
notice|column_without_key|3000|0
warning|function_may_bypass|1000|1000
notice|identity_grant|1|0
error|table_unprotected|1000|1000
error|view_bypasses|1000|1000
END

is($node->safe_psql('many', "SELECT count(*) > 10000 FROM pg_class WHERE relkind = 'r'"), 't', 'ten thousand tables');
is($node->safe_psql('many', $summary), $expected, 'the findings among ten thousand tables');

# Executes a statement, and returns the number of rows that each node of its plans, including those
# within functions, has returned and filtered out.
sub rows_of_nodes
{
	my ($statement) = @_;
	my ($loops, @rows);

	foreach (split /\n/, plans_of($node, 'many', 'json', 'SELECT', $statement))
	{
		push @rows, $1 if /"Actual Rows": ([\d.]+)/;
		$rows[-1] *= $loops = $1 if /"Actual Loops": ([\d.]+)/;
		push @rows, $1 * $loops if /"Rows Removed by .*": ([\d.]+)/;
	}
	return @rows;
}

# Of 10 thousand tables 4 thousand are protected, with 32 thousand policies, and pg_attribute has
# 120 thousand rows. A step that looked at each table for each of a thousand would process 10
# million.
my @rows = rows_of_nodes($findings);
my ($most) = sort { $b <=> $a } @rows;
cmp_ok($most, '>', 30_000, 'the plans say how many rows they took');
cmp_ok($most, '<', 500_000, 'no step takes each table for each table');

# ---- executing all remedies ----

# The statement in the guide, in a database with flaws of most kinds
my ($gexec) = slurp_file('doc/lint.md') =~ /^(SELECT remedy .*\\gexec)$/m;
my $open = q{SELECT rule, object FROM cnap_lint() WHERE severity <> 'notice' AND remedy IS NOT NULL};

$node->safe_psql('postgres', 'CREATE DATABASE live; CREATE ROLE visitor LOGIN; CREATE ROLE server LOGIN');
$node->safe_psql('live', q{
	CREATE EXTENSION cnap_org;
	SELECT cnap_trust('server');
	INSERT INTO cnap.workspace (name, owner_id) SELECT 'W', 'carol' FROM generate_series(1, 100);
	CREATE SCHEMA app;
	GRANT USAGE, CREATE ON SCHEMA app, public TO visitor;
	GRANT CREATE ON DATABASE live TO visitor;
	GRANT SET ON PARAMETER session_preload_libraries TO visitor;
	GRANT SELECT ON cnap.workspace TO visitor;
	ALTER ROLE server SET search_path = app, public;
	CREATE TABLE app.project (id serial PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
	INSERT INTO app.project (workspace_id) SELECT id FROM cnap.workspace;
	CREATE TABLE app.task (id serial PRIMARY KEY, project_id int NOT NULL REFERENCES app.project);
	INSERT INTO app.task (project_id) SELECT id FROM app.project;
	CREATE TABLE app.event (workspace_id uuid NOT NULL REFERENCES cnap.workspace, at date) PARTITION BY RANGE (at);
	CREATE TABLE app.event_1 PARTITION OF app.event DEFAULT;
	CREATE TABLE app.document (id serial PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
	SELECT cnap_protect('app.document');
	SELECT cnap_protect('app.event');
	CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
	SET cnap.guard = off;
	DROP POLICY cnap_select_restrictive ON app.document;
	ALTER TABLE app.document NO FORCE ROW LEVEL SECURITY;
	GRANT TRUNCATE ON app.document TO visitor;
	CREATE VIEW app.shown AS SELECT * FROM app.document;
	GRANT SELECT ON app.shown TO visitor;
	CREATE FUNCTION app.all_documents() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM app.document);
	CREATE FUNCTION app.peek(int) RETURNS boolean LANGUAGE plpgsql LEAKPROOF AS 'BEGIN RETURN true; END';
	CREATE FUNCTION app.react() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER react AFTER UPDATE ON cnap.workspace FOR EACH ROW EXECUTE FUNCTION app.react();
	DROP TRIGGER record_change ON cnap.workspace;
	ALTER TABLE cnap.workspace DISABLE TRIGGER before_write;
	ALTER TABLE cnap.workspace DROP CONSTRAINT workspace_management_whole});
cmp_ok($node->safe_psql('live', "SELECT count(DISTINCT rule) FROM ($open) f"), '>', 15, 'flaws of many kinds');

my $rounds = 0;
while ($node->safe_psql('live', $open) ne '' && $rounds++ < 5)
{
	my ($code, undef, $errors) = $node->psql('live', "SET lock_timeout = '30s';\n$gexec", on_error_stop => 1);
	is($code, 0, "round $rounds of the remedies") or diag($errors);
}
is($node->safe_psql('live', $open), '', 'after which none is left');
is($node->safe_psql('live', q{SELECT rule, object FROM cnap_lint() WHERE severity = 'error'}), '', 'nor any error');
is($node->safe_psql('live', 'SELECT (SELECT count(*) FROM app.project), (SELECT count(*) FROM app.task), (SELECT count(*) FROM cnap.workspace)'),
	'100|100|100', 'and every row is still there');
is($node->safe_psql('live', 'SELECT count(*) FILTER (WHERE NOT enforced) FROM cnap_protected_tables()'), '0', 'protected');
$node->safe_psql('postgres', $_) foreach 'DROP DATABASE live', 'DROP OWNED BY visitor, server', 'DROP ROLE visitor, server';

# ---- settings in a configuration file ----

# Changes the configuration, in a session that has the setting defined, and waits for the finding.
sub configure
{
	my ($statement, $found, $name) = @_;

	$node->safe_psql('demo', "SELECT cnap_current_user();\n$statement");
	$node->reload;
	ok($node->poll_query_until('demo', $findings, $found), $name);
}

configure(q{ALTER SYSTEM SET cnap.claims_setting = 'request.jwt.claims'},
	'warning|claims_enabled|configuration of the server'
	  . '|anyone who can execute arbitrary SQL can set request.jwt.claims and so act as any user'
	  . q{|ALTER SYSTEM SET cnap.claims_setting = '';},
	'claims turned on by a configuration file are found');
configure($node->safe_psql('demo', 'SELECT remedy FROM cnap_lint()'),
	'', 'and no longer, when the remedy has been executed');
configure(q{ALTER SYSTEM SET log_statement = 'all'},
	'warning|tokens_logged|configuration of the server|log_statement is all, so tokens in statements are logged|',
	'so is logging of statements, and thereby of tokens');
configure('ALTER SYSTEM RESET log_statement', '', 'and no longer, when that has been ended');
configure('ALTER SYSTEM SET session_replication_role = replica',
	'error|triggers_off|configuration of the server'
	  . '|session_replication_role is replica, so ordinary triggers do not fire: changes are neither checked nor audited'
	  . '|ALTER SYSTEM SET session_replication_role = origin;',
	'triggers turned off by a configuration file are found');
configure($node->safe_psql('demo', 'SELECT remedy FROM cnap_lint()'),
	'', 'and no longer, when the remedy has been executed');

$node->stop;
done_testing();
