# A database that is dumped and restored gives the same answers, and has the same audit log.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', '');
$node->safe_psql('postgres', 'CREATE DATABASE source TEMPLATE template0');
populate($node, 'source');

# more of everything: odd and long values, what has ended, what is gone
my $odd = q{o'dd \\ "user" ⚙	tab};
my $long = 'x' x 255;
act_as($node, 'source', 'erin', qq{
	SELECT cnap_add_workspace_member('$W3', '$long', 'admin');
	SELECT cnap_update_workspace('$W3', 'Hooli \\ "quoted" ⚙', '{"a": [1, null, "\\u00e9"]}');
	SELECT cnap_set_workspace_billing('$W3', 'bill\@hooli.example', 'cus_1');
	SELECT cnap_grant_management('$W3', '$ACME');
	SELECT cnap_transfer_workspace('$W3', '$long');});
act_as($node, 'source', $odd, q{
	SELECT cnap_create_organization('Gone', 'gone', 'https://gone.example/l.png', 'a@gone.example');
	SELECT cnap_delete_organization(id) FROM cnap_organizations();
	SELECT cnap_create_organization('Odd', 'odd');
	SELECT cnap_create_workspace(repeat('é', 255)) FROM generate_series(1, 20);
	SELECT cnap_delete_workspace(id) FROM (SELECT id FROM cnap_workspaces() LIMIT 3) w;});
act_as($node, 'source', 'ann', qq{
	SELECT cnap_remove_organization_member('$ACME', 'mia');
	SELECT cnap_assign_manager('$ASSIGNED', 'ann', '2999-01-01 12:34:56.789');
	SELECT cnap_activate_management('$ACTIVATED', 'Odd \\ "reason" ⚙');});

# tokens of each kind, some used, some ended
sub token
{
	my ($person, $call) = @_;
	return act_as($node, 'source', $person, "SELECT $call;");
}
my $access = token('erin', q{cnap_create_access_token('Script', '2999-01-01')});
my $link = token('ann', qq{cnap_create_install_link('$ACME', 'Odd \\ "label" ⚙', 2, '2999-01-01', 'member', '1 year 2 mons 3 days')});
my $revoked = token('ann', qq{cnap_create_install_link('$ACME')});
my $invitation = token('ann', qq{cnap_invite_to_organization('$ACME', 'admin', 'new\@acme.example', '2999-01-01')});
my $accepted = token('carol', qq{cnap_invite_to_workspace('$W1', 'admin', expires_at => 'infinity')});
act_as($node, 'source', '', "SELECT cnap_authenticate('$access')");
act_as($node, 'source', 'erin', qq{
	SELECT cnap_revoke_access_token(t.id) FROM cnap_create_access_token('Former') n, cnap_access_tokens() t WHERE name = 'Former';});
act_as($node, 'source', $odd, qq{
	SELECT cnap_redeem_install_link('$link', cnap_create_workspace('Linked'));
	SELECT cnap_accept_invitation('$accepted');});
act_as($node, 'source', 'ann', qq{
	SELECT cnap_revoke_install_link(id) FROM cnap_install_links('$ACME') WHERE label IS NULL;
	SELECT cnap_revoke_invitation(i.id) FROM cnap_invite_to_organization('$ACME', email => 'gone\@acme.example') n,
		cnap_invitations('$ACME') i WHERE email = 'gone\@acme.example';});
# roles and permissions of the application's own, held in each way, and named by a policy
$node->safe_psql('source', qq{
	SELECT cnap_define_permission('deploy', roles => '{admin}', delegable => false);
	SELECT cnap_define_role('deployer', '{deploy,manage_members}');
	CREATE TABLE app.release (workspace_id uuid);
	SELECT cnap_define_permission('audit', roles => '{admin}');
	SELECT cnap_protect('app.release', write_permission => 'deploy', read_permission => 'audit');});
act_as($node, 'source', 'carol', qq{
	SELECT cnap_add_workspace_member('$W1', 'rel', 'deployer');
	SELECT cnap_invite_to_workspace('$W1', 'deployer');});
act_as($node, 'source', 'dave', qq{SELECT cnap_grant_management('$W2', '$ACME', 'deployer');});
my $limited = token('carol', qq{cnap_create_access_token('Limited', workspaces => '{$W1}', permissions => '{deploy}')});
act_as($node, 'source', 'ann', qq{SELECT cnap_create_install_link('$ACME', role => 'deployer');});

$node->safe_psql('source', qq{
	UPDATE cnap.workspace SET managed_until = '2020-01-01' WHERE id = '$W3';
	UPDATE cnap.organization SET customer_id = 'cus_2', metadata = '{"k": "v"}' WHERE id = '$ACME';
	DELETE FROM cnap.audit_log WHERE id = 2;
	CREATE TABLE app.import (workspace_id uuid PRIMARY KEY);
	SELECT cnap_accept_finding('table_unprotected', 'app.import', 'only servers read it');});

$node->safe_psql('source', q{CREATE ROLE "O'Dd ""role""" LOGIN; CREATE ROLE "16384" LOGIN; CREATE ROLE former;
	SELECT cnap_set_role_user('"O''Dd ""role"""', 'erin'); SELECT cnap_set_role_user('"16384"', 'carol');
	SELECT cnap_set_role_user('former', 'ann'); ALTER ROLE "16384" RENAME TO "Renamed"});

my @tables = split /\n/, $node->safe_psql('source', q{
	SELECT relname FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r' ORDER BY relname});
# a restored database has a history of its own, of which the restored entries are a part
@tables = grep { $_ ne 'audit_history' } @tables;
my $history = $node->safe_psql('source', 'TABLE cnap.audit_history');
my $cursor = $node->safe_psql('source', 'SELECT cnap_audit_cursor()');

sub rows_of
{
	my ($db, $table) = @_;
	my $rows = table_rows($node, $db, $table);
	return $table eq 'audit_log' ? $rows =~ s/,\d+\)$/)/mgr : $rows;
}
my %rows = map { $_ => rows_of('source', $_) } @tables;
my $answers = answers($node, 'source');
my $rights = q{SELECT p.oid::regprocedure::text, has_function_privilege('cnap_app', p.oid, 'EXECUTE')
	FROM pg_proc p WHERE proname LIKE 'cnap\_%'
	UNION ALL SELECT c.oid::regclass::text, has_table_privilege('cnap_app', c.oid, 'REFERENCES')
	FROM pg_class c WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r' ORDER BY 1};
my $policies = q{SELECT polname, polcmd, polpermissive, polroles, pg_get_expr(polqual, polrelid),
	pg_get_expr(polwithcheck, polrelid) FROM pg_policy ORDER BY polrelid::regclass::text, polname};

foreach my $table (grep { !/epoch|^beat/ } @tables)
{
	isnt($rows{$table}, '', "there is something in $table");
}
like($answers, qr/carol\|$W1\|t\|owner/, 'the answers are about something');
cmp_ok(scalar(split(/\n/, $rows{audit_log})), '>', 30, 'and so is the audit log');

# Compares texts line by line, and shows the first line that differs.
sub same
{
	my ($got, $expected, $name) = @_;
	my @got = split /\n/, $got;
	my @expected = split /\n/, $expected;
	my $n = 0;
	$n++ while $n < @expected && $n < @got && $got[$n] eq $expected[$n];
	is($got[$n], $expected[$n], $name);
}

# Restores the dump in a new database, and compares that with the source.
sub compare
{
	my ($db, $restore) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	$restore->($db);

	same(rows_of($db, $_), $rows{$_}, "$db: same $_") foreach @tables;
	is($node->safe_psql($db, q{SELECT count(*), count(DISTINCT id) FROM cnap.audit_history}) . ' ' .
		  $node->safe_psql($db, "SELECT id = '$history' FROM cnap.audit_history"), '1|1 f', "$db: a history of its own");
	my (undef, undef, $refusal) = $node->psql($db, "SELECT * FROM cnap_audit_feed('$cursor')");
	like($refusal, qr/the cursor belongs to another history/, "$db: a cursor of the source is refused");
	is($node->safe_psql($db, 'SELECT count(*) FILTER (WHERE NOT pg_visible_in_snapshot(xid, pg_current_snapshot())) FROM cnap.audit_log'),
		'0', "$db: restored entries are those of transactions here");
	same(answers($node, $db), $answers, "$db: same answers");
	same($node->safe_psql($db, $_), $node->safe_psql('source', $_), "$db: same catalogs")
	  foreach ($rights, $policies, 'SELECT * FROM cnap_protected_tables()', 'SELECT * FROM cnap_lint()',
		'SELECT last_value, is_called FROM cnap.audit_log_id_seq');
	is(seen_by($node, $db, $_), seen_by($node, 'source', $_), "$db: $_ sees the same")
	  foreach ('ann', 'carol', 'erin', 'gus', 'nobody');

	# the audit log continues from there
	my $last = $node->safe_psql($db, 'SELECT max(id) FROM cnap.audit_log');
	act_as($node, $db, 'carol', qq{SELECT cnap_revoke_management('$W1');});
	is($node->safe_psql($db, 'SELECT id, action FROM cnap.audit_log ORDER BY id DESC LIMIT 1'),
		$last + 1 . '|management.revoke', "$db: the audit log continues");
	is(seen_by($node, $db, 'ann'), 'two', "$db: a revocation takes effect");
	is(refused_as($node, $db, 'ann', qq{SELECT cnap_leave_organization('$ACME')}), '23001',
		"$db: the rules hold");
	is(act_as($node, $db, '', "SELECT cnap_authenticate('$limited', false);
		SELECT cnap_has_permission('$W1', 'deploy'), cnap_has_permission('$W1', 'access')"), "carol\nt|f", "$db: a limited access token");
	$node->safe_psql($db, qq{DELETE FROM cnap.workspace WHERE id = '$W1'});
	is($node->safe_psql($db, 'SELECT count(*) FROM app.deployment'), '2', "$db: foreign keys hold");

	# tokens that were valid still are, and no others
	is(act_as($node, $db, '', "SELECT cnap_authenticate('$access')"), 'erin', "$db: an access token");
	is(refused_as($node, $db, 'dave', "SELECT cnap_redeem_install_link('$revoked', '$W2')"), '22023', "$db: a revoked link");
	is(refused_as($node, $db, 'hal', "SELECT cnap_accept_invitation('$accepted')"), '22023', "$db: an accepted invitation");
	act_as($node, $db, 'hal', "SELECT cnap_accept_invitation('$invitation')");
	act_as($node, $db, 'hal', "SELECT cnap_redeem_install_link('$link', cnap_create_workspace('Hal'))");
	is(refused_as($node, $db, 'ivy', "SELECT cnap_redeem_install_link('$link', cnap_create_workspace('Ivy'))"), '22023',
		"$db: a link that is used up");
}

my $dir = PostgreSQL::Test::Utils::tempdir();
my $privileges = $node->safe_psql('source', $PRIVILEGES);
like($privileges, qr/^function cnap_forget_user\(text,text\)\|cnap_app\|EXECUTE\|f$/m, 'there are privileges');

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'source' ], 'pg_dump');
compare('plain', sub {
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", $_[0] ],
			'restore by psql');
});
compare('one_transaction', sub {
		$node->command_ok([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", $_[0] ],
			'restore by psql in one transaction');
});

$node->command_ok([ 'pg_dump', '--inserts', '-f', "$dir/inserts.sql", 'source' ], 'pg_dump --inserts');
compare('inserts', sub {
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/inserts.sql", $_[0] ],
			'restore of INSERT statements');
});

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'source' ], 'pg_dump -Fc');
compare('custom', sub {
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $_[0], "$dir/custom" ], 'restore by pg_restore');
});

# default privileges of the database give nobody any on the extension's objects
$node->safe_psql('postgres', 'CREATE ROLE web; CREATE DATABASE defaults TEMPLATE template0');
grant_by_default($node, 'defaults', 'web');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'defaults', "$dir/custom" ],
	'restore with default privileges');
same($node->safe_psql('defaults', $PRIVILEGES), $privileges, 'defaults: same privileges');
is($node->safe_psql('defaults', q{SELECT rule, count(*) FROM cnap_lint() WHERE object ~ 'cnap' GROUP BY rule}), '',
	'defaults: no findings about them');
compare('jobs', sub { restore_in_parallel($node, $_[0], "$dir/custom") });

# policies that are there before the permissions that they name
$node->safe_psql('postgres', 'CREATE DATABASE later TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'later', "--section=$_", "$dir/custom" ], "restore of $_")
  foreach ('pre-data', 'post-data');
is($node->safe_psql('later', q{SELECT enforced FROM cnap_protected_tables() WHERE relation = 'app.release'::regclass})
	  . $node->safe_psql('later', q{SELECT object FROM cnap_lint() WHERE rule = 'permission_undefined' AND object = 'app.release'}),
	'fapp.release', 'later: undefined permissions');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'later', '--section=data', '-n', 'cnap', '-t', $_, "$dir/custom" ],
	"restore of $_") foreach ('role_definition', 'permission_definition');
same($node->safe_psql('later', $_), $node->safe_psql('source', $_), "later: same $_")
  foreach ('SELECT * FROM cnap_protected_tables()', 'SELECT * FROM cnap_roles()');

# the owner of the tables may dump their schema, and restore it where the extension is
$node->safe_psql('postgres', 'CREATE ROLE dump_owner LOGIN; CREATE DATABASE model; CREATE DATABASE copy');
$node->safe_psql('model', q{
	CREATE EXTENSION cnap_org;
	SELECT cnap_define_permission('deploy');
	CREATE SCHEMA app AUTHORIZATION dump_owner;
	CREATE TABLE app.release (workspace_id uuid REFERENCES cnap.workspace);
	SELECT cnap_protect('app.release', write_permission => 'deploy');
	ALTER TABLE app.release OWNER TO dump_owner;});
$node->safe_psql('copy', q{
	CREATE EXTENSION cnap_org;
	SELECT cnap_define_permission('deploy');
	GRANT CREATE ON DATABASE copy TO dump_owner;
	GRANT REFERENCES ON cnap.workspace TO dump_owner;});
$node->command_ok([ qw(pg_dump -U dump_owner --schema-only -n app -f), "$dir/schema", 'model' ],
	'a dump of the schema by its owner');
$node->command_ok([ qw(psql -X -q -U dump_owner -v ON_ERROR_STOP=1 -o), "$dir/output", '-f', "$dir/schema", 'copy' ],
	'and is restored by the owner');
same($node->safe_psql('copy', $_), $node->safe_psql('model', $_), "copy: same $_")
  foreach ('SELECT * FROM cnap_protected_tables()');

# the dump of a restored database is the same
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/again", 'source' ], 'pg_dump again');
$node->safe_psql('postgres', 'CREATE DATABASE first TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-d', 'first', "$dir/again" ], 'first restore');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/second", 'first' ], 'dump of the restored database');
compare('second', sub {
		$node->command_ok([ 'pg_restore', '-d', $_[0], "$dir/second" ], 'second restore');
});

$node->stop;
done_testing();
