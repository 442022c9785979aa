# Ending access never waits for the open transaction of somebody with fewer rights: each function that
# ends access, against each that somebody may have left open. The spec of the same name shows one of each
# kind; a session that is terminated can be used in one permutation only, and here are many.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', '');
CnapModel::add_extension($node, 'postgres');


# A workspace of olga with the admin adam and the member max, managed by vera's organization with the
# admin vic and the member mia; two more of olga's, to which mia is assigned, and for which mia has
# activated the management; zoe's workspace besides; an invitation to each for sue, and a link.
# Returns what stands for the words in braces in statements.
sub world
{
	my %name;
	@name{qw(org ws other)} = split /\|/, $node->safe_psql('postgres', q{
		SELECT cnap_create_organization('Vendor', owner => 'vera'), cnap_create_workspace('W', 'olga'), cnap_create_workspace('Z', 'zoe')});
	@name{qw(ws_token org_token link)} = split /\|/, $node->safe_psql('postgres', qq{
		SELECT cnap_add_organization_member('$name{org}', 'vic', 'admin'), cnap_add_organization_member('$name{org}', 'mia'),
			cnap_add_workspace_member('$name{ws}', 'adam', 'admin'), cnap_add_workspace_member('$name{ws}', 'max'),
			cnap_grant_management('$name{ws}', '$name{org}') \\g /dev/null
		SELECT cnap_invite_to_workspace('$name{ws}'), cnap_invite_to_organization('$name{org}'), cnap_create_install_link('$name{org}')});
	@name{qw(ws_invitation org_invitation link_id)} = split /\|/, $node->safe_psql('postgres', qq{
		SELECT w.id, o.id, l.id FROM cnap_workspace_invitations('$name{ws}') w, cnap_invitations('$name{org}') o, cnap_install_links('$name{org}') l});
	@name{qw(assigned activated)} = split /\|/, $node->safe_psql('postgres', q{
		SELECT cnap_create_workspace('Assigned', 'olga'), cnap_create_workspace('Activated', 'olga')});
	$node->safe_psql('postgres', qq{
		SELECT cnap_grant_management('$name{assigned}', '$name{org}', managers => 'assigned'),
			cnap_grant_management('$name{activated}', '$name{org}', managers => 'activated');
		SELECT cnap_assign_manager('$name{assigned}', 'mia');
		INSERT INTO cnap.assignment (workspace_id, user_id, until, reason) VALUES ('$name{activated}', 'mia', '2999-01-01', 'ticket')});
	return \%name;
}

sub filled
{
	my ($world, $sql) = @_;
	return $sql =~ s/\{(\w+)\}/'$world->{$1}'/gr;
}

# A session on behalf of a person, or of the system, in a transaction. Its patience is short, unless it
# is given otherwise.
sub session
{
	my ($person, $patience, $begin) = @_;
	my $session = connect_to($node);
	$session->query('SET deadlock_timeout = ' . ($patience // "'10ms'"));
	$session->{pid_there} = $session->query('SELECT pg_backend_pid()');
	$session->query("SET ROLE cnap_app; SET cnap.user_id = '$person'") if $person ne 'system';
	$session->query($begin // 'BEGIN');
	return $session;
}

sub is_alive
{
	my ($session) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $session->{pid_there}");
}

# Waits until a session waits for a lock.
sub wait_for_lock
{
	my ($session) = @_;
	return $node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $session->{pid_there}");
}

sub ends
{
	my ($blocker, $change, $person, $ending, $begin) = @_;
	my $world = world();
	my $open = session($blocker);
	$open->query(filled($world, $change));
	my $ender = session($person, undef, $begin);
	$ender->attempt(filled($world, $ending));
	is($ender->{sqlstate}, '00000', "$person: $ending, while $blocker has left open: $change") or diag($ender->{error});
	is(is_alive($open), '0', "$blocker is gone");
	$ender->query('COMMIT');
	$_->quit foreach $ender, $open;
	return $world;
}

my %rename = (mia => q{SELECT cnap_update_workspace({ws}, 'Mine')});
my $revoke = 'SELECT cnap_revoke_management({ws})';
my $remove_max = q{SELECT cnap_remove_workspace_member({ws}, 'max')};

# a manager
ends('mia', $rename{mia}, 'olga', $_)
  foreach $revoke, $remove_max, q{SELECT cnap_set_workspace_role({ws}, 'adam', 'member')},
  q{SELECT cnap_transfer_workspace({ws}, 'adam')}, 'SELECT cnap_revoke_invitation({ws_invitation})',
  'SELECT cnap_delete_workspace({ws})';
ends('mia', $rename{mia}, 'adam', $_)
  foreach $remove_max, 'SELECT cnap_revoke_invitation({ws_invitation})', 'SELECT cnap_leave_workspace({ws})';
ends('mia', $rename{mia}, 'max', 'SELECT cnap_leave_workspace({ws})');
ends('mia', $rename{mia}, 'system', $_) foreach $revoke, $remove_max, q{SELECT cnap_forget_user('olga', 'zoe')};
ends('mia', "$rename{mia}; SAVEPOINT s; SELECT 1", 'olga', $revoke);
ends('mia', "SAVEPOINT s; $rename{mia}; RELEASE s", 'olga', $revoke);
ends('vic', $revoke, 'olga', $_) foreach $revoke, $remove_max;

# the owner of the managing organization
ends('vera', 'SELECT cnap_delete_organization({org})', 'olga', $_)
  foreach $revoke, $remove_max, 'SELECT cnap_delete_workspace({ws})';
ends('vera', 'SELECT cnap_delete_organization({org})', 'adam', $remove_max);
ends('vera', 'SELECT cnap_delete_organization({org})', 'system', q{SELECT cnap_forget_user('olga', 'zoe')});

# a stranger with an invitation
foreach my $answer ('SELECT cnap_accept_invitation({ws_token})', 'SELECT cnap_decline_invitation({ws_token})')
{
	ends('sue', $answer, 'olga', $_) foreach $revoke, 'SELECT cnap_revoke_invitation({ws_invitation})';
	ends('sue', $answer, 'adam', $remove_max);
}
foreach my $answer ('SELECT cnap_accept_invitation({org_token})', 'SELECT cnap_decline_invitation({org_token})')
{
	ends('sue', $answer, 'vic', $_)
	  foreach q{SELECT cnap_remove_organization_member({org}, 'mia')}, 'SELECT cnap_revoke_invitation({org_invitation})',
	  'SELECT cnap_revoke_install_link({link_id})';
	ends('sue', $answer, 'vera', $_)
	  foreach q{SELECT cnap_set_organization_role({org}, 'vic', 'member')}, 'SELECT cnap_delete_organization({org})';
}

# a plain member who leaves, but keeps access meanwhile
ends('max', 'SELECT cnap_leave_workspace({ws})', $_, $remove_max) foreach 'adam', 'olga';
ends('max', 'SELECT cnap_leave_workspace({ws})', 'system', q{SELECT cnap_forget_user('max')});
ends('mia', 'SELECT cnap_leave_organization({org})', $_, q{SELECT cnap_remove_organization_member({org}, 'mia')})
  foreach 'vic', 'vera';
ends('mia', 'SELECT cnap_leave_organization({org})', 'system', q{SELECT cnap_forget_user('mia')});

# one who is in, and gives it up or renews it, but is in meanwhile
my $unassign = q{SELECT cnap_unassign_manager({assigned}, 'mia')};
my $deactivate = q{SELECT cnap_unassign_manager({activated}, 'mia')};
my $activate = q{SELECT cnap_activate_management({activated}, 'again')};
my $assign = q{SELECT cnap_assign_manager({assigned}, 'mia', '2999-01-01')};
ends('mia', $unassign, $_, $unassign) foreach 'vic', 'vera', 'system';
ends('mia', $activate, $_, $deactivate) foreach 'vic', 'vera', 'system';
ends('vic', $assign, 'vera', $unassign);
# the customer, who throws a single one out
ends($_, $unassign, 'olga', $unassign) foreach 'mia', 'vic', 'vera';
ends($_->[0], $_->[1], 'olga', $deactivate) foreach [ 'mia', $activate ], [ 'vera', $deactivate ], [ 'vera', 'SELECT cnap_delete_organization({org})' ];
ends('mia', $_, 'olga', q{SELECT cnap_revoke_management({activated})}) foreach $activate, $deactivate;
ends('mia', $activate, 'olga', 'SELECT cnap_delete_workspace({activated})');
ends('vic', $_, 'olga', q{SELECT cnap_revoke_management({assigned})}) foreach $assign, $unassign;

# an admin, and one who is ending somebody else's access
ends('adam', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'olga', q{SELECT cnap_remove_workspace_member({ws}, 'adam')});
ends('adam', $remove_max, 'olga', q{SELECT cnap_remove_workspace_member({ws}, 'adam')});
ends('adam', 'SELECT cnap_invite_to_workspace({ws})', 'olga', $revoke);
ends('vic', q{SELECT cnap_update_organization({org}, 'Mine')}, 'vera', q{SELECT cnap_remove_organization_member({org}, 'vic')});
ends('vic', q{SELECT cnap_remove_organization_member({org}, 'mia')}, 'vera', q{SELECT cnap_remove_organization_member({org}, 'vic')});

# a customer who redeems a link, or has granted management
ends('zoe', 'SELECT cnap_redeem_install_link({link}, {other})', 'vic', 'SELECT cnap_revoke_install_link({link_id})');
ends('zoe', 'SELECT cnap_redeem_install_link({link}, {other})', 'yves', q{SELECT cnap_redeem_install_link({link}, cnap_create_workspace('Y'))});
ends('zoe', $_, 'vera', 'SELECT cnap_delete_organization({org})')
  foreach 'SELECT cnap_redeem_install_link({link}, {other})', 'SELECT cnap_grant_management({other}, {org})';
ends('olga', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'vera', 'SELECT cnap_delete_organization({org})');

# at REPEATABLE READ, too
ends('mia', $rename{mia}, 'olga', $revoke, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');

# a thief, who is signed in by a token that is about to be revoked
{
	my $token = act_as($node, 'postgres', 'tom', q{SELECT cnap_create_access_token('Script')});
	my $id = act_as($node, 'postgres', 'tom', 'SELECT id FROM cnap_access_tokens()');
	my $thief = session('nobody', undef, 'SET cnap.user_id = DEFAULT; RESET ROLE; SET SESSION AUTHORIZATION cnap_app');
	$thief->query("BEGIN; SELECT cnap_authenticate('$token'); SELECT cnap_revoke_access_token('$id')");
	my $tom = session('tom');
	$tom->attempt("SELECT cnap_revoke_access_token('$id')");
	is($tom->{sqlstate}, '00000', 'a token is revoked, while the thief has left its revocation open');
	is(is_alive($thief), '0', 'the thief is gone');
	$_->quit foreach $tom, $thief;
}

# one who has a token of the owner's with fewer permissions
{
	my $world = world();
	my $token = act_as($node, 'postgres', 'olga', filled($world, q{SELECT cnap_create_access_token('Script', workspaces => ARRAY[{ws}]::uuid[], permissions => '{access,administer}')}));
	my $script = session('nobody', undef, 'SET cnap.user_id = DEFAULT; RESET ROLE; SET SESSION AUTHORIZATION cnap_app');
	$script->query(filled($world, "BEGIN; SELECT cnap_authenticate('$token'); SELECT cnap_update_workspace({ws}, 'Mine')"));
	my $adam = session('adam');
	$adam->attempt(filled($world, $remove_max));
	is($adam->{sqlstate}, '00000', 'an admin ends access, while a limited token of the owner has left a change open');
	is(is_alive($script), '0', 'whose session is gone');
	$_->quit foreach $adam, $script;
}

# one who never lets a statement end
{
	my $world = world();
	my $busy = session('mia');
	$busy->begin(filled($world, q{SELECT cnap_update_workspace({ws}, 'Mine'), pg_sleep(100000)}));
	$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $busy->{pid_there}");
	my $olga = session('olga');
	$olga->query(filled($world, $revoke));
	is(is_alive($busy), '0', 'nor does it help to execute a statement for ever');
	$_->quit foreach $olga, $busy;
}

# many who take turns: nobody of a lower rank enters any more
{
	my $world = world();
	my ($first, $second) = (session('mia'), session('mia'));
	my $olga = session('olga', "'1h'");
	$first->query(filled($world, $rename{mia}));
	$olga->begin(filled($world, $revoke));
	wait_for_lock($olga);
	$second->begin(filled($world, $rename{mia}));
	wait_for_lock($second);
	is($node->safe_psql('postgres', "SELECT pg_blocking_pids($second->{pid_there})::text"),
		"{$olga->{pid_there}}", 'who comes later waits for whoever ends access');
	$first->query('COMMIT');
	$olga->finish;
	is($olga->{sqlstate}, '00000', 'who is patient waits for a commit');
	$olga->query('COMMIT');
	$second->finish;
	is($second->{sqlstate}, '42704', 'and who came later has no access any more');
	is($node->safe_psql('postgres', "SELECT name FROM cnap.workspace WHERE id = '$world->{ws}'"), 'Mine',
		'what was committed before stands');

	# who has entered already does not wait at the gate for whoever waits for them
	$node->safe_psql('postgres', filled($world, 'SELECT cnap_grant_management({ws}, {org})'));
	$first->query('BEGIN');
	$first->query(filled($world, $rename{mia}));
	$olga->query('BEGIN');
	$olga->begin(filled($world, $revoke));
	wait_for_lock($olga);
	is($first->attempt(filled($world, q{SELECT cnap_update_workspace({ws}, 'Again')})), '', 'another change by somebody who has entered');
	$first->query('COMMIT');
	$olga->finish;
	is($olga->{sqlstate}, '00000', 'is no deadlock');
	$_->quit foreach $olga, $first, $second;
}

# ---- who is waited for ----

sub waits
{
	my ($holder, $change, $person, $ending) = @_;
	my $world = world();
	my $open = session($holder);
	$open->query(filled($world, $change));
	my $ender = session($person);
	$ender->begin(filled($world, $ending));
	wait_for_lock($ender);
	$node->safe_psql('postgres', 'SELECT pg_sleep(0.5)');
	is(is_alive($open), '1', "$person: $ending waits for $holder: $change");
	$open->query('ROLLBACK');
	$ender->finish;
	is($ender->{sqlstate}, '00000', 'and goes on after that') or diag($ender->{error});
	$_->quit foreach $ender, $open;
	return;
}
waits('olga', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'adam', $remove_max);
waits('olga', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'olga', $revoke);
waits('olga', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'vic', $revoke);
waits('olga', q{SELECT cnap_remove_workspace_member({ws}, 'adam')}, 'adam', $remove_max);
waits('adam', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'max', 'SELECT cnap_leave_workspace({ws})');
waits('vera', q{SELECT cnap_update_organization({org}, 'Mine')}, 'vic', q{SELECT cnap_remove_organization_member({org}, 'mia')});
waits('system', q{SELECT cnap_update_workspace({ws}, 'Mine')}, 'olga', $revoke);
waits('system', q{UPDATE cnap.workspace SET name = 'Mine'}, 'olga', $revoke);
waits('system', 'SELECT cnap_redeem_install_link({link}, {other})', 'yves',
	q{SELECT cnap_redeem_install_link({link}, cnap_create_workspace('Y'))});
waits('vic', 'SELECT cnap_revoke_install_link({link_id})', 'zoe', q{SELECT cnap_redeem_install_link({link}, {other})});
# changes that end nobody's access are worth waiting for anybody
waits('mia', $rename{mia}, 'olga', $_)
  foreach q{SELECT cnap_update_workspace({ws}, 'Mine')}, q{SELECT cnap_add_workspace_member({ws}, 'new')};

# who holds only what does not matter is left alone
sub spares
{
	my ($holder, $change, $person, $ending) = @_;
	my $world = world();
	my $open = session($holder);
	$open->query(filled($world, $change));
	my $ender = session($person);
	$ender->query(filled($world, $ending));
	is(is_alive($open), '1', "$person: $ending does not touch $holder: $change");
	$_->quit foreach $ender, $open;
	return;
}
spares('zoe', 'SELECT cnap_grant_management({other}, {org})', 'vera', q{SELECT cnap_remove_organization_member({org}, 'mia')});
spares('zoe', q{SELECT cnap_update_workspace({other}, 'Mine')}, 'olga', $revoke);
spares('mia', q{SELECT cnap_can_access({ws})}, 'olga', $revoke);
spares('mia', q{SELECT cnap_update_workspace({assigned}, 'Mine')}, 'vic', $unassign);
# the rows of assignments belong to both sides, which end them without waiting for each other
my $remove_mia = q{SELECT cnap_remove_organization_member({org}, 'mia')};
foreach my $ending ('SELECT cnap_revoke_management({assigned})', 'SELECT cnap_delete_workspace({assigned})')
{
	spares('olga', $ending, 'vic', $remove_mia);
	spares('vic', $remove_mia, 'olga', $ending);
}
spares('olga', q{SELECT cnap_grant_management({assigned}, {org}, managers => 'activated')}, 'vic', $remove_mia);

# the system can change any number of workspaces in one transaction
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT cnap_create_workspace('many', 'ivan') FROM generate_series(1, 30000)) made;
	SELECT count(*) FROM (SELECT cnap_update_workspace(id, 'changed') FROM cnap.workspace WHERE owner_id = 'ivan') changed}),
	"30000\n30000", 'the system fills no table of locks');

# ---- prepared transactions ----

foreach my $case (
	[ 'mia', $rename{mia}, '0A000' ],
	[ 'adam', $remove_max, '0A000' ],
	[ 'max', 'SELECT cnap_leave_workspace({ws})', '0A000' ],
	[ 'mia', $activate, '0A000' ],
	[ 'vera', $unassign, '0A000' ],
	[ 'sue', 'SELECT cnap_accept_invitation({ws_token})', '0A000' ],
	[ 'zoe', 'SELECT cnap_redeem_install_link({link}, {other})', '0A000' ],
	[ 'zoe', 'SELECT cnap_grant_management({other}, {org})', '0A000' ],
	[ 'vera', 'SELECT cnap_delete_organization({org})', '0A000' ],
	[ 'system', 'SELECT cnap_grant_management({other}, {org})', '00000' ],
	[ 'system', 'SELECT cnap_delete_organization({org})', '00000' ],
	[ 'olga', $revoke, '00000' ],
	[ 'vera', q{SELECT cnap_remove_organization_member({org}, 'mia')}, '00000' ])
{
	my ($person, $change, $sqlstate) = @$case;
	my $world = world();
	my $session = session($person);
	$session->query(filled($world, $change));
	$session->attempt("PREPARE TRANSACTION 'p'");
	is($session->{sqlstate}, $sqlstate, "prepared by $person: $change");
	$session->query($sqlstate eq '00000' ? "RESET ROLE; COMMIT PREPARED 'p'" : 'ROLLBACK');
	$session->quit;
}

# the operator's statement about one that is prepared nevertheless
{
	my $world = world();
	my $session = session('system');
	$session->query(filled($world, q{SELECT cnap_update_workspace({ws}, 'Mine'); PREPARE TRANSACTION 'p'}));
	my ($find) = grep { /pg_prepared_xacts/ } slurp_file('doc/operations.md') =~ /^```sql\n(.*?)^```$/msg;
	like($node->safe_psql('postgres', $find), qr/^p\|/, 'the guide finds it');
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'p'");
	is($node->safe_psql('postgres', $find), '', 'and no others');
	$session->quit;
}

like(slurp_file($node->logfile), qr/terminated process \d+, whose open transaction prevented access from being ended/,
	'the log tells why sessions were terminated');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP: |deadlock detected/, 'and no backend has crashed, or deadlocked');

$node->stop;
done_testing();
