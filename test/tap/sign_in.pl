#
# sign_in.pl: an access token and cnap.user_id never override each other, and a token that is passed
# as a parameter is seen by nobody
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_world('main', '');
my $admin = connect_to($node, undef);
my $token = act_as($node, 'postgres', 'mia', q{SELECT cnap_create_access_token('a script')});
my $erins = act_as($node, 'postgres', 'erin', q{SELECT cnap_create_access_token('another')});
my $MIA = "mia sees one,two, reaches $W1,$W2,$ASSIGNED,$ACTIVATED";
my $sign_in = "SELECT cnap_authenticate('$token', %s)";

# Like refused(), but the transaction goes on, at the savepoint s if there is one.
sub refused_within
{
	my ($session, $title, $statement, $sqlstate) = @_;

	$session->attempt($statement);
	is($session->{sqlstate}, $sqlstate, $title);
	$session->attempt('ROLLBACK TO s');
	return;
}

# ---- a session that is signed in ----

foreach my $is_local ('false', 'true')
{
	my $session = connect_to($node, 'cnap_app',
		q{CREATE FUNCTION pg_temp.as_erin() RETURNS text LANGUAGE sql SET cnap.user_id = 'erin' RETURN cnap_current_user()},
		'BEGIN', sprintf($sign_in, $is_local));
	my $when = $is_local eq 'true' ? 'signed in for the transaction' : 'signed in for the session';

	$session->query('SAVEPOINT s');
	foreach my $statement ("SET LOCAL cnap.user_id = 'erin'", "SET cnap.user_id = 'erin'", "SET cnap.user_id = 'mia'",
		q{SELECT set_config('cnap.user_id', 'erin', true)}, q{SELECT set_config('cnap.user_id', 'erin', false)},
		q{UPDATE pg_settings SET setting = 'erin' WHERE name = 'cnap.user_id'},
		q{DO $$ BEGIN SET LOCAL cnap.user_id = 'erin'; END $$})
	{
		refused_within($session, "$when: $statement", $statement, '55000');
		is(state($session), $MIA, "$when: still the token's user");
	}
	refused_within($session, "$when: a function's SET clause", 'SELECT pg_temp.as_erin()', '55000');

	# what takes no user, or gives nobody one
	$session->query($_) foreach q{SET LOCAL cnap.user_id = ''}, 'RESET cnap.user_id', 'SET cnap.user_id TO DEFAULT';
	is(state($session), $MIA, "$when: no other user is stated");
	is($session->query("SELECT cnap_authenticate('$erins', $is_local)"), 'erin', "$when: another token takes over");
	$session->query('COMMIT');

	# pgbouncer sends DISCARD ALL between clients
	$session->query('DISCARD ALL');
	$session->query("SET cnap.user_id = 'mia'");
	is(state($session), $MIA, "$when: DISCARD ALL ends it");
	$session->quit;
}
{
	my $session = connect_to($node, 'cnap_app', sprintf($sign_in, 'false'));
	$admin->query(q{UPDATE cnap.access_token SET revoked_at = now() WHERE name = 'another'});
	refused_within($session, 'the next client of a pooled connection', "BEGIN; SET LOCAL cnap.user_id = 'erin'", '55000');
	refused_within($session, 'and what it does then', 'SELECT cnap_current_user()', '25P02');
	$session->query('ROLLBACK');
	$session->query('RESET ALL');
	$session->query("SET cnap.user_id = 'carol'");
	is($session->query('SELECT cnap_current_user()'), 'carol', 'RESET ALL ends it');
	$session->quit;
}

# ---- a session with a user ----

foreach my $set ("SET cnap.user_id = 'carol'", "BEGIN; SET LOCAL cnap.user_id = 'carol'", q{SELECT set_config('cnap.user_id', 'carol', false)})
{
	my $session = connect_to($node, 'cnap_app', $set);

	foreach my $is_local ('true', 'false')
	{
		$session->attempt('SAVEPOINT s');
		refused_within($session, "after $set: signing in, is_local $is_local", sprintf($sign_in, $is_local), '55000');
		is($session->query('SELECT cnap_current_user()'), 'carol', 'the user is the same');
	}
	refused($session, "after $set: a wrong token says no more", q{SELECT cnap_authenticate('cnap_pat_no')}, '55000');
	$session->attempt('ROLLBACK');
	$session->query('RESET cnap.user_id');
	is($session->query(sprintf $sign_in, 'false'), 'mia', "after $set: once it has been reset");
	$session->quit;
}

# a default value that counts is a user, too
{
	$admin->query(q{ALTER ROLE cnap_app SET cnap.user_id = 'carol'});
	my $session = connect_to($node, 'cnap_app');
	refused($session, 'with a default value', sprintf($sign_in, 'true'), '55000');
	$session->quit;
	$admin->query(q{ALTER ROLE cnap_app RESET cnap.user_id; ALTER ROLE plain SET cnap.user_id = 'carol'});
	$session = connect_to($node, 'plain');
	is($session->query(sprintf $sign_in, 'false'), 'mia', 'with one that does not count');
	$admin->query(q{ALTER ROLE plain RESET cnap.user_id});
	$session->quit;
}

# ---- what SET LOCAL has covered comes back ----

my @asks = ('SELECT cnap_current_user()', "SELECT cnap_can_access('$W1')", 'SELECT count(*) FROM app.deployment',
	'SELECT cnap_accessible_workspaces()', 'SELECT * FROM cnap_workspaces()', q{SELECT cnap_create_workspace('Whose')},
	"INSERT INTO app.deployment VALUES (9, '$W1', 'nine')", 'SELECT * FROM app.deployment FOR UPDATE');
foreach my $way (
	[ 'a user of the session, at COMMIT',
		"SET cnap.user_id = 'carol'", 'BEGIN', q{SET LOCAL cnap.user_id = ''}, sprintf($sign_in, 'false'), 'COMMIT' ],
	[ 'a user of the transaction, from a function',
		'BEGIN', "SET LOCAL cnap.user_id = 'carol'",
		qq{CREATE FUNCTION pg_temp.sign_in() RETURNS text LANGUAGE sql SET cnap.user_id = '' AS \$\$@{[ sprintf $sign_in, 'false' ]}\$\$},
		'SELECT pg_temp.sign_in()' ],
	[ 'a token of the session, at COMMIT',
		sprintf($sign_in, 'false'), 'BEGIN', q{SET LOCAL cnap.session_token = ''}, "SET cnap.user_id = 'carol'", 'COMMIT' ],
	[ 'a token, after a savepoint',
		sprintf($sign_in, 'false'), 'BEGIN', 'SAVEPOINT s', q{SET LOCAL cnap.session_token = ''}, "SET cnap.user_id = 'carol'", 'RELEASE s', 'COMMIT' ])
{
	my ($title, @first) = @$way;
	my $session = connect_to($node, 'cnap_app');

	$admin->query('GRANT SET ON PARAMETER cnap.session_token TO cnap_app');
	$session->query($_) foreach @first;
	foreach my $ask (@asks)
	{
		$session->attempt('SAVEPOINT s');
		refused_within($session, "$title: $ask", $ask, '55000');
	}
	$session->attempt('SELECT cnap_current_user()');
	like($session->{error}, qr/DETAIL:  An access token is signed in, and parameter "cnap.user_id" is set/, "$title: the error says why");
	$session->attempt('ROLLBACK');
	$session->query('DISCARD ALL');
	is(state($session), $NOBODY, "$title: DISCARD ALL ends both");
	$session->quit;
	$admin->query('REVOKE SET ON PARAMETER cnap.session_token FROM cnap_app');
}

# the same in parallel workers, whose leader has not asked
{
	$admin->query(q{CREATE TABLE app.many AS SELECT 1 AS one FROM generate_series(1, 1000);
		GRANT SELECT ON app.many TO PUBLIC; ALTER TABLE app.many SET (parallel_workers = 2)});
	my $session = connect_to($node, 'cnap_app', 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;'
		  . ' SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off',
		"SET cnap.user_id = 'carol'", 'BEGIN', q{SET LOCAL cnap.user_id = ''}, sprintf($sign_in, 'false'), 'COMMIT');
	my $query = "SELECT count(*) FROM app.many WHERE cnap_current_user() = one::text";
	refused($session, 'in parallel workers', $query, '55000');
	$session->query(q{SET cnap.user_id = ''});
	is($session->query('SELECT count(*) FROM app.many WHERE cnap_current_user() IS NOT NULL'), '1000', 'where a token alone signs in');
	$session->quit;
}

# ---- a token as a parameter ----
#
# A second session of the same role, which sees what the first is executing, and everything that the
# server logs with log_statement = all and the plans of auto_explain.

my ($secret) = $token =~ /^cnap_pat_(.{32})/ or die 'no token';

sub tells
{
	my ($text) = @_;
	return index($text, $secret) >= 0 ? 'tells' : 'does not tell';
}

$node->append_conf('postgresql.conf', <<'END');
log_statement = all
log_min_error_statement = error
log_error_verbosity = verbose
log_duration = on
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
END

# PostgreSQL 16 has a setting of its own for the parameters that auto_explain logs
my $explains_parameters = major_version($node) >= 16;
$node->append_conf('postgresql.conf', 'auto_explain.log_parameter_max_length = 0') if $explains_parameters;
$node->reload;

my $watcher = connect_to($node, 'plain');
my $seen = q{SELECT coalesce(string_agg(query, ' '), '') FROM pg_stat_activity WHERE usename = 'plain' AND pid <> pg_backend_pid()};
my $call = 'SELECT cnap_authenticate($1, false)';

foreach my $length (0, -1)
{
	$admin->query("ALTER ROLE plain SET log_parameter_max_length = $length");
	my $wire = CnapAttack::Wire->new($node, user => 'plain');
	my $start = -s $node->logfile;

	is($wire->bind($call, $token), 'mia', "signing in by a parameter, log_parameter_max_length = $length");
	like($watcher->query($seen), qr/\Q$call\E/, '(another session of the role sees the statement)');
	is(tells($watcher->query($seen)), 'does not tell', 'the statement does not tell the token');
	$wire->bind($call, $token . 'x');
	is($wire->{sqlstate}, '28000', '(a mistyped one)');
	$wire->query("SET plan_cache_mode = 'force_generic_plan'");
	is($wire->bind($call, $token), 'mia', '(and once more)');
	my $log = substr slurp_file($node->logfile), $start;
	like($log, qr/execute <unnamed>: \Q$call\E/, '(the server logs the statement)');
	like($log, qr/Query Text: \Q$call\E/, '(and so does auto_explain)');
	like($log, qr/28000: invalid API key.*?STATEMENT:  \Q$call\E/s, '(and the error)');
	is(tells($log), $length == 0 ? 'does not tell' : 'tells',
		$length == 0 ? 'the log does not tell the token' : 'without log_parameter_max_length = 0, the log tells it');
}

# what remains, as the guide says
foreach my $way (
	[ 'as a literal', 'simple', [], 'tells', 'tells' ],
	[ 'with auto_explain.log_verbose', 'bind', ['auto_explain.log_verbose = on'], 'does not tell', 'tells' ],
	[ 'with auto_explain.log_verbose and a generic plan', 'prepare', [ 'auto_explain.log_verbose = on', 'plan_cache_mode = force_generic_plan' ],
		'does not tell', 'does not tell' ],
	$explains_parameters
	? [ 'with auto_explain.log_parameter_max_length', 'bind', ['auto_explain.log_parameter_max_length = -1'], 'does not tell', 'tells' ]
	: (),
	[ 'with log_parameter_max_length_on_error', 'wrong', ['log_parameter_max_length_on_error = -1'], 'does not tell', 'tells' ])
{
	my ($title, $how, $settings, $to_others, $to_log) = @$way;
	$admin->query('ALTER ROLE plain RESET ALL; ALTER ROLE plain SET log_parameter_max_length = 0');
	$admin->query("ALTER ROLE plain SET $_") foreach @$settings;
	my $wire = CnapAttack::Wire->new($node, user => 'plain');
	my $start = -s $node->logfile;

	$how eq 'simple' ? $wire->query("SELECT cnap_authenticate('$token', false)") : $wire->bind($call, $how eq 'wrong' ? "${token}x" : $token);
	is(tells($watcher->query($seen)), $to_others, "$title: another session of the role");
	is(tells(substr slurp_file($node->logfile), $start), $to_log, "$title: the log");
}

$watcher->quit;
$node->stop;
done_testing();
