#
# attack_identity.pl: ordinary roles that try to be another user
#
# All ways in which SQL can set a variable, before the library is loaded, after it, and where it is
# loaded at the start of the session; what comes with the connection; and the session of a trusted
# role in the hands of another role.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

my $node = new_world('main', '');
my $admin = connect_to($node, undef, 'CREATE ROLE landlord LOGIN', 'CREATE ROLE hr LOGIN CREATEROLE',
	'CREATE DATABASE house OWNER landlord', "GRANT plain TO cnap_app",
	q{CREATE FUNCTION app.of_trusted() RETURNS text LANGUAGE sql SET cnap.user_id = 'erin' RETURN cnap_current_user()},
	'ALTER FUNCTION app.of_trusted() OWNER TO cnap_app');

my $set = "SET cnap.user_id = 'erin'";
my $set_local = "SET LOCAL cnap.user_id = 'erin'";
my $config = "set_config('cnap.user_id', 'erin', false)";
my $config_local = "set_config('cnap.user_id', 'erin', true)";

# Attempts of a session, with whatever role it has at the time
my @attempts = (
	'nothing at all' => 'SELECT 1',
	'SET' => $set,
	'SET SESSION' => "SET SESSION cnap.user_id TO 'erin'",
	'SET LOCAL in no transaction block' => $set_local,
	'SET LOCAL in a transaction' => [ 'BEGIN', $set_local ],
	'SET in a transaction' => [ 'BEGIN', $set ],
	'SET in a transaction that commits' => [ 'BEGIN', $set, 'COMMIT' ],
	'SET in a transaction that is rolled back' => [ $set, 'BEGIN', $set, 'ROLLBACK' ],
	'SET in capitals' => q{SET CNAP.USER_ID = 'erin'},
	'SET in quoted capitals' => q{SET "CNAP.User_Id" = 'erin'},
	'SET of a list' => q{SET cnap.user_id = 'erin', 'erin'},
	'SET of an identifier' => 'SET cnap.user_id = erin',
	'SET FROM CURRENT of a variable that the library has' => [ 'SET cnap.user_id = DEFAULT', $set ],
	'SET, RESET' => [ $set, 'RESET cnap.user_id' ],
	'SET, RESET ALL' => [ $set, 'RESET ALL' ],
	'SET, DISCARD ALL' => [ $set, 'DISCARD ALL' ],
	'RESET' => 'RESET cnap.user_id',
	'RESET ALL' => 'RESET ALL',
	'DISCARD ALL' => 'DISCARD ALL',
	'RESET ALL between two SET' => [ $set, 'RESET ALL', $set ],
	'set_config()' => "SELECT $config",
	'set_config() for the transaction' => "SELECT $config_local",
	'set_config() in a transaction' => [ 'BEGIN', "SELECT $config" ],
	'set_config() for the transaction, in a transaction' => [ 'BEGIN', "SELECT $config_local" ],
	'set_config() in a prepared statement' => [ "PREPARE p AS SELECT $config", 'EXECUTE p' ],
	'set_config() in WHERE' => "SELECT FROM app.deployment WHERE $config_local IS NOT NULL",
	'set_config() in a query before the rows' =>
	  "WITH s AS MATERIALIZED (SELECT $config_local v) SELECT note FROM s, app.deployment WHERE v <> ''",
	'set_config() in a default' => [ "CREATE TEMP TABLE t (a int, b text DEFAULT $config)", 'INSERT INTO t VALUES (1)' ],
	'set_config() in a constraint' =>
	  [ "CREATE TEMP TABLE t (a int CHECK ($config <> ''))", 'INSERT INTO t VALUES (1)' ],
	'set_config() in a view' => [ "CREATE TEMP VIEW v AS SELECT $config AS c", 'TABLE pg_temp.v' ],
	'set_config() in a cursor' => [ 'BEGIN', "DECLARE c CURSOR WITH HOLD FOR SELECT $config", 'FETCH c', 'COMMIT', 'FETCH c' ],
	'set_config() in COPY' => "COPY (SELECT $config) TO STDOUT",
	'set_config() in an index' => [
		"CREATE FUNCTION pg_temp.f(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS \$\$BEGIN RETURN $config; END\$\$",
		'CREATE TEMP TABLE t (a int)', 'CREATE INDEX ON t (pg_temp.f(a))', 'INSERT INTO t VALUES (1)', 'ANALYZE t' ],
	'set_config() in a trigger' => [
		"CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN PERFORM $config; RETURN NEW; END\$\$",
		'CREATE TEMP TABLE t (a int)',
		'CREATE CONSTRAINT TRIGGER f AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.f()',
		'INSERT INTO t VALUES (1)' ],
	'set_config() in a rule' => [ 'CREATE TEMP TABLE t (a int)',
		"CREATE RULE r AS ON INSERT TO t DO ALSO SELECT $config", 'INSERT INTO t VALUES (1)' ],
	'a function with a SET clause' => [
		qq{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql $set AS 'SELECT note FROM app.deployment'}, 'SELECT pg_temp.f()' ],
	'a function that gets its SET clause later' => [
		q{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS 'SELECT cnap_current_user()'},
		"ALTER FUNCTION pg_temp.f() $set", 'SELECT pg_temp.f()' ],
	'a function with SET FROM CURRENT' => [ $set,
		q{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET cnap.user_id FROM CURRENT AS 'SELECT cnap_current_user()'},
		'SELECT pg_temp.f()' ],
	'a procedure with a SET clause' => [
		qq{CREATE PROCEDURE pg_temp.p() LANGUAGE plpgsql $set AS 'BEGIN END'}, 'CALL pg_temp.p()' ],
	'a procedure that commits' => [
		"CREATE PROCEDURE pg_temp.p() LANGUAGE plpgsql AS \$\$BEGIN PERFORM $config_local; COMMIT; END\$\$",
		'CALL pg_temp.p()' ],
	"a trusted role's function with a SET clause" => 'SELECT app.of_trusted()',
	'a DO block' => "DO \$\$BEGIN $set; END\$\$",
	'a DO block with SET LOCAL' => [ 'BEGIN', "DO \$\$BEGIN $set_local; END\$\$" ],
	'a DO block that goes on after the error' =>
	  [ 'BEGIN', "DO \$\$BEGIN BEGIN $set; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM cnap_current_user(); END\$\$" ],
	'a DO block with EXECUTE' => "DO \$\$BEGIN EXECUTE 'SET cnap.user_id = erin'; END\$\$",
	'a savepoint rolled back' => [ 'BEGIN', $set, 'SAVEPOINT s', $set_local, 'ROLLBACK TO s' ],
	'a savepoint released' => [ 'BEGIN', 'SAVEPOINT s', $set_local, 'RELEASE s' ],
	'savepoints below each other' =>
	  [ $set, 'BEGIN', $set_local, 'SAVEPOINT a', $set, 'SAVEPOINT b', $set_local, 'ROLLBACK TO b', 'ROLLBACK TO a' ],
	'a savepoint in which the library is loaded' =>
	  [ 'BEGIN', $set, 'SAVEPOINT s', 'SELECT cnap_current_user()', 'ROLLBACK TO s' ],
	'a transaction in which the library is loaded' => [ $set, 'BEGIN', 'SELECT cnap_current_user()', 'ROLLBACK' ],
	'an error in the middle' => [ $set, 'SELECT 1/0' ],
	'an error in the middle of a transaction' => [ 'BEGIN', $set, 'SELECT 1/0', 'ROLLBACK' ],
	'an error back to a savepoint' => [ 'BEGIN', $set, 'SAVEPOINT s', 'SELECT cnap_current_user()/0', 'ROLLBACK TO s' ],
	'statements in one message' => "$set; SELECT note FROM app.deployment; SELECT $config_local; SELECT note FROM app.deployment",
	'UPDATE of pg_settings' => q{UPDATE pg_settings SET setting = 'erin' WHERE name = 'cnap.user_id'},
	'UPDATE of pg_settings in a transaction' => [ $set, 'BEGIN', q{UPDATE pg_settings SET setting = 'erin' WHERE name LIKE 'cnap.%'} ],
	'INSERT into pg_db_role_setting' =>
	  q{INSERT INTO pg_db_role_setting SELECT 0, oid, '{cnap.user_id=erin}' FROM pg_roles WHERE rolname = 'plain'},
	'ALTER SYSTEM' => q{ALTER SYSTEM SET cnap.user_id = 'erin'},
	'GRANT SET ON PARAMETER' => [ 'GRANT SET ON PARAMETER cnap.user_id TO plain', $set ],
	'GRANT SET ON PARAMETER to PUBLIC' => [ 'GRANT SET ON PARAMETER cnap.user_id TO PUBLIC', $set ],
	'cnap_trust()' => [ q{SELECT cnap_trust('plain')}, $set ],
	'GRANT of a trusted role' => [ 'GRANT cnap_app TO plain', $set ],
	'LOAD' => [ $set, q{LOAD 'cnap_org'}, q{LOAD '$libdir/cnap_org'} ],
	'preloading by oneself' =>
	  [ q{SET session_preload_libraries = 'cnap_org'}, q{SET local_preload_libraries = 'cnap_org'}, $set ],
	'a function in C' => q{CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE C AS 'cnap_org', '_PG_init'},
	'another setting of the prefix' => [ q{SET cnap.userid = 'erin'}, q{SET cnap.current_user = 'erin'}, q{SET "cnap.user_id " = 'erin'} ],
	'a setting below the setting' => q{SET cnap.user_id.x = 'erin'},
);

# Attempts that are none where the role of the session is trusted
my @role_attempts = (
	'ALTER ROLE of oneself' => [ "ALTER ROLE plain $set", '\c' ],
	'ALTER ROLE CURRENT_USER' => [ "ALTER ROLE CURRENT_USER $set", '\c' ],
	'ALTER ROLE IN DATABASE' => [ "ALTER ROLE plain IN DATABASE postgres $set", '\c' ],
	'ALTER ROLE ALL' => [ "ALTER ROLE ALL $set", '\c' ],
	'ALTER DATABASE' => [ "ALTER DATABASE postgres $set", '\c' ],
	'SET ROLE' => [ 'SET ROLE cnap_app', $set ],
	'SET role as a variable' => [ q{SELECT set_config('role', 'cnap_app', false)}, $set ],
	'SET SESSION AUTHORIZATION' => [ 'SET SESSION AUTHORIZATION cnap_app', $set ],
);

attempt_all('before the library is loaded', sub { connect_to($node, 'plain') }, @attempts, @role_attempts);
attempt_all('after', connect_to($node, 'plain', 'SELECT cnap_current_user()'), @attempts, @role_attempts);

# ---- the session of a trusted role, handed to another by SET ROLE ----
#
# SET ROLE takes no rights from a session for good: by RESET ROLE it is the trusted role's again. It
# is no way to let somebody send SQL. Until then, the other role can become nobody.

sub handed_over
{
	my ($state, @first) = @_;
	my $session = connect_to($node, 'cnap_app');

	$session->{first} = [ @first, 'SET ROLE plain' ];
	$session->{state} = $state;
	return $session;
}

my @mia = ("mia sees one,two, reaches $W1,$W2", "SET cnap.user_id = 'mia'");
attempt_all('SET ROLE by mia, before the library is loaded', sub { handed_over(@mia) }, @attempts);
attempt_all('SET ROLE by mia, after', handed_over(@mia, 'SELECT cnap_current_user()'), @attempts);
attempt_all('SET ROLE by nobody, after', handed_over($NOBODY, 'SELECT cnap_current_user()'), @attempts);

# ---- with the connection ----

sub over_wire
{
	my ($title, %parameters) = @_;
	my $wire = eval { CnapAttack::Wire->new($node, user => 'plain', %parameters) };
	my $who = 'refused';

	if ($wire && $wire->{sqlstate} eq '00000')
	{
		$who = $wire->query('SELECT coalesce(cnap_current_user(), $$nobody$$)');
	}
	like($who, qr/^(refused|nobody)$/, $title);
	return;
}

foreach my $preload ('', 'session_preload_libraries')
{
	my $when = $preload ? 'with the library preloaded' : 'without the library';

	$admin->query("ALTER ROLE plain SET $preload = 'cnap_org'") if $preload;
	foreach my $options ('-c cnap.user_id=erin', '--cnap.user_id=erin', '-c CNAP.USER_ID=erin',
		'-c cnap.user_id=erin -c cnap.user_id=erin', '-c role=cnap_app -c cnap.user_id=erin',
		'-c session_authorization=cnap_app -c cnap.user_id=erin', '-c is_superuser=on -c cnap.user_id=erin',
		'-c session_preload_libraries=cnap_org -c cnap.user_id=erin',
		'-c local_preload_libraries=cnap_org -c cnap.user_id=erin')
	{
		over_wire("PGOPTIONS $options, $when", options => $options);
	}
	over_wire("startup packet, $when", 'cnap.user_id' => 'erin');
	over_wire("startup packet in capitals, $when", 'CNAP.USER_ID' => 'erin');
	over_wire("startup packet with the parameter twice, $when", 'cnap.user_id' => 'erin', 'Cnap.User_id' => 'erin');
	over_wire("startup packet of a replication connection, $when", 'cnap.user_id' => 'erin', replication => 'database');
	attempt_all($when, connect_to($node, 'plain'), @attempts) if $preload;
}
$admin->query('ALTER ROLE plain RESET session_preload_libraries');
is(CnapAttack::Wire->new($node, user => 'cnap_app', 'cnap.user_id' => 'erin')->query('SELECT cnap_current_user()'),
	'erin', '(a trusted role can say it in the startup packet)');

# ---- those who own a database, or may create roles ----

$node->safe_psql('house', 'CREATE EXTENSION cnap_org');
foreach my $load ('SELECT 1', 'SELECT cnap_current_user()')
{
	my $session = CnapTest::Session->new($node, user => 'landlord', dbname => 'house');
	$session->query($load);
	refused($session, "ALTER DATABASE by its owner, after $load", "ALTER DATABASE house $set", '42501');
	refused($session, "ALTER ROLE IN DATABASE by its owner, after $load", "ALTER ROLE landlord IN DATABASE house $set", '42501');
	$session->quit;

	$session = connect_to($node, 'hr', $load);
	refused($session, "ALTER ROLE by somebody who may create roles, after $load", "ALTER ROLE plain $set", '42501');
	refused($session, "ALTER ROLE of a role of one's own, after $load", "BEGIN; CREATE ROLE own; ALTER ROLE own $set", '42501');
	$session->quit;
}
is($admin->query('SELECT count(*) FROM pg_db_role_setting'), 0, 'nothing of all this is left in the catalog');
is($admin->query(q(SELECT string_agg(grantee::regrole::text, ',') FROM pg_parameter_acl, aclexplode(paracl)
	WHERE parname LIKE 'cnap%' AND grantee <> 10)), 'cnap_app', 'and no right to the setting is');
is($admin->query('SHOW cnap.user_id'), '', 'nor is the setting changed');

$node->stop;
done_testing();
