# Changes of access in a prepared transaction
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', '');
populate($node, 'postgres');

is(seen_by($node, 'postgres', 'mia'), 'one,two', 'a manager sees the customers');

act_as($node, 'postgres', 'carol', qq{
	BEGIN;
	SELECT cnap_revoke_management('$W1');
	SELECT cnap_add_workspace_member('$W1', 'hal');
	PREPARE TRANSACTION 'revoke';});
is(seen_by($node, 'postgres', 'mia'), 'one,two', 'what is prepared has no effect yet');
is(seen_by($node, 'postgres', 'hal'), 'none', 'nor has a new member');

# the session that prepared it continues without its changes
is(act_as($node, 'postgres', 'dave', qq{
	BEGIN;
	SELECT cnap_add_workspace_member('$W2', 'ivy');
	SELECT cnap_can_access('ivy', '$W2');
	PREPARE TRANSACTION 'add';
	SELECT cnap_can_access('ivy', '$W2');
	SELECT string_agg(note, ',') FROM app.deployment;
	COMMIT PREPARED 'add';
	SELECT cnap_can_access('ivy', '$W2');}),
	"\nt\nf\ntwo\nt", 'a session forgets what it has prepared, until it is committed');

# a prepared change holds its locks: nothing is decided on data that is about to change
is(refused_as($node, 'postgres', 'carol', qq{
	SET lock_timeout = '100ms'; SELECT cnap_remove_workspace_member('$W1', 'gus');}),
	'55P03', 'a change of the same workspace waits');

# it survives a crash
$node->stop('immediate');
$node->start;
is(seen_by($node, 'postgres', 'mia'), 'one,two', 'no effect after a crash either');
$node->safe_psql('postgres', q{COMMIT PREPARED 'revoke'});
is(seen_by($node, 'postgres', 'mia'), 'two', 'COMMIT PREPARED revokes');
is(seen_by($node, 'postgres', 'hal'), 'one', 'and adds');
like(table_rows($node, 'postgres', 'audit_log'), qr/carol,cnap_app,management\.revoke/, 'with its audit entries');

# a session in an open transaction sees it at once
my $in_transaction = act_as($node, 'postgres', 'hal', qq{
	BEGIN ISOLATION LEVEL REPEATABLE READ;
	SELECT string_agg(note, ',') FROM app.deployment;
	SELECT 1 FROM pg_prepared_xacts;
	COMMIT;});
is($in_transaction, 'one', 'nothing is prepared any more');

act_as($node, 'postgres', 'carol', qq{
	BEGIN;
	SELECT cnap_remove_workspace_member('$W1', 'hal');
	PREPARE TRANSACTION 'remove';});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'remove'});
is(seen_by($node, 'postgres', 'hal'), 'one', 'ROLLBACK PREPARED leaves everything as it was');

# what a pooled session has done before for somebody with fewer rights, who could not prepare it
foreach my $end ('COMMIT', 'ROLLBACK', q{PREPARE TRANSACTION 'refused'})
{
	my $session = connect_to($node, undef);

	$session->query(qq{SET ROLE cnap_app; SET cnap.user_id = 'gus'; BEGIN; SELECT cnap_update_workspace('$W1', 'His')});
	$session->attempt($end);
	$session->attempt(qq{SET cnap.user_id = 'carol'; BEGIN; SELECT cnap_update_workspace('$W1', 'Hers'); PREPARE TRANSACTION 'later'});
	is($session->{error}, '', "the owner prepares a transaction in a session after $end by an admin");
	$session->query(q{RESET ROLE; ROLLBACK PREPARED 'later'});
	$session->quit;
}

# the last owner steps down in a prepared transaction, and another one meanwhile
act_as($node, 'postgres', 'ann', qq{SELECT cnap_set_organization_role('$ACME', 'mia', 'owner');
	BEGIN; SELECT cnap_leave_organization('$ACME'); PREPARE TRANSACTION 'leave';});
is(refused_as($node, 'postgres', 'mia', qq{SET lock_timeout = '100ms'; SELECT cnap_leave_organization('$ACME')}),
	'55P03', 'the other owner waits');
$node->safe_psql('postgres', q{COMMIT PREPARED 'leave'});
is(refused_as($node, 'postgres', 'mia', qq{SELECT cnap_leave_organization('$ACME')}), '23001', 'and has to stay');

$node->stop;
done_testing();
