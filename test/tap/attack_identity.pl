#
# attack_identity.pl: ordinary roles that try to be another user
#
# All ways in which SQL can set a parameter, before the library is loaded, after that, and if it is
# preloaded; connection options; and the session of a trusted role used by another role.
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
	'CREATE DATABASE house OWNER landlord', "GRANT plain TO cnap_app");

my @attempts = attempts_to_set('cnap.user_id', 'erin');
my @role_attempts = attempts_to_set_for_role('cnap.user_id', 'erin');
my $set = "SET cnap.user_id = 'erin'";

attempt_all('before the library is loaded', sub { connect_to($node, 'plain') }, @attempts, @role_attempts);
attempt_all('after', connect_to($node, 'plain', 'SELECT cnap_current_user()'), @attempts, @role_attempts);

# ---- the session of a trusted role, handed to another by SET ROLE ----
#
# SET ROLE does not restrict a session permanently: RESET ROLE makes it the trusted role's again.
# So it does not make it safe to let somebody send SQL. Until then, the other role can end the
# identity, but not change it.

sub handed_over
{
	my ($state, @first) = @_;
	my $session = connect_to($node, 'cnap_app');

	$session->{first} = [ @first, 'SET ROLE plain' ];
	$session->{state} = $state;
	return $session;
}

my @mia = ("mia sees one,two, reaches $W1,$W2,$ASSIGNED,$ACTIVATED", "SET cnap.user_id = 'mia'");
attempt_all('SET ROLE by mia, before the library is loaded', sub { handed_over(@mia) }, @attempts);
attempt_all('SET ROLE by mia, after', handed_over(@mia, 'SELECT cnap_current_user()'), @attempts);
attempt_all('SET ROLE by nobody, after', handed_over($NOBODY, 'SELECT cnap_current_user()'), @attempts);

# ---- by options of the connection ----

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

# ---- roles that own a database, or can create roles ----

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
is($admin->query(q{SELECT coalesce(cnap_current_user(), 'nobody')}), 'nobody', 'nor has a superuser become somebody');

$node->stop;
done_testing();
