# Signing in with an access token: how long that lasts, when it is cut off, and what is written
#
# The roles are those of CnapAttack.pm: the sessions that sign in use the role plain, which has no
# other way to become a user. Attacks on tokens are in attack_*.pl.
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

my $MIA = "mia sees one,two, reaches $W1,$W2,$ASSIGNED,$ACTIVATED";

my $primary = new_world('primary', '', allows_streaming => 1);
my $admin = connect_to($primary, undef);
my $token = act_as($primary, 'postgres', 'mia', q{SELECT cnap_create_access_token('script')});
my $id = $admin->query('SELECT id FROM cnap.access_token');
my $session = connect_to($primary, 'plain');

sub sign_in
{
	my ($who, $is_local, $which) = @_;
	return $who->query(sprintf q{SELECT cnap_authenticate('%s', %s)}, $which // $token, $is_local ? 'true' : 'false');
}

# Changes of a token that only a superuser can make are made by direct statements.
sub set_token
{
	my ($assignment, $which) = @_;
	return $admin->query(sprintf 'UPDATE cnap.access_token SET %s WHERE id = %s', $assignment, "'" . ($which // $id) . "'");
}

# ---- what the database stores ----

like($token, qr/^cnap_pat_[a-z2-7]{39}$/, 'a token has its format');
is($admin->query("SELECT token_hash = sha256('$token') FROM cnap.access_token"), 't', 'its hash is stored');
is($admin->query(qq{SELECT count(*) FROM cnap.access_token t, cnap.audit_log a
	WHERE t::text || a::text LIKE '%' || substr('$token', 10) || '%'}), '0', 'and the token itself is stored nowhere');
my @tokens = map { act_as($primary, 'postgres', 'gus', q{SELECT cnap_create_access_token('another')}) } 1 .. 3;
is(scalar(keys %{ { map { $_ => 1 } @tokens } }), 3, 'all tokens differ');

# ---- how long it lasts ----

is(state($session), $NOBODY, 'nobody has signed in');
is($session->query("BEGIN; SELECT cnap_authenticate('$token')"), 'mia', 'signing in for the transaction');
is(state($session), $MIA, 'lasts for the rest of it');
$session->query('COMMIT');
is(state($session), $NOBODY, 'and ends with it');

$session->query("BEGIN; SELECT cnap_authenticate('$token')");
$session->attempt('SELECT 1/0');
$session->query('ROLLBACK');
is(state($session), $NOBODY, 'and with its failure');

sign_in($session, 1);
is(state($session), $NOBODY, 'outside of a transaction block it lasts for one statement');

$session->query('BEGIN; SAVEPOINT s');
sign_in($session, 1);
$session->query('ROLLBACK TO s');
is(state($session), $NOBODY, 'rolling back to a savepoint undoes it');
$session->query('COMMIT');

is(sign_in($session, 0), 'mia', 'signing in for the session');
is(state($session), $MIA, 'outlasts the transaction');
$session->query('BEGIN');
$session->attempt('SELECT 1/0');
$session->query('ROLLBACK');
is(state($session), $MIA, 'and an error in a later one');
$session->query("BEGIN; SELECT cnap_authenticate('$tokens[0]')");
is(state($session), "gus sees one, reaches $W1", 'somebody else signs in for the transaction');
$session->query('COMMIT');
is(state($session), $MIA, 'and the session is the former one\'s again');
$session->attempt(q{SELECT cnap_authenticate('cnap_pat_no', false)});
is("$session->{sqlstate} " . state($session), "28000 $MIA", 'a failed attempt to sign in leaves the user unchanged');
$session->query('DISCARD ALL');
is(state($session), $NOBODY, 'DISCARD ALL ends it');

$session->query(q{BEGIN});
sign_in($session, 0);
$session->query('ROLLBACK');
is(state($session), $NOBODY, 'signing in for the session is undone with its transaction');

is($session->query(qq{DO \$\$ BEGIN PERFORM cnap_authenticate('$token', false); END \$\$; SELECT cnap_current_user()}),
	'mia', 'signing in within a function');
$session->query('DISCARD ALL');

# a token and the setting exclude each other (sign_in.pl has the rest)
my $trusted = connect_to($primary, 'cnap_app', q{SET cnap.user_id = 'dave'});
is(state($trusted), "dave sees two, reaches $W2", 'a trusted role sets who it is');
$trusted->attempt("SELECT cnap_authenticate('$token', false)");
is("$trusted->{sqlstate} " . state($trusted), "55000 dave sees two, reaches $W2", 'and cannot be signed in meanwhile');
$trusted->query('RESET cnap.user_id');
sign_in($trusted, 0);
is(state($trusted), $MIA, 'but after that');
$trusted->attempt(q{SET cnap.user_id = 'erin'});
is("$trusted->{sqlstate} " . state($trusted), "55000 $MIA", 'when it cannot set who it is');

# ---- when it is cut off ----

my %kinds = (
	'between transactions' => [ '', 'SELECT note FROM app.deployment ORDER BY id' ],
	'in an open transaction' => [ 'BEGIN', 'SELECT note FROM app.deployment ORDER BY id' ],
	'in REPEATABLE READ' => [ 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT note FROM app.deployment ORDER BY id' ],
	'in SERIALIZABLE' => [ 'BEGIN ISOLATION LEVEL SERIALIZABLE', 'SELECT note FROM app.deployment ORDER BY id' ],
	'in a prepared statement' => [ 'BEGIN; PREPARE q AS SELECT note FROM app.deployment ORDER BY id', 'EXECUTE q' ],
	'in a parallel worker' => [
		'BEGIN; SET LOCAL force_parallel_mode = on', 'SELECT note FROM app.deployment ORDER BY id' ]);
my %cuts = (
	'a revocation' => [ 'revoked_at = now()', 'revoked_at = NULL' ],
	'an expiry' => [ q{expires_at = now() - interval '1 s'}, 'expires_at = NULL' ],
	'another user' => [ q{user_id = 'erin'}, q{user_id = 'mia'} ]);
if ($admin->query(q{SELECT count(*) FROM pg_settings WHERE name = 'force_parallel_mode'}) eq '0')
{
	$kinds{'in a parallel worker'}[0] =~ s/force_parallel_mode/debug_parallel_query/;
}

foreach my $kind (sort keys %kinds)
{
	foreach my $cut (sort keys %cuts)
	{
		my ($before, $query) = @{ $kinds{$kind} };
		my ($end, $again) = @{ $cuts{$cut} };

		sign_in($session, 0);
		$session->query($before) if $before ne '';
		is($session->query($query), "one\ntwo", "signed in, $kind");
		set_token($end);
		is($session->query($query), $cut eq 'another user' ? 'three' : '', "$cut shows in the next statement, $kind");
		set_token($again);
		is($session->query($query), "one\ntwo", "and the rows are back when that is undone, $kind");
		$session->query($before =~ /BEGIN/ ? 'COMMIT; DISCARD ALL' : 'DISCARD ALL');
	}
}

# in statements that lock no table before they ask who it is
sign_in($session, 0);
$session->query('BEGIN; PREPARE who AS SELECT cnap_current_user(); PREPARE theirs AS SELECT count(*) FROM cnap_organizations()');
is($session->query('EXECUTE who; EXECUTE theirs'), "mia\n1", 'signed in, and planned');
set_token('revoked_at = now()');
is($session->query('EXECUTE who'), '', 'a revocation shows at once where nothing but the user is asked for');
set_token('revoked_at = NULL');
is($session->query('EXECUTE who; EXECUTE theirs'), "mia\n1", 'and so does its undoing');
set_token('revoked_at = now()');
$session->attempt('EXECUTE theirs');
like($session->{error}, qr/28000: invalid API key/, 'nor does a function begin on behalf of the user');
set_token('revoked_at = NULL');
$session->query('ROLLBACK; DISCARD ALL');

# the functions
sign_in($session, 0);
$session->attempt(q{SELECT cnap_create_access_token('more')});
like($session->{error}, qr/42501: an access token cannot create another one/, 'a token creates none that would outlive it');
act_as($primary, 'postgres', 'mia', "SELECT cnap_revoke_access_token('$id')");
is(state($session), $NOBODY, 'a revoked token\'s session is nobody\'s');
$session->attempt('SELECT * FROM cnap_workspaces()');
like($session->{error}, qr/28000: invalid API key/, 'functions that need a user report the reason');
$session->attempt("SELECT cnap_authenticate('$token')");
like($session->{error}, qr/28000: invalid API key/, 'and the token does not sign in again');
sign_in($trusted, 0, $tokens[1]);
is(state($trusted), "gus sees one, reaches $W1", 'another token signs a trusted role in');
$admin->query("DELETE FROM cnap.access_token WHERE token_hash = sha256('$tokens[1]')");
is(state($trusted), $NOBODY, 'and nobody is signed in when that token is gone');
$trusted->query('DISCARD ALL');
is(state($trusted), $NOBODY, 'and DISCARD ALL leaves neither');

# a superuser's session is not the system while it is signed in, nor after that
my $superuser = connect_to($primary, undef);
sign_in($superuser, 0, $tokens[2]);
$superuser->attempt(q{SELECT cnap_create_workspace('W', 'mia')});
is($superuser->{sqlstate}, '42501', 'a superuser who is signed in is not the system');
$admin->query("DELETE FROM cnap.access_token WHERE token_hash = sha256('$tokens[2]')");
$superuser->attempt(q{SELECT cnap_create_workspace('W', 'mia')});
is($superuser->{sqlstate}, '28000', 'nor when the token is gone');
$superuser->quit;

# it expires by the clock, without any message
$session->query('DISCARD ALL');
set_token('revoked_at = NULL');
set_token(q{expires_at = clock_timestamp() + interval '2 s'});
sign_in($session, 0);
my $until_then = $session->query(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT cnap_current_user()});
is($until_then, 'mia', 'a token is valid until it expires');
$admin->query('SELECT pg_sleep(2.1)');
is(state($session), $NOBODY, 'then its session has no user any more, even in an open transaction');
$session->query('COMMIT; DISCARD ALL');
set_token('expires_at = NULL');

# a revocation that is rolled back has no effect
sign_in($session, 0);
$session->query("BEGIN; SELECT cnap_revoke_access_token('$id')");
is(state($session), $NOBODY, 'a session sees its own revocation before it commits');
$session->query('ROLLBACK');
is(state($session), $MIA, 'which a rollback undoes');
$session->query("BEGIN; SAVEPOINT s; SELECT cnap_revoke_access_token('$id'); ROLLBACK TO s");
is(state($session), $MIA, 'as does a rollback to a savepoint');
$session->query('COMMIT; DISCARD ALL');

# ---- the last use ----

my $used = "SELECT last_used_at FROM cnap.access_token_use WHERE token_id = '$id'";

sub set_use
{
	my ($when) = @_;
	return $admin->query("UPDATE cnap.access_token_use SET last_used_at = $when WHERE token_id = '$id'");
}

my $long_ago = q{now() - interval '61 s'};

set_use('NULL');
sign_in($session, 1);
my $first = $admin->query($used);
isnt($first, '', 'the first use is recorded');
sign_in($session, 1);
is($admin->query($used), $first, 'a second one in the same minute is not');
set_use($long_ago);
my $before = $admin->query($used);
sign_in($session, 1);
isnt($admin->query($used), $before, 'after a minute it is');

set_use($long_ago);
$before = $admin->query($used);
$session->query('BEGIN READ ONLY');
sign_in($session, 1);
is(state($session), $MIA, 'signing in works in a read-only transaction');
$session->query('COMMIT');
is($admin->query($used), $before, 'which records nothing');

my $other = connect_to($primary, 'plain');
$other->query('BEGIN');
sign_in($other, 1);
$session->begin("SELECT cnap_authenticate('$token')");
ok($session->is_done(30), 'signing in does not wait for another session that is signing in with the same token');
is($session->finish, 'mia', 'and succeeds');
set_token('revoked_at = now()');
is(state($other), $NOBODY, 'nor does revoking the token wait for that session');
set_token('revoked_at = NULL');
$other->query('COMMIT');

set_use($long_ago);
$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
set_use($long_ago);
is(sign_in($session, 1), 'mia', 'a snapshot older than the last recorded use does not prevent signing in');
$session->query('COMMIT');

my ($gone) = act_as($primary, 'postgres', 'gus', q{SELECT cnap_create_access_token('gone')});
is($admin->query(qq{DELETE FROM cnap.access_token WHERE token_hash = sha256('$gone')
	RETURNING (SELECT count(*) FROM cnap.access_token_use)}), '3', 'a deleted token');
is($admin->query('SELECT count(*) FROM cnap.access_token_use'), '2', 'is deleted together with the record of its use');

# ---- revoking ----

my ($ended) = act_as($primary, 'postgres', 'gus', q{SELECT cnap_create_access_token('ended')});
my $ended_id = $admin->query(q{SELECT id FROM cnap.access_token WHERE name = 'ended'});
my $revoke = "SELECT cnap_revoke_access_token('$ended_id')";
set_token(q{created_at = now() - interval '2 d', expires_at = now() - interval '1 d'}, $ended_id);
is(refused_as($primary, 'postgres', 'mia', $revoke), '42704', 'somebody else\'s token');
is(refused_as($primary, 'postgres', 'mia', 'SELECT cnap_revoke_access_token(gen_random_uuid())'), '42704', 'a token that does not exist');
is(refused_as($primary, 'postgres', 'gus', $revoke), 'not at all', 'a token that has expired can be revoked');
set_token('expires_at = NULL', $ended_id);
$session->attempt("SELECT cnap_authenticate('$ended')");
is($session->{sqlstate}, '28000', 'which is final');
is(refused_as($primary, 'postgres', 'gus', $revoke), '55000', 'but not again');
$admin->attempt($revoke);
is($admin->{sqlstate}, '55000', 'nor by the system');
$admin->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$admin->attempt($revoke);
is($admin->{sqlstate}, '55000', 'nor in REPEATABLE READ, where that is no reason to try once more');
$admin->query('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
act_as($primary, 'postgres', 'gus', q{SELECT cnap_create_access_token('newer')});
$admin->attempt(sprintf q{SELECT cnap_revoke_access_token('%s')},
	$primary->safe_psql('postgres', q{SELECT id FROM cnap.access_token WHERE name = 'newer'}));
is($admin->{sqlstate}, '40001', 'but a token that is newer than the snapshot has not ended');
$admin->query('ROLLBACK');

# ---- a standby ----

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

set_use($long_ago);
$before = $admin->query($used);
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
my $reader = connect_to($standby, 'plain');
sign_in($reader, 0);
is(state($reader), $MIA, 'signing in works on a standby');
is($admin->query($used), $before, 'and records nothing');
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
is(state($reader), $MIA, 'in an open transaction');
act_as($primary, 'postgres', 'mia', "SELECT cnap_revoke_access_token('$id')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is(state($reader), $NOBODY, 'a revocation takes effect when it is replayed');

$standby->stop;
$primary->stop;
done_testing();
