# The identity cannot be set in a configuration file, where it would apply to everybody; and the
# settings of a session are in force even if the library is first loaded in a parallel query
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $who = q{SELECT coalesce(cnap_current_user(), 'nobody');};
my $node = new_node('main', '');
populate($node, 'postgres');
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN; CREATE ROLE anna LOGIN;');

# in a session that has loaded the library, and in one that has not
foreach my $first ($who, 'SELECT 1;')
{
	$node->psql('postgres', "$first ALTER SYSTEM SET cnap.user_id = 'ann';");
	$node->reload;
	is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]), 'nobody', 'not by ALTER SYSTEM');
}
$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');

$node->append_conf('postgresql.conf', "cnap.user_id = 'ann'");
$node->reload;
is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]), 'nobody', 'not by postgresql.conf');
is($node->safe_psql('postgres', $who), 'nobody', 'nor for a superuser');
$node->restart;
is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]), 'nobody', 'nor after a restart');
$node->append_conf('postgresql.conf', "session_preload_libraries = 'cnap_org'");
$node->reload;
is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]), 'nobody', 'nor with the library preloaded');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cnap_org'");
ok(!$node->restart(fail_ok => 1) || $node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]) eq 'nobody',
	'nor for the whole server');
$node->adjust_conf('postgresql.conf', 'cnap.user_id', undef);
$node->restart;

# if the library is preloaded, nothing can be forged before the first call
my ($status, $out, $err) = $node->psql('postgres', "SET cnap.user_id = 'ann'; $who",
	extra_params => [ '-U', 'plain' ]);
like($err, qr/permission denied to set parameter "cnap.user_id"/, 'preloaded, SET is refused at once');
$node->connect_fails($node->connstr('postgres') . " user=plain options='-c cnap.user_id=ann'",
	'as are the options of a connection', expected_stderr => qr/permission denied to set parameter/);

# the ways for a DBA to set it
$node->safe_psql('postgres', "SELECT cnap_set_role_user('anna', 'anna')");
is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'anna' ]), 'anna', 'cnap_set_role_user() gives a person an identity');
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', undef);
$node->adjust_conf('postgresql.conf', 'session_preload_libraries', undef);
$node->restart;
is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'anna' ]), 'anna', 'preloaded or not');
is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]), 'nobody', 'and nobody else');

# ALTER ROLE and ALTER DATABASE give one only to those who may set it themselves
$node->safe_psql('postgres', "ALTER ROLE plain SET cnap.user_id = 'ann'; ALTER DATABASE postgres SET cnap.user_id = 'ann'");
foreach my $preload ('', 'session_preload_libraries', 'shared_preload_libraries')
{
	if ($preload)
	{
		$node->append_conf('postgresql.conf', "$preload = 'cnap_org'");
		$node->restart;
	}
	is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'plain' ]), 'nobody', "a default value does not count: $preload");
	is($node->safe_psql('postgres', "SELECT cnap_create_workspace('Mine') \\g /dev/null\n$who"), 'ann', "it does for a superuser: $preload");
	is($node->safe_psql('postgres', $who, extra_params => [ '-U', 'anna' ]), 'anna',
		"where it does not count, the role's user does: $preload");
	$node->adjust_conf('postgresql.conf', $preload, undef) if $preload;
}
$node->restart;
$node->safe_psql('postgres', "ALTER ROLE plain RESET cnap.user_id; ALTER DATABASE postgres RESET cnap.user_id");

# ---- the library is first loaded in a parallel query ----

$node->safe_psql('postgres', <<'END');
CREATE TABLE many AS SELECT 1 AS one FROM generate_series(1, 1000);
GRANT SELECT ON many TO PUBLIC;
CREATE FUNCTION person(one integer) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$ BEGIN RETURN coalesce(cnap_current_user(), 'nobody'); END $$;
END

# Executes a query with a parallel plan as a role, which is to be anna, and tells who is the current
# user after that.
sub in_parallel
{
	my ($role, $query, $leads) = @_;
	my ($code, $out, $error) = $node->psql('postgres', <<"END", extra_params => [ '-U', $role, '-q' ], on_error_stop => 0);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = $leads;
$query;
$who
SHOW cnap.notify;
SHOW cnap.max_staleness;
END
	return ($out, $error);
}

# minor releases from before November 2024 lose these settings, unless the library is preloaded
my %knows_how = (15 => 9, 16 => 5, 17 => 1);
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
if ($version % 10000 < ($knows_how{ int($version / 10000) } // 0))
{
	$node->append_conf('postgresql.conf', "session_preload_libraries = 'cnap_org'");
	$node->reload;
}

my $superuser = getpwuid($<);
$node->safe_psql('postgres', "ALTER ROLE \"$superuser\" SET cnap.user_id = 'anna'");
$node->safe_psql('postgres', "ALTER ROLE \"$superuser\" SET cnap.notify = on");
$node->safe_psql('postgres', "ALTER ROLE anna SET cnap.notify = on");
$node->safe_psql('postgres', "ALTER DATABASE postgres SET cnap.max_staleness = '5s'");
foreach my $role ('anna', $superuser)
{
	my ($out, $error) = in_parallel($role, "SELECT person(one), count(*) FROM many GROUP BY 1", 'off');
	is($out, "anna|1000\nanna\non\n5s", "$role is anna in workers");
	($out, $error) = in_parallel($role, "SELECT DISTINCT person(one) FROM many", 'on');
	is($out, "anna\nanna\non\n5s", "$role is anna in all processes");
	($out, $error) = in_parallel($role,
		"SELECT count(*) FROM many WHERE one < (SELECT count(*) FROM cnap_organization_members('$ACME'))", 'on');
	like($error, qr/ERROR: +organization "$ACME" does not exist/, "$role has the rights of anna");
	is($out, "anna\non\n5s", "$role is anna after that");
}

# what an ordinary role has set before is still discarded
my $token = act_as($node, 'postgres', 'ann', q{SELECT FROM cnap_create_access_token('Token'); SELECT id FROM cnap_access_tokens();});
foreach my $forged ("cnap.user_id = 'anna'", "cnap.session_token = '$token'", "cnap.claims_setting = 'my.claims'")
{
	my ($out, $error) = in_parallel('plain', qq{SET my.claims = '{"sub": "anna"}'; SET $forged; SELECT DISTINCT person(one) FROM many}, 'on');
	is($out, "nobody\nnobody\noff\n5s", "SET $forged has no effect in a parallel query");
	like($error, qr/permission denied to set parameter/, 'and leads to a warning');
}

$node->stop;
done_testing();
