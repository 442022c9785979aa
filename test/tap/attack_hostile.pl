#
# attack_hostile.pl: objects and settings of an attacker who wants to be mistaken for another user
#
# mallory can create schemas, and objects in the schema public, as by default before PostgreSQL 15.
# She has created look-alikes of tables, types, functions and operators before the extension was
# created, adds more beside its functions afterwards, and calls these with a search path, temporary
# tables and settings of her choice.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

my $look_alikes = "$FindBin::RealBin/../../sql/include/look_alikes.sql";
my $node = new_node('main', '');
my $admin = connect_to($node, undef, 'CREATE ROLE mallory LOGIN', 'GRANT CREATE ON DATABASE postgres TO mallory',
	'GRANT CREATE ON SCHEMA public TO mallory');
my $mallory = connect_to($node, 'mallory', "\\i $look_alikes", '\set ECHO none');

# ---- before CREATE EXTENSION ----

# Creates the extension where an object of hers conflicts, and reports with which error that fails.
sub stands_in_the_way
{
	my ($attempt, $create, $drop, $sqlstate) = @_;

	$mallory->query($create);
	refused($admin, "before the extension: $attempt", 'CREATE EXTENSION cnap_org', $sqlstate);
	$mallory->query($drop);
	return;
}

stands_in_the_way('the schema cnap', 'CREATE SCHEMA cnap', 'DROP SCHEMA cnap', '42P06');
stands_in_the_way('the schema cnap with a table in it', 'CREATE SCHEMA cnap CREATE TABLE workspace (id uuid)',
	'DROP SCHEMA cnap CASCADE', '42P06');
foreach my $function ('cnap_can_access(uuid)', 'cnap_can_access(text)', 'cnap_current_user()',
	'cnap_has_permission(uuid, text)', 'cnap_something()')
{
	stands_in_the_way("the function $function", "CREATE FUNCTION public.$function RETURNS boolean LANGUAGE sql RETURN true",
		"DROP FUNCTION public.$function", '42723');
}
stands_in_the_way('a procedure', 'CREATE PROCEDURE public.cnap_can_access(uuid) LANGUAGE sql BEGIN ATOMIC END',
	'DROP PROCEDURE public.cnap_can_access(uuid)', '42723');
refused($mallory, 'before the extension: making it oneself', 'CREATE EXTENSION cnap_org', '42501');
is($admin->query(q{SELECT count(*) FROM pg_namespace WHERE nspname = 'cnap'}), 0, 'nothing is left of the failed attempts');

$mallory->query(q{
	CREATE TYPE public.role AS ENUM ('owner');
	CREATE TYPE public.permission AS ENUM ('access');
	CREATE DOMAIN public.user_id AS text;
	CREATE TABLE public.workspace (id uuid);
	CREATE TABLE public.organization (id uuid);
	CREATE TABLE public.audit_log (id uuid)});
$admin->query('SET search_path = evil, pg_temp, pg_catalog, public; SET client_min_messages = error');
$admin->query('SELECT evil.make_temporary()');
refused($admin, '(they do raise an error)', 'SELECT now()', 'P0001');
my $rests_on = q{
	SELECT pg_catalog.count(*) FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_depend e ON e.classid OPERATOR(pg_catalog.=) d.classid AND e.objid OPERATOR(pg_catalog.=) d.objid
	WHERE e.deptype OPERATOR(pg_catalog.=) 'e' AND e.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
		AND pg_catalog.pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) OPERATOR(pg_catalog.~) '(evil|pg_temp|public\.[a-bd-z])'};
$admin->query('CREATE EXTENSION cnap_org SCHEMA public');
is($admin->query($rests_on), 0, 'CREATE EXTENSION with look-alikes in front of the search path: nothing rests on them');
$admin->query('DROP EXTENSION cnap_org');
$admin->quit;
$admin = connect_to($node, undef);
settle($node);
is($admin->query($rests_on), 0, 'CREATE EXTENSION with look-alikes in public');

# ---- beside the functions, afterwards ----

my %overloads = (
	'cnap_has_permission(uuid, varchar)' => 'boolean',
	'cnap_has_permission(uuid, name)' => 'boolean',
	'cnap_has_permission(uuid, anyenum)' => 'boolean',
	'cnap_has_permission(uuid, text, integer DEFAULT 1)' => 'boolean',
	'cnap_has_permission(uuid, VARIADIC text[])' => 'boolean',
	'cnap_has_permission(anyelement, text)' => 'boolean',
	'cnap_can_access(text)' => 'boolean',
	'cnap_can_access(anyelement)' => 'boolean',
	'cnap_can_access(uuid, integer DEFAULT 1)' => 'boolean',
	'cnap_can_access(VARIADIC uuid[])' => 'boolean',
	'cnap_current_user(integer DEFAULT 1)' => 'text');
$mallory->query(q{
	CREATE TYPE evil.key AS (id uuid);
	CREATE FUNCTION evil.key_is_uuid(evil.key) RETURNS uuid LANGUAGE sql RETURN $1.id;
	CREATE CAST (evil.key AS uuid) WITH FUNCTION evil.key_is_uuid(evil.key) AS IMPLICIT});
refused($mallory, "a cast between PostgreSQL's types and ours", 'CREATE CAST (integer AS cnap.user_id) WITH INOUT AS IMPLICIT', '42501');

# The owner of a table protects it, with her path or with his own. The policies call the checks, or
# there are none because PostgreSQL cannot tell which function is meant.
$admin->query('CREATE ROLE dev LOGIN; CREATE SCHEMA dev AUTHORIZATION dev');
foreach my $path ('public, dev', 'evil, pg_temp, pg_catalog, public')
{
	my $dev = connect_to($node, 'dev', "SET search_path = $path", 'SELECT evil.make_temporary()');
	foreach my $overload (sort keys %overloads)
	{
		$mallory->query("CREATE FUNCTION public.$overload RETURNS $overloads{$overload} LANGUAGE plpgsql AS 'BEGIN PERFORM evil.trap(); END'");
		foreach my $write ('access', 'administer')
		{
			$dev->query("CREATE TABLE dev.workspace (workspace_id pg_catalog.uuid, other_id pg_catalog.uuid)");
			$dev->attempt("SELECT public.cnap_protect('dev.workspace', write_permission => '$write')");
			is($admin->query(q{
				SELECT string_agg(DISTINCT d.refobjid::regprocedure::text, ' ')
				FROM pg_depend d JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
				WHERE p.polrelid = 'dev.workspace'::regclass AND d.refclassid = 'pg_proc'::regclass}),
				$dev->{sqlstate} eq '42725' ? '' : 'cnap_can_access(uuid)' . ($write eq 'access' ? '' : ' cnap_has_permission(uuid,text)'),
				"cnap_protect() for $write with $overload beside the checks, path $path");
			$dev->query('DROP TABLE dev.workspace');
		}
		$mallory->query('DROP FUNCTION public.' . ($overload =~ s/ DEFAULT 1//r));
	}
	$dev->quit;
}

# ---- objects of others ----

my $session = connect_to($node, 'mallory');
my @refused = (
	'CREATE OR REPLACE FUNCTION public.cnap_can_access(workspace uuid) RETURNS boolean LANGUAGE sql RETURN true' => '42501',
	'DROP FUNCTION public.cnap_can_access(uuid)' => '42501',
	'ALTER FUNCTION public.cnap_can_access(uuid) RENAME TO cnap_had_access' => '42501',
	'ALTER FUNCTION public.cnap_can_access(uuid) SET SCHEMA evil' => '42501',
	'ALTER FUNCTION public.cnap_can_access(uuid) OWNER TO mallory' => '42501',
	'ALTER FUNCTION public.cnap_can_access(uuid) LEAKPROOF' => '42501',
	q{ALTER FUNCTION public.cnap_can_access(uuid) SET cnap.user_id = 'erin'} => '42501',
	'GRANT EXECUTE ON FUNCTION public.cnap_can_access(text, uuid) TO mallory' => '42501',
	'ALTER EXTENSION cnap_org DROP FUNCTION public.cnap_can_access(uuid)' => '42501',
	'ALTER EXTENSION cnap_org ADD FUNCTION public.cnap_can_access(text)' => '42501',
	'DROP EXTENSION cnap_org' => '42501',
	'DROP EXTENSION cnap_org CASCADE' => '42501',
	'DROP SCHEMA cnap CASCADE' => '42501',
	'ALTER SCHEMA cnap RENAME TO old' => '42501',
	'CREATE TABLE cnap.mine ()' => '42501',
	'CREATE FUNCTION cnap.reachable(text) RETURNS uuid[] LANGUAGE sql RETURN NULL' => '42501',
	'ALTER DOMAIN cnap.user_id DROP CONSTRAINT user_id_format' => '42501',
	'ALTER TABLE cnap.workspace ENABLE ROW LEVEL SECURITY' => '42501',
	'ALTER TABLE cnap.workspace DISABLE TRIGGER ALL' => '42501',
	'CREATE INDEX ON cnap.workspace (name)' => '42501',
	'CREATE RULE r AS ON INSERT TO cnap.workspace DO INSTEAD NOTHING' => '42501',
	'CREATE POLICY p ON cnap.workspace USING (true)' => '42501',
	'CREATE TABLE evil.child () INHERITS (cnap.workspace)' => '42501',
	'CREATE PUBLICATION p FOR TABLE cnap.workspace' => '42501',
	'COMMENT ON TABLE cnap.workspace IS NULL' => '42501',
	'ALTER TABLE app.deployment DISABLE ROW LEVEL SECURITY' => '42501',
	'ALTER TABLE app.deployment NO FORCE ROW LEVEL SECURITY' => '42501',
	'CREATE POLICY open ON app.deployment USING (true)' => '42501',
	'ALTER POLICY cnap_select_restrictive ON app.deployment USING (true)' => '42501',
	'DROP POLICY cnap_select_restrictive ON app.deployment' => '42501',
	q{SELECT cnap_protect('app.deployment', 'id')} => '42501',
	q{SELECT cnap_unprotect('app.deployment')} => '42501',
	q{SELECT cnap_unprotect('cnap.workspace')} => '42809',
	q{SELECT cnap_protect('pg_catalog.pg_class')} => '42501',
	'CREATE TABLE evil.child () INHERITS (app.deployment)' => '42501',
	'CREATE VIEW evil.v AS SELECT * FROM app.deployment; TABLE evil.v' => '42501',
	'CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION evil.record_change()' => '42501',
	'CREATE OPERATOR CLASS evil.c DEFAULT FOR TYPE uuid USING btree AS OPERATOR 1 <' => '42501',
	'ALTER ROLE mallory BYPASSRLS' => '42501',
	'SET session_replication_role = replica' => '42501',
	'SET allow_system_table_mods = on' => '42501');
$session->query('GRANT USAGE ON SCHEMA evil TO PUBLIC');
$admin->query('GRANT USAGE ON SCHEMA app TO mallory');
while (my ($statement, $sqlstate) = splice @refused, 0, 2)
{
	refused($session, $statement, "BEGIN; $statement", $sqlstate);
}
$session->quit;

# ---- the schema of the extension's functions is hers ----

$admin->query('CREATE DATABASE theirs; GRANT CREATE ON DATABASE theirs TO mallory');
my $owner = CnapTest::Session->new($node, user => 'mallory', dbname => 'theirs');
$owner->query('CREATE SCHEMA shop');
$node->safe_psql('theirs', q{
	CREATE EXTENSION cnap_org SCHEMA shop;
	CREATE TABLE public.t AS SELECT shop.cnap_create_workspace('theirs', owner => 'erin') AS workspace_id;
	SELECT shop.cnap_protect('public.t');
	CREATE POLICY open ON public.t USING (true);
	GRANT SELECT ON public.t TO mallory});
foreach my $statement ('DROP SCHEMA shop', 'DROP SCHEMA shop CASCADE', 'DROP SCHEMA IF EXISTS nothing, shop CASCADE',
	'DROP OWNED BY mallory CASCADE', 'DROP OWNED BY CURRENT_USER CASCADE', 'DROP FUNCTION shop.cnap_can_access(uuid) CASCADE',
	'DROP ROUTINE shop.cnap_can_access CASCADE', q{DO $$ BEGIN EXECUTE 'DROP SCHEMA shop CASCADE'; END $$}, 'BEGIN; DROP SCHEMA shop CASCADE; COMMIT',
	'ALTER FUNCTION shop.cnap_can_access(uuid) SET SCHEMA public',
	'ALTER SCHEMA shop RENAME TO store', 'DROP SCHEMA store CASCADE')
{
	$owner->attempt($statement);
	$owner->attempt('ROLLBACK');
	is($owner->query('SELECT count(*) FROM public.t'), 0, "by the owner of the schema: $statement");
	is($node->safe_psql('theirs', q{SELECT count(*) FROM pg_policy WHERE polname LIKE 'cnap%restrictive'}), 4, 'and the policies are there');
}
$owner->quit;

# ---- every function, called in a hostile session ----
#
# The answers must be those of an ordinary session. The look-alikes would raise an error, whatever
# the privileges with which they are executed.

my $quiet_path = 'SET search_path = pg_catalog, pg_temp';
my %environments = (
	'her search path and temporary tables' =>
	  [ 'SELECT evil.make_temporary()', 'SET search_path = evil, pg_temp, pg_catalog, public' ],
	'temporary tables first' => [ 'SELECT evil.make_temporary()', 'SET search_path = pg_temp, public, evil' ],
	'no search path' => [q{SET search_path = ''}],
	'planner settings' => [ map { "SET enable_$_ = off" } qw(seqscan indexscan indexonlyscan bitmapscan hashjoin nestloop mergejoin sort) ],
	'settings of the parser' => [ 'SET transform_null_equals = on',
		(major_version($node) < 19 ? 'SET standard_conforming_strings = off' : ()),
		'SET quote_all_identifiers = on', 'SET array_nulls = off', 'SET row_security = off' ],
	'small settings' => [ q{SET work_mem = '64kB'}, 'SET cnap.cache_size = 64', 'SET from_collapse_limit = 1',
		q{SET temp_buffers = '800kB'}, 'SET plan_cache_mode = force_custom_plan' ],
	'formats' => [ q{SET datestyle = 'Postgres, DMY'}, q{SET intervalstyle = 'sql_standard'}, q{SET timezone = 'Pacific/Kiritimati'},
		q{SET bytea_output = 'escape'}, 'SET extra_float_digits = -15', q{SET xmloption = 'content'}, q{SET lc_numeric = 'C'} ],
	'an encoding' => [q{SET client_encoding = 'SQL_ASCII'}]);

# What the calls return for a user: an SQLSTATE, and the number of rows
sub results
{
	my ($person, $calls, @environment) = @_;
	my $session = connect_to($node, 'cnap_app', "SET cnap.user_id = '$person'", 'SET client_min_messages = error', @environment);
	my %result;

	for (my $i = 0; $i < @$calls; $i += 2)
	{
		$session->query('BEGIN');
		my $output = $session->attempt($calls->[ $i + 1 ]);
		$result{ $calls->[$i] } = $session->{sqlstate} . ' ' . ($output =~ tr/\n//) . ($output =~ /^[tf]?$/ ? " $output" : ' ...');
		$session->query('ROLLBACK');
	}
	$session->quit;
	return \%result;
}

foreach my $person (
	[ 'carol', role => "'member'" ],
	[ 'ann', user_id => "'mia'", role => "'owner'", new_owner => "'mia'" ],
	['nobody-knows'])
{
	my ($name, %values) = @$person;
	my $token = act_as($node, 'postgres', $name, q{SELECT cnap_create_access_token('a script')});
	my $token_id = $admin->query("SELECT id FROM cnap.access_token WHERE token_hash = sha256('$token')");
	my $calls = [ calls($node, %values, regclass => "'dev.t'",
			'cnap_authenticate.token' => "'$token'", token_id => "'$token_id'") ];

	$admin->query('DROP TABLE IF EXISTS dev.t; CREATE TABLE dev.t (workspace_id uuid); ALTER TABLE dev.t OWNER TO cnap_app; GRANT USAGE, CREATE ON SCHEMA dev TO cnap_app');
	my $expected = results($name, $calls, $quiet_path);
	my $succeed = grep { /^00000/ } values %$expected;
	cmp_ok($succeed, '>=', $name eq 'carol' ? 30 : 15, "$name: $succeed calls succeed in a quiet session");
	foreach my $environment (sort keys %environments)
	{
		is_deeply(results($name, $calls, @{ $environments{$environment} }), $expected, "$name: every function with $environment");
	}
}

# nor do the triggers use them, when a superuser with such a path writes to the tables
{
	my $super = connect_to($node, undef, 'SET client_min_messages = error', 'SELECT evil.make_temporary()',
		'SET search_path = evil, pg_temp, pg_catalog, public', 'BEGIN');
	foreach my $statement (q{INSERT INTO cnap.workspace (name, owner_id) VALUES ('new', 'zoe')},
		q{UPDATE cnap.workspace SET name = 'other' WHERE id OPERATOR(pg_catalog.=) } . "'$W1'",
		q{UPDATE cnap.organization_member SET role = 'admin' WHERE user_id OPERATOR(pg_catalog.=) 'mia'},
		q{DELETE FROM cnap.workspace_member}, 'DELETE FROM cnap.organization', 'TRUNCATE cnap.workspace CASCADE')
	{
		$super->attempt($statement);
		is($super->{sqlstate}, '00000', "a superuser with her path: $statement");
	}
	$super->quit;
}

$node->stop;
done_testing();
