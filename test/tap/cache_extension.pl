#
# cache_extension.pl: what a session remembers when the extension is dropped and created again
#
# The extension's tables get new OIDs, by the session itself or by another one, in a transaction
# that is committed or not.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('extension', "lock_timeout = 20s\n");
my $owner = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN',
	"SELECT cnap_trust('app')");

my $workspace = '10000000-0000-4000-8000-000000000001';
my $other = '10000000-0000-4000-8000-000000000002';

# A workspace owned by a user
sub give
{
	my ($user) = @_;
	return "INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$workspace', 'w', '$user')";
}

# Who reaches the workspace, by each check; often enough to be cached
sub who
{
	my ($session) = @_;
	my @who;

	foreach my $user ('ann', 'dora')
	{
		my @answers;
		foreach (1 .. 12)
		{
			push @answers, split /\|/, $session->query("SELECT cnap_can_access('$user', '$workspace'),"
				  . " cnap_workspace_role('$user', '$workspace') IS NOT NULL,"
				  . " '$workspace' = ANY (cnap_accessible_workspaces('$user')),"
				  . " cnap_can_access('$user', '$other')");
		}
		my $answers = join '', @answers;
		push @who, $user if $answers eq 'tttf' x 12;
		push @who, "$user: $answers" if $answers ne 'tttf' x 12 && $answers ne 'ffff' x 12;
	}
	return join ' ', @who;
}

my $recreate = 'DROP EXTENSION cnap_org CASCADE; DROP SCHEMA IF EXISTS cnap CASCADE; CREATE EXTENSION cnap_org;'
  . " SELECT cnap_trust('app') \\g /dev/null\n";

# ---- in the session itself ----

$owner->query(give('ann'));
is(who($owner), 'ann', 'at first');
$owner->query('DROP EXTENSION cnap_org CASCADE');
$owner->attempt("SELECT cnap_can_access('ann', '$workspace')");
is($owner->{sqlstate}, '42883', 'without the extension there is no check');
$owner->query("CREATE EXTENSION cnap_org; SELECT cnap_trust('app')");
is(who($owner), '', 'a new extension knows nobody');
$owner->query(give('dora'));
is(who($owner), 'dora', 'and then whom it is told');

foreach my $end ('ROLLBACK', 'COMMIT')
{
	$owner->query("BEGIN;\n$recreate");
	is(who($owner), '', "$end: nobody in the transaction");
	$owner->query(give('ann'));
	is(who($owner), 'ann', "$end: who was given it in the transaction");
	$owner->query($end);
	is(who($owner), $end eq 'COMMIT' ? 'ann' : 'dora', "$end: afterwards");
}

# ---- behind the session's back ----

{
	my $session = connect_to($node, 'app');
	my $idle = connect_to($node, 'app');

	is(who($_), 'ann', 'another session') foreach $session, $idle;
	$owner->query($recreate);
	is(who($session), '', 'another session: a new extension knows nobody');
	$owner->query(give('dora'));
	is(who($_), 'dora', 'another session: and then whom it is told') foreach $session, $idle;
	$owner->query("UPDATE cnap.workspace SET owner_id = 'ann'");
	is(who($_), 'ann', 'another session: and changes of that') foreach $session, $idle;
	$owner->query("DELETE FROM cnap.workspace");
	is(who($_), '', 'another session: and the end of it') foreach $session, $idle;

	# messages about the new tables, for a session that knows the OIDs of the former ones
	$owner->query(give('dora'));
	is(who($idle), 'dora', 'a session that was idle meanwhile: before');
	$owner->query($recreate);
	$owner->query(give('dora'));
	$owner->query("UPDATE cnap.workspace SET owner_id = 'ann'");
	is(who($idle), 'ann', 'a session that was idle meanwhile: afterwards');

	$owner->query('DROP EXTENSION cnap_org CASCADE');
	$session->attempt("SELECT cnap_can_access('ann', '$workspace')");
	is($session->{sqlstate}, '42883', 'another session: without the extension there is no check');
	$owner->query("CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO app; CREATE EXTENSION cnap_org SCHEMA elsewhere");
	$owner->query("SELECT elsewhere.cnap_trust('app')");
	$owner->query(give('dora'));
	$session->query('SET search_path = elsewhere');
	is(who($session), 'dora', 'another session: the extension in another schema');
}

done_testing();
