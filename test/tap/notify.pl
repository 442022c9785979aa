# The notifications of changes, on the channel cnap
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use Encode qw(encode_utf8);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', '');
populate($node, 'postgres');

# none unless an administrator turns them on
is(act_as($node, 'postgres', 'carol', qq{LISTEN cnap; SELECT FROM cnap_add_workspace_member('$W1', 'zoe');
	SELECT FROM cnap_remove_workspace_member('$W1', 'zoe');}), '', 'off by default');
is(refused_as($node, 'postgres', 'carol', 'SELECT cnap_current_user(); SET cnap.notify = on;'), '42501',
	'turning them on is not for everybody');
$node->append_conf('postgresql.conf', 'cnap.notify = on');
$node->reload;

# The payloads that a listener gets for a script, which is executed as a person, decoded
sub heard
{
	my ($person, $sql) = @_;
	my $out = act_as($node, 'postgres', $person, "LISTEN cnap;\n$sql");
	return map { length($_) < 8000 or die "too long: $_"; decode_json($_) }
	  $out =~ /notification "cnap" with payload "(.*)" received from/g;
}

sub actions
{
	return join(' ', map { $_->{action} } heard(@_));
}

# the payload
my ($added) = heard('carol', qq{SELECT cnap_add_workspace_member('$W1', 'hal');});
is_deeply($added,
	{ action => 'workspace_member.add', workspace => $W1, subject => 'hal', actor => 'carol' },
	'a payload names the change');
my ($granted) = heard('erin', qq{SELECT cnap_grant_management('$W3', '$ACME');});
is_deeply($granted,
	{ action => 'management.grant', workspace => $W3, organization => $ACME, actor => 'erin' },
	'a grant names both sides');
my ($direct) = heard('erin', qq{RESET ROLE; RESET cnap.user_id; DELETE FROM cnap.workspace_member WHERE user_id = 'hal';});
is_deeply($direct, { action => 'workspace_member.remove', workspace => $W1, subject => 'hal' },
	'a direct statement is heard, with nobody as its actor');

# another session hears it, as any role
my $out = $node->safe_psql('postgres', qq{
	CREATE ROLE listener;
	SET ROLE listener;
	LISTEN cnap;
	RESET ROLE;
	SET cnap.user_id = 'carol';
	SELECT cnap_add_workspace_member('$W1', 'hal');});
like($out, qr/"cnap" with payload ".*workspace_member\.add/, 'an ordinary role hears it');

# one for each change, in order
is(actions('carol', qq{
	BEGIN;
	SELECT cnap_remove_workspace_member('$W1', 'hal');
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	SELECT cnap_set_workspace_role('$W1', 'ivy', 'admin');
	SELECT cnap_remove_workspace_member('$W1', 'ivy');
	COMMIT;}),
	'workspace_member.remove workspace_member.add workspace_member.role workspace_member.remove',
	'in the order of the changes');
is(actions('carol', qq{
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	SELECT cnap_remove_workspace_member('$W1', 'ivy');}),
	'workspace_member.add workspace_member.remove', 'also from one transaction after the other');
my @many = heard('ann', qq{SELECT cnap_add_organization_member('$ACME', 'person ' || n) FROM generate_series(1, 300) n;});
is(join(' ', map { $_->{subject} } @many), join(' ', map { "person $_" } 1 .. 300), 'three hundred in one statement');

# none for what is rolled back
is(actions('carol', qq{BEGIN; SELECT cnap_add_workspace_member('$W1', 'ivy'); ROLLBACK;}), '', 'none after ROLLBACK');
is(actions('carol', qq{
	BEGIN;
	SAVEPOINT a;
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	SAVEPOINT b;
	SELECT cnap_set_workspace_role('$W1', 'ivy', 'admin');
	ROLLBACK TO b;
	SAVEPOINT c;
	SELECT cnap_add_workspace_member('$W1', 'jon');
	RELEASE c;
	SELECT cnap_set_workspace_role('$W1', 'jon', 'admin');
	ROLLBACK TO a;
	SELECT cnap_add_workspace_member('$W1', 'kim');
	SAVEPOINT d;
	SELECT cnap_remove_workspace_member('$W1', 'kim');
	RELEASE a;
	COMMIT;}),
	'workspace_member.add workspace_member.remove', 'none of what a savepoint takes back');
is(actions('carol', qq{
	BEGIN;
	SAVEPOINT a;
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	RELEASE a;
	SAVEPOINT b;
	SELECT cnap_set_workspace_role('$W1', 'ivy', 'admin');
	ROLLBACK TO b;
	SELECT cnap_remove_workspace_member('$W1', 'ivy');
	COMMIT;}),
	'workspace_member.add workspace_member.remove', 'but all of what a released one before it has left');
is(actions('carol', qq{
	DO \$\$ BEGIN
		BEGIN
			PERFORM cnap_add_workspace_member('$W1', 'ivy');
			RAISE 'no';
		EXCEPTION WHEN OTHERS THEN
			PERFORM cnap_add_workspace_member('$W1', 'jon');
		END;
		PERFORM cnap_remove_workspace_member('$W1', 'jon');
	END \$\$;}),
	'workspace_member.add workspace_member.remove', 'nor of a block that fails');
# PostgreSQL sends equal notifications of a transaction once, but those of a savepoint that is taken
# back do not count
is(actions('carol', qq{
	BEGIN;
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	SELECT cnap_remove_workspace_member('$W1', 'ivy');
	SAVEPOINT a;
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	RELEASE a;
	SELECT cnap_remove_workspace_member('$W1', 'ivy');
	COMMIT;}),
	'workspace_member.add workspace_member.remove', 'equal ones are sent once');
is(actions('carol', qq{
	BEGIN;
	SAVEPOINT a;
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	ROLLBACK TO a;
	SELECT cnap_add_workspace_member('$W1', 'jon');
	SELECT cnap_remove_workspace_member('$W1', 'jon');
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	SELECT cnap_remove_workspace_member('$W1', 'ivy');
	COMMIT;}),
	'workspace_member.add workspace_member.remove workspace_member.add workspace_member.remove',
	'in the place of the one that remains');
is(actions('carol', qq{SELECT cnap_add_workspace_member('$W1', 'ivy'), cnap_accessible_workspaces() FROM (SELECT 1) s WHERE 1 = 1; SELECT 1;
	SELECT cnap_remove_workspace_member('$W1', 'ivy');}),
	'workspace_member.add workspace_member.remove', 'what went before leaves nothing behind');
is(actions('carol', qq{SELECT cnap_update_workspace('$W1', 'Globex');}), '', 'none where nothing changed');

# nor for a prepared transaction, in which NOTIFY is impossible
is(actions('carol', qq{
	BEGIN;
	SELECT cnap_add_workspace_member('$W1', 'ivy');
	PREPARE TRANSACTION 'p';
	COMMIT PREPARED 'p';
	SELECT cnap_remove_workspace_member('$W1', 'ivy');}),
	'workspace_member.remove', 'none of a prepared transaction');

# the longest possible values
my ($long) = heard('carol', "SELECT cnap_add_workspace_member('$W1', 'x' || repeat(E'\\x01', 253) || 'x');");
is($long->{subject}, 'x' . "\x01" x 253 . 'x', 'the longest id, escaped to the longest payload');
my $odd = q{"\\} . "\xc3\xa9" x 120 . q{'};
my ($created) = heard($odd, "SELECT cnap_create_organization(repeat('n', 255));");
is(encode_utf8($created->{actor}), $odd, 'an id that needs escapes arrives as it is');

# the use of a token names both sides, but not the token
my $link = act_as($node, 'postgres', 'ann', "SELECT cnap_create_install_link('$ACME');");
is_deeply([ heard('dave', "SELECT cnap_redeem_install_link('$link', '$W2');") ],
	[ { action => 'install_link.redeem', organization => $ACME, workspace => $W2, actor => 'dave' },
		{ action => 'management.change', organization => $ACME, workspace => $W2, actor => 'dave' } ],
	'a link that is redeemed');
my $invitation = act_as($node, 'postgres', 'ann', "SELECT cnap_invite_to_organization('$ACME', email => 'new\@acme.example');");
is_deeply([ heard('y' . "\x02" x 253 . 'y', "SELECT cnap_accept_invitation('$invitation');") ],
	[ map { { action => $_, organization => $ACME, subject => 'y' . "\x02" x 253 . 'y', actor => 'y' . "\x02" x 253 . 'y' } }
		  'invitation.accept', 'organization_member.add' ],
	'an invitation that is accepted, by the longest id');
is_deeply([ heard('ann', "SELECT cnap_create_install_link('$ACME', 'A label') \\g /dev/null\nSELECT cnap_invite_to_organization('$ACME') \\g /dev/null\n") ],
	[ map { { action => $_, organization => $ACME, actor => 'ann' } } 'install_link.create', 'invitation.create' ],
	'a new link, a new invitation');

my ($user, $heir) = map { $_ . "\x03" x 253 . $_ } 'z', 'h';
act_as($node, 'postgres', $user, "SELECT cnap_create_workspace('Left');");
my ($transfer, $forget) = heard('y' . "\x02" x 253 . 'y', "SELECT cnap_forget_user('$user', '$heir');");
is_deeply([ $transfer->{action}, $transfer->{subject}, $transfer->{actor} ], [ 'workspace.transfer', $heir, 'y' . "\x02" x 253 . 'y' ],
	'a successor, by the longest ids');
is_deeply($forget, { action => 'user.forget', subject => $user, actor => 'y' . "\x02" x 253 . 'y' },
	'somebody who is forgotten, by the longest ids');

# turned off by a superuser, for all sessions or for one
is(actions('carol', qq{
	SET cnap.notify = off;
	SELECT cnap_add_workspace_member('$W1', 'kai');
	SELECT cnap_remove_workspace_member('$W1', 'kai');}),
	'workspace_member.add workspace_member.remove', 'not by somebody else');
is(actions('carol', qq{
	RESET ROLE; SET cnap.notify = off; SET ROLE cnap_app;
	SELECT cnap_add_workspace_member('$W1', 'lea');
	RESET ROLE; SET cnap.notify = on; SET ROLE cnap_app;
	SELECT cnap_remove_workspace_member('$W1', 'lea');}),
	'workspace_member.remove', 'none while cnap.notify is off');
is(refused_as($node, 'postgres', 'carol', 'SELECT cnap_current_user(); SET cnap.notify = off;'), '42501',
	'which is not for everybody');
$node->append_conf('postgresql.conf', 'cnap.notify = off');
$node->reload;
is(actions('carol', qq{SELECT cnap_add_workspace_member('$W1', 'lea');}), '', 'none while the configuration has it off');
like(table_rows($node, 'postgres', 'audit_log'), qr/workspace_member.add.*lea/, 'but the audit log has it all');

$node->stop;
done_testing();
