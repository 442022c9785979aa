# Access tokens that are limited to some workspaces, to some permissions, or both
#
# The users are those of CnapModel.pm: gus is an admin of $W1, mia manages $W1 as admin and $W2 as
# member. Here gus is also a member of $W2, and owns $OWN. Every answer is asked for in all ways that there are:
# the checks, the lists, the functions about any user, and policies by filter and by index.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapAttack;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $OWN = '00000000-0000-4000-8000-000000000007';
my $UNKNOWN = '00000000-0000-4000-8000-00000000dead';
my $node = new_world('primary', '', allows_streaming => 1);
my $admin = connect_to($node, undef,
	q{SELECT cnap_define_permission('deploy', roles => '{admin}')},
	q{SELECT cnap_define_permission('secrets', roles => '{admin}', delegable => false)},
	qq{INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$OWN', 'Own', 'gus')},
	qq{INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES ('$W2', 'gus', 'member')},
	q{CREATE TABLE app.release (id int, workspace_id uuid NOT NULL, note text)},
	qq{INSERT INTO app.release VALUES (1, '$W1', 'one'), (2, '$W2', 'two'), (3, '$W3', 'three'), (4, '$OWN', 'own')},
	q{INSERT INTO cnap.workspace (id, name, owner_id) SELECT md5(n::text)::uuid, 'W', 'max' FROM generate_series(1, 3000) n},
	q{INSERT INTO app.release SELECT n, md5(n::text)::uuid, 'n' FROM generate_series(1, 3000) n},
	q{CREATE TABLE app.open AS SELECT * FROM app.release},
	q{CREATE INDEX ON app.release (workspace_id)},
	q{CREATE INDEX ON app.open (workspace_id)},
	q{ANALYZE app.release, app.open},
	q{GRANT SELECT ON app.open TO cnap_app},
	q{SELECT cnap_protect('app.release', write_permission => 'deploy')},
	q{GRANT SELECT, INSERT, UPDATE, DELETE ON app.release TO plain, cnap_app},
	q{GRANT CREATE ON SCHEMA app TO plain});
my %name = ($W1 => 'one', $W2 => 'two', $W3 => 'three', $OWN => 'own', $UNKNOWN => 'unknown');

# new_token(PERSON, ARGUMENTS): a token, and its id
sub new_token
{
	my ($person, $arguments) = @_;
	my $token = act_as($node, 'postgres', $person, "SELECT cnap_create_access_token('t'" . ($arguments ? ", $arguments" : '') . ')');

	return ($token, $admin->query("SELECT id FROM cnap.access_token WHERE token_hash = sha256('$token')"));
}

sub sign_in
{
	my ($session, $token, $is_local) = @_;
	return $session->query(sprintf q{SELECT cnap_authenticate('%s', %s)}, $token, $is_local ? 'true' : 'false');
}

# What a session may do, in the words of each thing that can say so; they must all agree. The result
# is a list of the workspaces with their permissions and the role.
my $permissions = q{(SELECT DISTINCT permission FROM cnap_roles())};
my $worlds = join ', ', map { "('$_'::uuid, '$name{$_}')" } $W1, $W2, $W3, $OWN, $UNKNOWN;
my $checks = qq{
	SELECT coalesce(string_agg(format('%s: %s as %s', w.name,
		(SELECT string_agg(permission, '+' ORDER BY permission COLLATE "C") FROM $permissions p WHERE cnap_has_permission(w.id, permission)),
		coalesce(cnap_workspace_role(w.id), 'nobody')), '; ' ORDER BY w.id), 'nothing')
	FROM (VALUES $worlds) w (id, name)
	WHERE EXISTS (SELECT FROM $permissions p WHERE cnap_has_permission(w.id, permission))};

sub rights
{
	my ($session) = @_;
	my $rights = $session->query($checks);
	my @access = $session->query(qq{SELECT name FROM (VALUES $worlds) w (id, name) WHERE cnap_can_access(id) ORDER BY id});
	my %other = (
		'has_permission' => qq{SELECT name FROM (VALUES $worlds) w (id, name) WHERE cnap_has_permission(id, 'access') ORDER BY id},
		'accessible_workspaces' => qq{SELECT name FROM unnest(cnap_accessible_workspaces()) a (id) JOIN (VALUES $worlds) w (id, name) USING (id) ORDER BY id},
		'workspaces' => qq{SELECT w.name FROM cnap_workspaces() l JOIN (VALUES $worlds) w (id, name) USING (id) ORDER BY id},
		'a policy by filter' => q{SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT note FROM app.release ORDER BY workspace_id},
		'a policy by index' => q{RESET enable_indexscan; RESET enable_bitmapscan; SET enable_seqscan = off; SELECT note FROM app.release ORDER BY workspace_id},
		'a prepared statement' => q{EXECUTE rows});

	$session->query('RESET enable_seqscan');
	$session->query('PREPARE rows AS SELECT note FROM app.release ORDER BY workspace_id')
	  if $session->query(q{SELECT count(*) FROM pg_prepared_statements WHERE name = 'rows'}) eq '0';
	foreach my $way (sort keys %other)
	{
		my $got = $session->query($other{$way});
		push @access, "$way says $got" if $got ne $access[0];
	}
	$session->query('RESET enable_seqscan; RESET enable_indexscan; RESET enable_bitmapscan');
	my $roles = $session->query(qq{SELECT w.name, l.role, cnap_workspace_role(l.id) FROM cnap_workspaces() l JOIN (VALUES $worlds) w (id, name) USING (id)
		WHERE l.role IS DISTINCT FROM cnap_workspace_role(l.id)});
	push @access, "roles: $roles" if $roles ne '';
	my $plan = $session->query(q{SET enable_seqscan = off; EXPLAIN (COSTS off) SELECT note FROM app.release});
	push @access, "no index condition: $plan" if $plan !~ /reachable/;
	$session->query('RESET enable_seqscan');
	return join ' BUT ', $rights, @access[ 1 .. $#access ];
}

# The same about a user, asked by a trusted role
sub rights_of
{
	my ($session, $person) = @_;
	my $rights = $session->query($checks =~ s/cnap_(has_permission|workspace_role)\(/cnap_$1('$person', /gr);
	my $granted = qq{SELECT name FROM (VALUES $worlds) w (id, name)
		WHERE (SELECT bool_or(granted) FROM cnap_explain_access('$person', id)) ORDER BY id};
	my $access = qq{SELECT name FROM (VALUES $worlds) w (id, name) WHERE cnap_can_access('$person', id) ORDER BY id};
	my $list = qq{SELECT name FROM unnest(cnap_accessible_workspaces('$person')) a (id) JOIN (VALUES $worlds) w (id, name) USING (id) ORDER BY id};
	my $index = qq{SET enable_seqscan = off; SELECT w.name FROM app.open r JOIN (VALUES $worlds) w (id, name) ON w.id = r.workspace_id
		WHERE cnap_can_access('$person', r.workspace_id) ORDER BY w.id};
	my $got = $session->query($access);

	foreach ($granted, $list, $index)
	{
		my $other = $session->query($_);
		$rights .= " BUT $other instead of $got" if $other ne $got;
	}
	$session->query('RESET enable_seqscan');
	return $rights;
}

my $ALL_OF_ADMIN = 'access+administer+deploy+manage_members+secrets';
my $ALL_OF_OWNER = 'access+administer+billing+delete+deploy+manage_delegation+manage_members+manage_roles+secrets+transfer';
my $GUS = "one: $ALL_OF_ADMIN as admin; two: access as member; own: $ALL_OF_OWNER as owner";

my $session = connect_to($node, 'plain');
my $trusted = connect_to($node, 'cnap_app');

# ---- what a token gives ----

my @tokens = (
	'' => $GUS,
	"workspaces => '{$W1,$W2}'" => "one: $ALL_OF_ADMIN as admin; two: access as member",
	"workspaces => '{$OWN}'" => "own: $ALL_OF_OWNER as owner",
	"permissions => '{access}'" => 'one: access as member; two: access as member; own: access as member',
	"permissions => '{access,deploy}'" => 'one: access+deploy as member; two: access as member; own: access+deploy as member',
	"permissions => '{access,administer,deploy,manage_members,secrets}'" =>
	  "one: $ALL_OF_ADMIN as admin; two: access as member; own: $ALL_OF_ADMIN as admin",
	"permissions => '{access,delete}'" => 'one: access as member; two: access as member; own: access+delete as member',
	"workspaces => '{$W1}', permissions => '{access,deploy}'" => 'one: access+deploy as member',
	"workspaces => '{$W2}', permissions => '{access,deploy}'" => 'two: access as member',
	"workspaces => '{}'" => 'nothing',
	"permissions => '{}'" => 'nothing',
	"workspaces => '{}', permissions => '{access}'" => 'nothing',
	"workspaces => '{$OWN}', permissions => '{deploy}'" => 'own: deploy as nobody');
my %token;
while (my ($arguments, $expected) = splice @tokens, 0, 2)
{
	my ($token, $id) = new_token('gus', $arguments);
	$token{$arguments} = [ $token, $id, $expected ];

	# An unlimited token of the same user before and after: the session must not mix them up.
	sign_in($session, $token{''}[0]);
	is(rights($session), $GUS, "before: $arguments");
	sign_in($session, $token);
	is(rights($session), $expected, "limits: $arguments");
	sign_in($session, $token{''}[0]);
	is(rights($session), $GUS, "after: $arguments");
	$session->query('DISCARD ALL');

	my $fresh = connect_to($node, 'plain');
	sign_in($fresh, $token);
	is(rights($fresh), $expected, "in a new session: $arguments");
	$fresh->quit;

	# by a role that may ask about anybody
	sign_in($trusted, $token);
	is(rights($trusted), $expected, "by a trusted role: $arguments");
	is(rights_of($trusted, 'gus'), $expected, "about the user: $arguments");
	is(rights_of($trusted, 'carol'), "one: $ALL_OF_OWNER as owner", 'about somebody else');
	$trusted->query('DISCARD ALL');
	is(rights_of($trusted, 'gus'), $GUS, 'about the user, when nobody is signed in');
}

# managers
my ($mias) = new_token('mia', "workspaces => '{$W1,$W2}'");
sign_in($session, $mias);
is(rights($session), 'one: access+administer+deploy as admin; two: access as member', 'a manager\'s token, limited to all workspaces');
($mias) = new_token('mia', "permissions => '{access,deploy,secrets}'");
sign_in($session, $mias);
is(rights($session), 'one: access+deploy as member; two: access as member', 'limits give nothing that the user lacks');

# what is listed
is($admin->query("SELECT workspaces, permissions FROM cnap.access_token WHERE id = '$token{qq{workspaces => '{$W1,$W2}'}}[1]'"), "{$W1,$W2}|", 'the limits are stored');
is(act_as($node, 'postgres', 'gus', "SELECT workspaces, permissions FROM cnap_access_tokens() WHERE id = '$token{qq{workspaces => '{$W1}', permissions => '{access,deploy}'}}[1]'"),
	"{$W1}|{access,deploy}", 'and shown');
my ($twice, $twice_id) = new_token('gus', "workspaces => '{$W2,$W1,$W2}', permissions => '{deploy,access,deploy}'");
is($admin->query("SELECT workspaces, permissions FROM cnap.access_token WHERE id = '$twice_id'"), "{$W1,$W2}|{access,deploy}", 'each once');
is(refused_as($node, 'postgres', 'gus', "SELECT cnap_create_access_token('t', workspaces => '{$W3}')"), '42704', 'a workspace of others');
is(refused_as($node, 'postgres', 'gus', "SELECT cnap_create_access_token('t', workspaces => '{$UNKNOWN}')"), '42704', 'an unknown one');

# explain
sign_in($trusted, $token{"workspaces => '{$OWN}'"}[0]);
like($trusted->query("SELECT granted, role, reason FROM cnap_explain_access('gus', '$W1') WHERE path = 'member'"),
	qr/^f\|admin\|.*but the access token is limited to other workspaces$/, 'the explanation of a workspace beyond the limits');
sign_in($trusted, $token{"workspaces => '{$W1}', permissions => '{access,deploy}'"}[0]);
like($trusted->query("SELECT granted, reason FROM cnap_explain_access('gus', '$W1') WHERE path = 'member'"),
	qr/^t\|.*limited to the permissions: access, deploy$/, 'of one within');
sign_in($trusted, $token{"workspaces => '{$OWN}', permissions => '{deploy}'"}[0]);
like($trusted->query("SELECT granted, reason FROM cnap_explain_access('gus', '$OWN') WHERE path = 'owner'"),
	qr/^f\|.*limited to the permissions: deploy$/, 'of one that a permission is missing for');
unlike($trusted->query("SELECT string_agg(reason, ' ') FROM cnap_explain_access('carol', '$W1')"), qr/token/, 'of somebody else');
is($trusted->query("SELECT cnap_can_access('mia', '$W1'), cnap_can_access('gus', '$W1')"), 't|f',
	'nor do they apply to somebody whose id is as long');
$trusted->query('DISCARD ALL');

# writing
sign_in($session, $token{"workspaces => '{$W1}', permissions => '{access,deploy}'"}[0]);
is($session->query("INSERT INTO app.release VALUES (5, '$W1', 'new') RETURNING note"), 'new', 'writing within the limits');
refused($session, 'beyond the workspaces', "INSERT INTO app.release VALUES (6, '$OWN', 'new')", '42501');
refused($session, 'moving a row out of the limits', "UPDATE app.release SET workspace_id = '$OWN' WHERE id = 5", '42501');
is($session->query('WITH d AS (DELETE FROM app.release RETURNING note) SELECT string_agg(note, $$,$$ ORDER BY note) FROM d'), 'new,one', 'deletes reach what is within');
$admin->query("INSERT INTO app.release VALUES (1, '$W1', 'one')");
sign_in($session, $token{"permissions => '{access}'"}[0]);
refused($session, 'beyond the permissions', "INSERT INTO app.release VALUES (6, '$OWN', 'new')", '42501');

# ---- the functions ----

# Everything that changes or shows anything but workspaces
my $link = act_as($node, 'postgres', 'ann', "SELECT cnap_create_install_link('$ACME')");
$admin->query("INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('$ACME', 'gus', 'owner')");
my $invitation = act_as($node, 'postgres', 'carol', "SELECT cnap_invite_to_workspace('$W1')");
my $invitation_id = $admin->query('SELECT id FROM cnap.invitation');
my $link_id = $admin->query('SELECT id FROM cnap.install_link');
my $all = $token{''}[1];
my @refused = (
	q{SELECT cnap_create_organization('O')}, q{SELECT cnap_create_workspace('W')},
	q{SELECT cnap_create_access_token('t')}, qq{SELECT cnap_create_access_token('t', workspaces => '{$W1}', permissions => '{access}')},
	qq{SELECT cnap_create_install_link('$ACME')}, qq{SELECT cnap_invite_to_organization('$ACME')},
	qq{SELECT cnap_invite_to_workspace('$W1')}, qq{SELECT cnap_invite_to_workspace('$OWN', 'admin')},
	qq{SELECT cnap_update_organization('$ACME', name => 'x')}, qq{SELECT cnap_delete_organization('$ACME')},
	qq{SELECT cnap_add_organization_member('$ACME', 'nina')}, qq{SELECT cnap_set_organization_role('$ACME', 'mia', 'admin')},
	qq{SELECT cnap_remove_organization_member('$ACME', 'mia')}, qq{SELECT cnap_leave_organization('$ACME')},
	qq{SELECT * FROM cnap_organization('$ACME')}, q{SELECT * FROM cnap_organizations()}, qq{SELECT * FROM cnap_organization_members('$ACME')},
	qq{SELECT * FROM cnap_organization_workspaces('$ACME')}, qq{SELECT * FROM cnap_organization_audit('$ACME')},
	qq{SELECT * FROM cnap_install_links('$ACME')}, qq{SELECT * FROM cnap_invitations('$ACME')},
	qq{SELECT * FROM cnap_install_link('$link')}, qq{SELECT cnap_redeem_install_link('$link', '$OWN')},
	qq{SELECT cnap_revoke_install_link('$link_id')}, qq{SELECT * FROM cnap_invitation('$invitation')},
	qq{SELECT cnap_accept_invitation('$invitation')}, qq{SELECT cnap_decline_invitation('$invitation')},
	qq{SELECT cnap_revoke_invitation('$invitation_id')}, qq{SELECT cnap_resend_invitation('$invitation_id')},
	q{SELECT * FROM cnap_access_tokens()}, qq{SELECT cnap_revoke_access_token('$all')},
	qq{SELECT cnap_leave_workspace('$W1')}, qq{SELECT cnap_assign_manager('$W1', 'mia')},
	qq{SELECT cnap_unassign_manager('$W1', 'gus')}, qq{SELECT cnap_activate_management('$W1', 'a reason')});

sub refused_by_limits
{
	my ($statement, $message) = @_;

	$session->attempt($statement);
	return like($session->{error}, qr/42501: access token is limited/, $message);
}

foreach my $limits ("workspaces => '{$W1,$W2}'", "workspaces => '{$OWN}'", "permissions => '{access}'")
{
	sign_in($session, $token{$limits}[0]);
	refused_by_limits($_, "$limits: $_") foreach @refused;
}

# within the workspaces that are listed, what the user may do there
sign_in($session, $token{"workspaces => '{$OWN}'"}[0]);
my $within = sub {
	my ($workspace) = @_;
	return (
		"SELECT cnap_update_workspace('$workspace', name => 'x')", "SELECT cnap_set_workspace_billing('$workspace', customer_id => 'c')",
		"SELECT count(*) FROM cnap_workspace_members('$workspace')", "SELECT count(*) FROM cnap_workspace_audit('$workspace')",
		"SELECT count(*) FROM cnap_workspace_invitations('$workspace')", "SELECT count(*) FROM cnap_preview_revocation('$workspace')",
		"SELECT count(*) FROM cnap_workspace_billing('$workspace')", "SELECT count(*) FROM cnap_workspace('$workspace')",
		"SELECT cnap_add_workspace_member('$workspace', 'nina')", "SELECT cnap_set_workspace_role('$workspace', 'nina', 'admin')",
		"SELECT cnap_remove_workspace_member('$workspace', 'nina')", "SELECT cnap_grant_management('$workspace', '$ACME')",
		"SELECT cnap_revoke_management('$workspace')", "SELECT cnap_add_workspace_member('$workspace', 'nina')",
		"SELECT cnap_transfer_workspace('$workspace', 'nina')", "SELECT cnap_delete_workspace('$workspace')");
};
foreach my $statement ($within->($OWN))
{
	$session->query('BEGIN');
	$session->query("SELECT cnap_add_workspace_member('$OWN', 'nina')") if $statement =~ /role|remove|transfer/;
	$session->query("SELECT cnap_grant_management('$OWN', '$ACME')") if $statement =~ /revoke_m/;
	$session->attempt($statement);
	is($session->{error}, '', "within the limits: $statement");
	$session->query('ROLLBACK');
}
foreach my $workspace ($W1, $W2, $W3, $UNKNOWN)
{
	refused_by_limits($_, "beyond the workspaces, $name{$workspace}: $_") foreach $within->($workspace);
}
sign_in($session, $token{"permissions => '{access}'"}[0]);
foreach my $statement ($within->($OWN))
{
	next if $statement =~ /cnap_workspace(?:_members)?\(/;
	refused_by_limits($statement, "beyond the permissions: $statement");
}
is($session->query("SELECT count(*) > 0 FROM cnap_workspace_members('$OWN')"), 't', 'but access shows the members');
is($session->query("SELECT owner_id FROM cnap_workspace('$OWN')"), 'gus', 'and the settings');
refused_by_limits("SELECT cnap_update_workspace('$_', name => 'x')", "whether there is a workspace or not: $name{$_}") foreach $W3, $UNKNOWN;
my ($of_manager) = new_token('gus', "workspaces => '{$W1}'");
sign_in($session, $of_manager);
$session->attempt("SELECT cnap_revoke_management('$W1')");
is($session->{sqlstate}, '42501', 'a workspace is not released by a limited token of the managing organization\'s owner');
$admin->query("DELETE FROM cnap.organization_member WHERE user_id = 'gus'");

# Each public function is called here, or says nothing that depends on the user's rights, or checks no
# rights but those of the database role; the checks are asked above.
my $called = join ' ', @refused, $within->($OWN);
my $other = qr/^cnap_(authenticate|current_user|cache_stats|roles|position|wait|lint|accepted_findings|
	protect|protect_child|protect_schema|unprotect|unprotect_schema|protected_tables|
	can_access|has_permission|workspace_role|accessible_workspaces|workspaces|uuid)$/x;
is(join(' ', grep { $called !~ /\b$_\(/ && !/$other/ } split /\n/, $admin->query(q{
	SELECT DISTINCT proname FROM pg_proc WHERE proname LIKE 'cnap\_%' AND has_function_privilege('plain', oid, 'EXECUTE') ORDER BY 1})),
	'', 'what each public function does for a limited token is known');

# members, with the permission for those of a role alone
my ($of_members) = new_token('gus', "workspaces => '{$OWN}', permissions => '{access,manage_members}'");
sign_in($session, $of_members);
$session->query('BEGIN');
$session->attempt("SELECT cnap_add_workspace_member('$OWN', 'nina')");
is($session->{error}, '', 'adding a member by manage_members');
$session->query('SAVEPOINT s');
refused_by_limits("SELECT cnap_add_workspace_member('$OWN', 'olga', 'admin')", 'but not an admin');
$session->query('ROLLBACK TO s');
refused_by_limits("SELECT cnap_set_workspace_role('$OWN', 'nina', 'admin')", 'nor making one');
$session->query('ROLLBACK');
refused_by_limits("SELECT cnap_workspace_billing('$OWN')", 'nor reading who is billed');

# who is billed, read with what changes it
my ($of_billing) = new_token('gus', "workspaces => '{$OWN}', permissions => '{access,billing}'");
sign_in($session, $of_billing);
$session->query('BEGIN');
$session->query("SELECT cnap_set_workspace_billing('$OWN', 'pay\@gus.example', 'cus_1')");
is($session->query("SELECT billing_email, customer_id FROM cnap_workspace_billing('$OWN')"), 'pay@gus.example|cus_1', 'by the permission billing');
$session->query('ROLLBACK');

# by a role's privileges
my $super = connect_to($node, undef);
sign_in($super, $token{"workspaces => '{$OWN}'"}[0]);
refused($super, 'a superuser who has signed in by a limited token: ' . $_, $_, '42501')
  foreach q{SELECT cnap_define_role('x', '{deploy}')}, q{SELECT cnap_forget_user('gus', 'carol')}, q{SELECT cnap_create_workspace('W', 'gus')};
$super->quit;
sign_in($trusted, $token{"workspaces => '{$OWN}'"}[0]);
refused($trusted, 'a trusted role: forgetting', q{SELECT cnap_forget_user('gus', 'carol')}, '42501');
$trusted->query('DISCARD ALL');

# ---- several tokens in one session ----

my ($one, $two, $any) = map { $_->[0] } @token{ "workspaces => '{$W1}', permissions => '{access,deploy}'", "workspaces => '{$OWN}'", '' };
my %rights = ($one => 'one: access+deploy as member', $two => "own: $ALL_OF_OWNER as owner", $any => $GUS);
$session->query('DISCARD ALL');
$session->query('PREPARE mine AS SELECT string_agg(note, $$,$$ ORDER BY note) FROM app.release');
my %notes = ($one => 'one', $two => 'own', $any => 'one,own,two');
foreach my $token ($one, $two, $any, $two, $one, $any, $one, ($two, $any) x 6)
{
	$session->query('BEGIN');
	sign_in($session, $token, 1);
	is($session->query('EXECUTE mine'), $notes{$token}, 'a prepared statement behind a pool');
	$session->query('COMMIT');
	is($session->query('EXECUTE mine'), '', 'and nothing after the transaction');
}
$session->query('BEGIN');
sign_in($session, $any, 1);
$session->query('SAVEPOINT s');
sign_in($session, $one, 1);
is(rights($session), $rights{$one}, 'a limited token after one without limits');
$session->query('ROLLBACK TO s');
is(rights($session), $GUS, 'which a rollback to a savepoint brings back');
$session->query('COMMIT');
sign_in($session, $two);
$session->query('BEGIN');
sign_in($session, $any, 1);
is(rights($session), $GUS, 'one without limits, for a transaction');
$session->query('COMMIT');
is(rights($session), $rights{$two}, 'and the limited one of the session again');

# the setting after a token: no limit is left behind
sign_in($trusted, $one);
is(rights($trusted), $rights{$one}, 'a trusted role is signed in by a limited token');
$trusted->query(q{RESET ALL; SET cnap.user_id = 'gus'});
is(rights($trusted), $GUS, 'and the same user by the setting has no limits');
$trusted->query('DISCARD ALL');

# ---- while a session is open ----

my ($live, $live_id) = new_token('gus', "workspaces => '{$W1,$OWN}'");
my %kinds = (
	'between transactions' => '',
	'in an open transaction' => 'BEGIN',
	'in REPEATABLE READ' => 'BEGIN ISOLATION LEVEL REPEATABLE READ',
	'in SERIALIZABLE' => 'BEGIN ISOLATION LEVEL SERIALIZABLE',
	'in a parallel worker' => 'BEGIN; SET LOCAL force_parallel_mode = on');
$kinds{'in a parallel worker'} =~ s/force_parallel_mode/debug_parallel_query/ if major_version($node) >= 16;
my $limit = sub { $admin->query("UPDATE cnap.access_token SET $_[0] WHERE id = '$live_id'"); return };
my $notes = 'SELECT string_agg(note, $$,$$ ORDER BY note) FROM app.release';

foreach my $kind (sort keys %kinds)
{
	$session->query('DISCARD ALL');
	sign_in($session, $live);
	$session->query($kinds{$kind}) if $kinds{$kind};
	is($session->query($notes), 'one,own', "before, $kind");
	$limit->("workspaces = '{$W2}'");
	is($session->query($notes), 'two', "other workspaces, $kind");
	$limit->("permissions = '{deploy}'");
	is($session->query($notes), '', "other permissions, $kind");
	$limit->('workspaces = NULL, permissions = NULL');
	is($session->query($notes), 'one,own,two', "no limits, $kind");
	$limit->("workspaces = '{}'");
	is($session->query($notes), '', "nothing, $kind");
	$limit->("workspaces = '{$W1,$OWN}'");
	is($session->query($notes), 'one,own', "and back, $kind");
	$session->query('COMMIT') if $kinds{$kind};
}
is($admin->query(qq{SELECT string_agg(DISTINCT detail ->> 'changed' COLLATE "C", ' ') FROM cnap.audit_log
	WHERE action = 'access_token.update' AND detail ->> 'id' = '$live_id'}),
	'["permissions"] ["workspaces", "permissions"] ["workspaces"]', 'changed limits are audited');

# within a transaction of one's own, and undone
$super = connect_to($node, undef);
sign_in($super, $live);
$super->query("BEGIN; UPDATE cnap.access_token SET workspaces = '{$W2}' WHERE id = '$live_id'");
is($super->query("SELECT cnap_accessible_workspaces()"), "{$W2}", 'a session sees its own change');
$super->query('ROLLBACK');
is($super->query("SELECT cnap_accessible_workspaces()"), "{$W1,$OWN}", 'which is undone');
$super->query("BEGIN; SAVEPOINT s; UPDATE cnap.access_token SET workspaces = '{$W2}' WHERE id = '$live_id'");
is($super->query("SELECT cnap_accessible_workspaces()"), "{$W2}", 'in a subtransaction');
$super->query('ROLLBACK TO s');
is($super->query("SELECT cnap_accessible_workspaces()"), "{$W1,$OWN}", 'which is undone');
$super->query('COMMIT');
$super->quit;

# what the user loses, or is deleted, is gone; nothing else
$session->query('DISCARD ALL');
sign_in($session, $live);
$admin->query("DELETE FROM cnap.workspace_member WHERE workspace_id = '$W1' AND user_id = 'gus'");
is(rights($session), "own: $ALL_OF_OWNER as owner", 'a workspace that the user has lost');
refused($session, 'is absent for the functions', "SELECT * FROM cnap_workspace_members('$W1')", '42704');
$admin->query("BEGIN; DELETE FROM cnap.workspace WHERE id = '$OWN'; DELETE FROM app.release WHERE workspace_id = '$OWN'; COMMIT");
is(rights($session), 'nothing', 'one that was deleted');
$admin->query("INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES ('$W1', 'gus', 'admin')");
is(rights($session), "one: $ALL_OF_ADMIN as admin", 'rights that the user gets count as far as the limits include them');

# definitions
my ($deployer, $deployer_id) = new_token('gus', "permissions => '{access,deploy}'");
sign_in($session, $deployer);
is(rights($session), 'one: access+deploy as member; two: access as member', 'a permission of the application\'s own');
$admin->query(q{SELECT cnap_define_permission('deploy', roles => '{admin,member}')});
is(rights($session), 'one: access+deploy as member; two: access+deploy as member', 'is as it is defined now');
$admin->query(q{SELECT cnap_define_permission('deploy', roles => '{}')});
is(rights($session), 'one: access as member; two: access as member', 'also when it is taken away');
$admin->query(q{SELECT cnap_define_permission('deploy', roles => '{admin}')});
$admin->query(q{SELECT cnap_unprotect('app.release')});
$admin->query(q{SELECT cnap_drop_permission('deploy')});
is($admin->query("SELECT permissions FROM cnap.access_token WHERE id = '$deployer_id'"), '{access}', 'one that is dropped is dropped from tokens');
$admin->query(q{SELECT cnap_define_permission('audit', roles => '{admin}')});
$admin->query(q{SELECT cnap_define_permission('deploy', roles => '{admin}')});
$admin->query(q{SELECT cnap_protect('app.release', write_permission => 'deploy')});
is(rights($session), 'one: access as member; two: access as member', 'and does not come back, nor as another with its number');

# ---- what the table refuses ----

foreach my $bad ("workspaces = ARRAY[NULL]::uuid[]", "workspaces = array_fill('$W1'::uuid, ARRAY[1001])",
	"workspaces = ARRAY[ARRAY['$W1']]::uuid[]", "permissions = ARRAY[NULL]::text[]", q{permissions = ARRAY['']},
	q{permissions = ARRAY['Deploy']}, q{permissions = ARRAY['admin']}, q{permissions = ARRAY[repeat('a', 64)]},
	q{permissions = array_fill('access'::text, ARRAY[65])}, q{permissions = ARRAY[ARRAY['access']]})
{
	$admin->attempt("UPDATE cnap.access_token SET $bad WHERE id = '$live_id'");
	is($admin->{sqlstate}, '23514', "refused: $bad");
}
is(($admin->attempt("UPDATE cnap.access_token SET permissions = '{future}' WHERE id = '$live_id'"), $admin->{sqlstate})[-1], '00000',
	'a permission that is not defined can be restored');
$session->query('DISCARD ALL');
sign_in($session, $live);
is(rights($session), 'nothing', 'and gives nothing');

# What constraints did not prevent gives nothing either.
$admin->query('ALTER TABLE cnap.access_token DROP CONSTRAINT access_token_workspaces_format, DROP CONSTRAINT access_token_permissions_format');
foreach my $bad ("workspaces = ARRAY['$W1', NULL]::uuid[]", "workspaces = ARRAY[ARRAY['$W1'::uuid]]",
	"workspaces = array_fill('$W1'::uuid, ARRAY[1001])", q{permissions = ARRAY['access', NULL]}, q{permissions = ARRAY[ARRAY['access']]})
{
	$admin->query("UPDATE cnap.access_token SET workspaces = NULL, permissions = NULL WHERE id = '$live_id'");
	is($session->query("SELECT cnap_can_access('$W1')"), 't', 'without limits');
	$admin->query("UPDATE cnap.access_token SET $bad WHERE id = '$live_id'");
	is($session->query("SELECT cnap_can_access('$W1'), cnap_accessible_workspaces()"), 'f|{}', "what cannot be evaluated gives nothing: $bad");
}

# ---- many workspaces ----

my ($thousand) = new_token('max', q{workspaces => array(SELECT md5(n::text)::uuid FROM generate_series(3, 3000, 3) n)});
$session->query('DISCARD ALL');
sign_in($session, $thousand);
my $sum = 3 * 1000 * 1001 / 2;
is($session->query('SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*), sum(id) FROM app.release'), "1000|$sum", 'a thousand workspaces, by filter');
is($session->query('RESET ALL; SELECT 1'), '1', 'the end of that');
sign_in($session, $thousand);
is($session->query('SET enable_seqscan = off; SELECT count(*), sum(id) FROM app.release'), "1000|$sum", 'and by index');
is($session->query('SELECT cardinality(cnap_accessible_workspaces()), count(*) FROM cnap_workspaces()'), '1000|1000', 'and listed');
my @paged;

for (my $after = 'NULL'; @paged % 300 == 0; $after = "'$paged[-1]'")
{
	push @paged, split /\n/, $session->query("SELECT id FROM cnap_workspaces(after => $after, max_rows => 300)");
}
is_deeply(\@paged, [ split /\n/, $session->query('SELECT id FROM cnap_workspaces()') ], 'also in pages, of which the limits come first');
my $beyond = $admin->query("SELECT md5('1')::uuid");
is(act_as($node, 'postgres', 'max', "SELECT count(*) > 1 FROM cnap_workspaces(after => '$beyond', max_rows => 300)"), 't', 'a page that begins beyond the limits');
$session->attempt("SELECT * FROM cnap_workspaces(after => '$beyond', max_rows => 300)");
like($session->{error}, qr/42704: workspace "$beyond" does not exist/, 'is absent within them');
$session->query(q{SET cnap.cache_size = '64kB'});
is($session->query('RESET enable_seqscan; SELECT count(*), sum(id) FROM app.release'), "1000|$sum", 'with a cache that holds less than they need');

# ---- a standby ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$admin->query("UPDATE cnap.access_token SET workspaces = '{$W1}', permissions = NULL WHERE id = '$live_id'");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $reader = connect_to($standby, 'plain');
sign_in($reader, $live);
is($reader->query('SELECT cnap_accessible_workspaces()'), "{$W1}", 'a standby knows the limits');
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$admin->query("UPDATE cnap.access_token SET workspaces = '{$W2}' WHERE id = '$live_id'");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($reader->query('SELECT cnap_accessible_workspaces()'), "{$W2}", 'and that they change');
$standby->stop;
$node->stop;
done_testing();
