# A cluster that pg_upgrade has moved gives the same answers, and protects the same rows: the object
# ids of types and functions, the privileges on the parameter and all settings come along, and default
# privileges give nobody any on the objects of the extension.
#
# The old cluster is one of the same version, or of an older one whose installation, with this
# extension in it, is in the directory $oldinstall.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old', $ENV{oldinstall} ? (install_path => $ENV{oldinstall}) : ());
$old->init(extra => ['--data-checksums']);    # versions differ in the default
$old->start;
my $db = 'source';
$old->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0; CREATE ROLE web");
grant_by_default($old, $db, 'web');
populate($old, $db);
$old->safe_psql($db, qq{
	CREATE TABLE app.task (id int PRIMARY KEY, deployment_id int NOT NULL REFERENCES app.deployment ON DELETE CASCADE);
	CREATE TABLE app.step (id int PRIMARY KEY, task_id int NOT NULL REFERENCES app.task ON DELETE CASCADE);
	INSERT INTO app.task SELECT id, id FROM app.deployment;
	INSERT INTO app.step SELECT id, id FROM app.deployment;
	SET client_min_messages = warning;
	SELECT cnap_protect_child('app.task', 'deployment_id', 'workspace_id');
	SELECT cnap_protect_child('app.step', 'task_id');
	GRANT SELECT, INSERT ON app.task, app.step TO cnap_app;
	ALTER ROLE cnap_app SET cnap.cache_size = '1MB';});
$old->safe_psql($db, q{CREATE ROLE anna LOGIN; SELECT cnap_set_role_user('anna', 'ann')});
my $token = act_as($old, $db, 'gus', q{SELECT cnap_create_access_token('Script', '2999-01-01')});

my @tables = split /\n/, $old->safe_psql($db, q{
	SELECT relname FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r' ORDER BY relname});
my @people = ('ann', 'carol', 'gus', 'nobody');
my $tree = q{SELECT (SELECT count(*) FROM app.deployment), (SELECT count(*) FROM app.task), (SELECT count(*) FROM app.step)};
my @catalogs = (
	'SELECT * FROM cnap_protected_tables() ORDER BY relation::text',
	'SELECT * FROM cnap_lint()',
	'SELECT last_value, is_called FROM cnap.audit_log_id_seq',
	q{SELECT evtname, evtevent, evtenabled, evttags FROM pg_event_trigger ORDER BY evtname},
	q{SELECT p.oid::regprocedure::text, has_function_privilege('cnap_app', p.oid, 'EXECUTE')
		FROM pg_proc p WHERE proname LIKE 'cnap\_%' ORDER BY 1},
	q{SELECT has_parameter_privilege('cnap_app', 'cnap.user_id', 'SET'),
		has_table_privilege('cnap_app', 'cnap.workspace', 'REFERENCES')},
	$PRIVILEGES);

# all that a cluster tells, by a name
sub told
{
	my ($node) = @_;
	my %told = (answers => answers($node, $db));

	$told{"rows of $_"} = table_rows($node, $db, $_) foreach @tables;
	$told{$_} = $node->safe_psql($db, $_) foreach @catalogs;
	$told{"what $_ sees"} = act_as($node, $db, $_, $tree) foreach @people;
	return %told;
}

my %before = told($old);
like($before{answers}, qr/ann\|$W1\|t\|admin/, 'the answers are about something');
is($before{'what ann sees'}, '2|2|2', 'and so are the protected rows');
is($before{'what nobody sees'}, '0|0|0', 'which not everybody sees');
like($before{$PRIVILEGES}, qr/^function cnap_current_user\(\)\|PUBLIC\|EXECUTE\|f$/m, 'and so are the privileges');
unlike($before{$PRIVILEGES}, qr/web/, 'of which default privileges grant none');
my $cursor = $old->safe_psql($db, 'SELECT cnap_audit_cursor()');
act_as($old, $db, 'carol', qq{SELECT FROM cnap_add_workspace_member('$W1', 'not read before')});
%before = told($old);
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => ['--data-checksums']);
chdir PostgreSQL::Test::Utils::tempdir();    # where it leaves its scripts
command_ok(
	[
		'pg_upgrade', '--no-sync', '-b', $old->config_data('--bindir'), '-B', $new->config_data('--bindir'),
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-p', $old->port, '-P', $new->port, '-s', $new->host
	],
	'pg_upgrade');
$new->start;

my %after = told($new);
is($after{$_}, $before{$_}, "same $_") foreach sort keys %before;

# everything works as before
is(act_as($new, $db, '', "SELECT cnap_authenticate('$token')"), 'gus', 'an access token');
is($new->safe_psql($db, 'SELECT cnap_current_user()', extra_params => [ '-U', 'anna' ]), 'ann', "a role's user");
is(refused_as($new, $db, 'gus', 'INSERT INTO app.task VALUES (4, 2)'), '42501', 'a parent that is hidden');
is(act_as($new, $db, 'gus', "INSERT INTO app.task VALUES (4, 1); $tree"), '1|2|1', 'a parent that is not');
is(refused_as($new, $db, 'ann', qq{SELECT cnap_leave_organization('$ACME')}), '23001', 'the rules hold');
act_as($new, $db, 'carol', qq{SELECT cnap_revoke_management('$W1')});
is(act_as($new, $db, 'ann', $tree), '1|1|1', 'a revocation takes effect');
is($new->safe_psql($db, "SELECT action, subject FROM cnap_audit_feed('$cursor') LIMIT 2"),
	"workspace_member.add|not read before\nmanagement.revoke|", 'the audit log is followed from where it was');
my ($status, undef, $error) = $new->psql($db, 'DROP EXTENSION cnap_org CASCADE');
isnt($status, 0, 'the extension is guarded');
like($error, qr/while it protects tables/, 'by its event trigger');

$new->stop;
done_testing();
