#
# attack_tokens.pl: attempts to sign in with a token of somebody else, or one that has ended
#
# The attacker uses the role plain, has a token of mia's, and wants to become erin, or to stay mia.
# He may know the ids of tokens, which are not secret.
#
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
my $node = new_world('main', 'max_prepared_transactions = 5', allows_streaming => 1);
my $admin = connect_to($node, undef, 'GRANT plain TO cnap_app');

# A new token of a user: the token and its id
sub new_token
{
	my ($person, $arguments) = @_;
	my $token = act_as($node, 'postgres', $person, 'SELECT cnap_create_access_token(' . ($arguments // q{'a script'}) . ')');

	return ($token, $admin->query("SELECT id FROM cnap.access_token WHERE token_hash = sha256('$token')"));
}

my ($erins, $erins_id) = new_token('erin');
my ($mias, $mias_id) = new_token('mia');
my $sign_in = "SELECT cnap_authenticate('$mias', false)";

# A session of the attacker, signed in with mia's token
sub signed_in
{
	my ($user, @statements) = @_;
	my $session = connect_to($node, $user // 'plain', $sign_in, @statements);

	$session->{first} = [$sign_in];
	$session->{state} = $MIA;
	return $session;
}

# ---- forging the setting that holds the id of the session's token ----

my @attempts = attempts_to_set('cnap.session_token', $erins_id);
my @role_attempts = attempts_to_set_for_role('cnap.session_token', $erins_id);

attempt_all('before the library is loaded', sub { connect_to($node, 'plain') }, @attempts, @role_attempts);
attempt_all('after', connect_to($node, 'plain', 'SELECT cnap_current_user()'), @attempts, @role_attempts);
attempt_all('signed in', signed_in(), @attempts, @role_attempts);
attempt_all('by a trusted role', connect_to($node, 'cnap_app', 'SELECT cnap_current_user()'), @attempts);
$admin->query('GRANT SET ON PARAMETER cnap.session_token TO bare; GRANT plain TO bare');
attempt_all('by a role with SET on the parameter, before the library is loaded', sub { connect_to($node, 'bare') }, @attempts);
attempt_all('by a role with SET on the parameter, after', connect_to($node, 'bare', 'SELECT cnap_current_user()'), @attempts);
$admin->query('REVOKE SET ON PARAMETER cnap.session_token FROM bare');

foreach my $load ('SELECT 1', 'SELECT cnap_current_user()')
{
	# even a superuser has to use cnap.user_id
	my $super = connect_to($node, undef, $load);
	foreach my $statement ("SET cnap.session_token = '$erins_id'", "ALTER ROLE plain SET cnap.session_token = '$erins_id'",
		"ALTER DATABASE postgres SET cnap.session_token = '$erins_id'", "ALTER SYSTEM SET cnap.session_token = '$erins_id'")
	{
		$super->attempt($statement);
		$super->attempt('SELECT pg_reload_conf()');
		is((split /\n/, $super->query(q{SELECT coalesce(cnap_current_user(), 'nobody')}))[-1], 'nobody',
			"by a superuser, after $load: " . ($statement =~ s/$erins_id/the id/r));
		my $session = connect_to($node, 'plain');
		is(state($session), $NOBODY, 'and for others');
		$session->quit;
	}
	$super->attempt($_) foreach 'RESET cnap.session_token', 'ALTER ROLE plain RESET ALL', 'ALTER DATABASE postgres RESET ALL', 'ALTER SYSTEM RESET ALL';
	$super->quit;
}
foreach my $preload ('', 'session_preload_libraries')
{
	$admin->query("ALTER ROLE plain SET $preload = 'cnap_org'") if $preload;
	foreach my $parameters ([ options => "-c cnap.session_token=$erins_id" ], [ 'cnap.session_token' => $erins_id ])
	{
		my $wire = eval { CnapAttack::Wire->new($node, user => 'plain', @$parameters) };
		my $who = $wire && $wire->{sqlstate} eq '00000' ? $wire->query('SELECT coalesce(cnap_current_user(), $$nobody$$)') : 'refused';
		like($who, qr/^(refused|nobody)$/, "by $parameters->[0] of the connection, preloaded: $preload");
	}
	attempt_all("with $preload", connect_to($node, 'plain'), @attempts) if $preload;
}
$admin->query('ALTER ROLE plain RESET ALL');

# ---- invalid tokens ----

my ($expired, $expired_id) = new_token('erin', q{'short', now() + interval '1 hour'});
$admin->query("UPDATE cnap.access_token SET expires_at = now() - interval '1 hour' WHERE id = '$expired_id'");
my ($revoked, $revoked_id) = new_token('erin');
act_as($node, 'postgres', 'erin', "SELECT cnap_revoke_access_token('$revoked_id')");
my ($deleted, $deleted_id) = new_token('erin');
$admin->query("DELETE FROM cnap.access_token WHERE id = '$deleted_id'");
my $hash = $admin->query("SELECT encode(token_hash, 'hex') FROM cnap.access_token WHERE id = '$erins_id'");
(my $typing_error = $erins) =~ s/(.)$/$1 eq 'a' ? 'b' : 'a'/e;
(my $other_random = $erins) =~ s/^cnap_pat_(.)/'cnap_pat_' . ($1 eq 'a' ? 'b' : 'a')/e;

my @bad = (
	'unknown, of the right format' => "'$deleted'",
	'expired' => "'$expired'",
	'revoked' => "'$revoked'",
	'with a typing error' => "'$typing_error'",
	'with another first character' => "'$other_random'",
	'truncated by one' => q{'} . substr($erins, 0, -1) . q{'},
	'truncated to the prefix' => q{'cnap_pat_'},
	'with one more character' => "'${erins}a'",
	'twice' => "'$erins$erins'",
	'with a blank in front' => "' $erins'",
	'with a blank behind' => "'$erins '",
	'with a line feed' => "E'$erins\\n'",
	'in capitals' => "upper('$erins')",
	'with another prefix' => q{'} . ($erins =~ s/pat/inv/r) . q{'},
	'without a prefix' => q{'} . substr($erins, 9) . q{'},
	'empty' => q{''},
	'the hash' => "'$hash'",
	'the hash as a bytea' => "'\\x$hash'",
	'the id' => "'$erins_id'",
	'the user' => q{'erin'},
	'a pattern' => q{'cnap_pat_%'},
	'quotes' => q{'cnap_pat_'' OR true --'},
	'other characters' => q{'cnap_pat_' || repeat('ü', 39)},
	'1 MB' => q{repeat('x', 1000000)},
	'1 MB behind a token' => "'$erins' || repeat('x', 1000000)",
	'as long, in letters' => q{'cnap_pat_' || repeat('a', 39)});
my %errors;
{
	my $session = connect_to($node, 'plain');
	foreach my $is_local ('true', 'false')
	{
		my @list = @bad;
		while (my ($kind, $token) = splice @list, 0, 2)
		{
			is($session->attempt("SELECT cnap_authenticate($token, $is_local)"), '', "a token that is $kind");
			is($session->{error} =~ s/\nLOCATION:.*//sr, 'ERROR:  28000: invalid API key', 'meets the one error');
			is(state($session), $NOBODY, 'and signs nobody in');
		}
	}
	$session->attempt('SELECT cnap_authenticate(NULL)');
	is($session->{sqlstate}, '22023', 'null is no token');
	$session->quit;

	# nor does a failed sign-in end or change the identity
	$session = signed_in();
	refused($session, 'signed in, an expired token is refused', "SELECT cnap_authenticate('$expired')", '28000');
	is(state($session), $MIA, 'and leaves who one was');
	$session->quit;
}

# ---- a token is shown once, to its creator ----

{
	$admin->query('ALTER ROLE cnap_app SET cnap.notify = on');
	my $listener = connect_to($node, undef, 'LISTEN cnap');
	my $session = connect_to($node, 'cnap_app', q{SET cnap.user_id = 'erin'});
	my $secret = $session->query(q{SELECT cnap_create_access_token('secret')});
	my $body = substr $secret, 9, 20;
	my $shown = $listener->query('SELECT 1');

	like($shown, qr/access_token.create/, '(its creation is notified)');
	unlike($shown, qr/$body/, 'no notification tells it');
	foreach my $relation (split /\n/, $admin->query(q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind IN ('r', 'v')}))
	{
		is($admin->query("SELECT count(*) FROM $relation t WHERE t::text LIKE '%$body%'"), 0, "$relation does not hold it");
	}
	foreach my $query ('SELECT * FROM cnap_access_tokens()', 'SELECT * FROM cnap.access_token', 'SELECT * FROM cnap.list_access_tokens(\'erin\')',
		'SELECT query FROM pg_stat_activity', 'SELECT * FROM pg_stats', 'SELECT * FROM pg_settings', "SELECT * FROM cnap_workspace_audit('$W3')")
	{
		unlike($session->attempt($query), qr/$body/, "another statement does not tell it: $query");
	}
	# others do not see what a session is executing
	$session->query('RESET cnap.user_id');
	$session->query("SELECT cnap_authenticate('$secret')");
	my $other = connect_to($node, 'bare');
	unlike($other->query('SELECT * FROM pg_stat_activity'), qr/$body/, 'pg_stat_activity does not show it to other roles');
	$other->quit;

	# errors around it
	$session->query(q{CREATE FUNCTION pg_temp.sign_in(token text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN PERFORM cnap_authenticate(token); RETURN cnap_current_user() || (1/0)::text; END $$});
	$session->attempt("SELECT pg_temp.sign_in('$secret')");
	like($session->{error}, qr/22012.*CONTEXT/s, '(an error behind signing in)');
	unlike($session->{error}, qr/$body/, 'has no token in its text or context');
	$session->attempt("SELECT pg_temp.sign_in('${secret}x')");
	like($session->{error}, qr/28000.*CONTEXT/s, '(an error in signing in)');
	unlike($session->{error}, qr/$body/, 'has none either');
	$session->attempt(q{BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT cnap_create_access_token('x')});
	unlike($session->{error}, qr/cnap_pat_/, 'nor has a failed creation');
	$session->query('ROLLBACK');

	# the server's log contains the statements that clients send, if so configured, and nothing
	# more
	my @log = grep { !/statement: |STATEMENT: |^\t/ } split /\n/, slurp_file($node->logfile);
	is(scalar(grep { /$body/ } @log), 0, 'the log has it in no message');
	$_->quit foreach $listener, $session;

	my ($dump) = run_command([ $node->installed_command('pg_dump'), '-d', $node->connstr('postgres'), '--inserts' ]);
	like($dump, qr/a script/, '(a dump has the tokens)');
	unlike($dump, qr/$body/, 'but their hashes alone');
}

# ---- what a session signed in by a token cannot do ----

{
	my $session = signed_in();
	my $gone = '00000000-0000-4000-8000-00000000000f';

	refused($session, 'a token makes no other', q{SELECT cnap_create_access_token('more')}, '42501');
	refused($session, 'nor in a savepoint', q{BEGIN; SAVEPOINT s; SELECT cnap_create_access_token('more')}, '42501');
	refused($session, 'nor in a function', q{DO $$ BEGIN PERFORM cnap_create_access_token('more'); END $$}, '42501');
	$admin->query(q{CREATE FUNCTION app.make() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT cnap_create_access_token('more') $$});
	refused($session, "nor in a superuser's function", 'SELECT app.make()', '42501');
	is($session->query('SELECT count(*) FROM cnap_access_tokens()'), 1, 'it lists its own');
	$session->attempt("SELECT cnap_revoke_access_token('$erins_id')");
	my $of_others = $session->{error} =~ s/$erins_id|\nLOCATION.*//gr;
	$session->attempt("SELECT cnap_revoke_access_token('$gone')");
	is($of_others, $session->{error} =~ s/$gone|\nLOCATION.*//gr, "to revoke somebody else's and to revoke none give one error");
	is($admin->query("SELECT revoked_at IS NULL FROM cnap.access_token WHERE id = '$erins_id'"), 't', 'and do nothing');

	foreach my $statement ("SET cnap.user_id = 'erin'", 'SET ROLE cnap_app', 'RESET cnap.session_token', "SET LOCAL cnap.session_token = ''",
		"SET cnap.session_token = ''", "SELECT set_config('cnap.session_token', '', false)", 'SET cnap.session_token TO DEFAULT')
	{
		$session->attempt($statement);
		is(state($session), $MIA, "signed in: $statement");
	}
	$session->quit;
}

# ---- an identity that has ended does not come back ----

my $as_erin = "SELECT cnap_authenticate('$erins')";
attempt_all('after erin', connect_to($node, 'plain'),
	'the end of the transaction' => [ 'BEGIN', $as_erin, 'COMMIT' ],
	'its rollback' => [ 'BEGIN', $as_erin, 'ROLLBACK' ],
	'a savepoint rolled back' => [ 'BEGIN', 'SAVEPOINT s', $as_erin, 'ROLLBACK TO s' ],
	'a savepoint rolled back twice' => [ 'BEGIN', 'SAVEPOINT s', $as_erin, 'SAVEPOINT t', 'ROLLBACK TO t', 'ROLLBACK TO s' ],
	'an error' => [ 'BEGIN', $as_erin, 'SELECT 1/0', 'ROLLBACK' ],
	'an exception' => [ 'BEGIN', qq{DO \$\$ BEGIN PERFORM cnap_authenticate('$erins', false); RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END \$\$} ],
	'for the session, rolled back' => [ 'BEGIN', "SELECT cnap_authenticate('$erins', false)", 'ROLLBACK' ],
	'for the session, RESET ALL' => [ "SELECT cnap_authenticate('$erins', false)", 'RESET ALL' ],
	'for the session, DISCARD ALL' => [ "SELECT cnap_authenticate('$erins', false)", 'DISCARD ALL' ],
	'PREPARE TRANSACTION' => [ 'BEGIN', $as_erin, q{PREPARE TRANSACTION 'x'} ],
	'COMMIT PREPARED' => [q{COMMIT PREPARED 'x'}],
	'a statement of its own' => $as_erin,
	'a function with a SET clause' => [
		qq{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET search_path = public AS \$\$ $as_erin \$\$}, 'SELECT pg_temp.f()' ],
	'a function that pretends to be immutable' => [
		qq{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql IMMUTABLE AS \$\$ $as_erin \$\$}, 'SELECT pg_temp.f()', 'PREPARE p AS SELECT pg_temp.f()' ],
	'a cursor' => [ 'BEGIN', "DECLARE c CURSOR WITH HOLD FOR $as_erin", 'COMMIT', 'FETCH c', 'MOVE BACKWARD ALL FROM c', 'FETCH c' ],
	'a prepared statement of its plans' => [ 'PREPARE p AS SELECT note FROM app.deployment', "BEGIN", $as_erin, 'EXECUTE p', 'COMMIT', 'EXECUTE p' ],
	'a default that is evaluated later' => [ "CREATE TEMP TABLE t (a int, b text DEFAULT cnap_authenticate('$erins'))", 'INSERT INTO t VALUES (1)' ],
	'parallel workers' => [
		qq{CREATE FUNCTION pg_temp.f(text) RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS \$\$ BEGIN RETURN cnap_authenticate('$erins', false); END \$\$},
		'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off',
		'BEGIN', 'SELECT count(pg_temp.f(relname::text)) FROM pg_class', 'ROLLBACK' ]);
{
	my $session = signed_in();
	attempt_all('after mia and erin', $session,
		'a savepoint back to the former' => [ 'BEGIN', 'SAVEPOINT s', $as_erin, 'ROLLBACK TO s' ],
		'the end of the transaction' => [ 'BEGIN', $as_erin, 'COMMIT' ],
		'an error' => [ 'BEGIN', $as_erin, 'SELECT 1/0', 'ROLLBACK' ]);
	$session->quit;
}

# ---- a token that has ended ----

sub end_token
{
	my ($how, $id) = @_;

	return act_as($node, 'postgres', 'mia', "SELECT cnap_revoke_access_token('$id')") if $how eq 'revoked';
	return $admin->query("UPDATE cnap.access_token SET expires_at = now() - interval '1 s' WHERE id = '$id'") if $how eq 'expired';
	return $admin->query("DELETE FROM cnap.access_token WHERE id = '$id'");
}

foreach my $how ('revoked', 'expired', 'deleted')
{
	foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
	{
		my ($token, $id) = new_token('mia');
		my $session = connect_to($node, 'plain', "SELECT cnap_authenticate('$token', false)",
			'PREPARE p AS SELECT note FROM app.deployment ORDER BY id', 'EXECUTE p', 'SET plan_cache_mode = force_generic_plan',
			q{CREATE FUNCTION pg_temp.kept() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT string_agg(note, ',') FROM app.deployment); END $$},
			'SELECT pg_temp.kept()', "BEGIN ISOLATION LEVEL $isolation", 'SELECT note FROM app.deployment', 'SAVEPOINT s',
			'DECLARE c CURSOR FOR SELECT note FROM app.deployment', 'DECLARE d CURSOR FOR SELECT note FROM app.deployment', 'FETCH d');
		my $title = "$how, $isolation";

		end_token($how, $id);
		is($session->query('EXECUTE p'), '', "$title: a prepared statement");
		is($session->query('SELECT pg_temp.kept()'), '', "$title: a plan of PL/pgSQL");
		is($session->query('FETCH ALL FROM c'), '', "$title: a cursor");
		is($session->query('FETCH ALL FROM d'), '', "$title: a cursor in the middle");
		is($session->query("SELECT cnap_can_access('$W1'), cnap_accessible_workspaces(), cnap_current_user() IS NULL"), 'f|{}|t', "$title: the checks");
		$session->query('SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0');
		is($session->query('SELECT note FROM app.deployment'), '', "$title: parallel workers");
		$session->query('ROLLBACK TO s');
		is($session->query('EXECUTE p'), '', "$title: behind a savepoint");
		refused($session, "$title: a function that needs a user", 'SELECT * FROM cnap_workspaces()', '28000');
		is(state($session), $NOBODY, "$title: after the transaction");
		refused($session, "$title: signing in again", "SELECT cnap_authenticate('$token')", '28000');
		refused($session, "$title: another token", q{SELECT cnap_create_access_token('more')}, '28000');
		$session->quit;
	}
}

# in the middle of a PL/pgSQL block, which continues when the token has ended
{
	my ($token, $id) = new_token('mia');
	my $session = connect_to($node, 'plain', "SELECT cnap_authenticate('$token', false)", q{
		CREATE FUNCTION pg_temp.program() RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			before text := (SELECT string_agg(note, ',' ORDER BY id) FROM app.deployment);
		BEGIN
			PERFORM pg_advisory_xact_lock(1);
			RETURN before || ', then ' || coalesce((SELECT string_agg(note, ',') FROM app.deployment), 'none');
		END $$});
	$admin->query('SELECT pg_advisory_lock(1)');
	$session->begin('SELECT pg_temp.program()');
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
	end_token('revoked', $id);
	$admin->query('SELECT pg_advisory_unlock(1)');
	is($session->finish, 'one,two, then none', 'revoked in the middle of a function');
	$session->quit;
}

# an attacker with a stolen token cannot delay its revocation
foreach my $statement ("SELECT cnap_authenticate('%s', false)", "SELECT cnap_authenticate('%s')")
{
	my ($token, $id) = new_token('mia');
	my $thief = connect_to($node, 'plain', 'BEGIN', sprintf($statement, $token));
	my $mia = connect_to($node, 'cnap_app', q{SET cnap.user_id = 'mia'}, q{SET statement_timeout = '30s'});

	is($thief->query('SELECT cnap_current_user()'), 'mia', 'a thief holds his transaction open');
	$mia->attempt("SELECT cnap_revoke_access_token('$id')");
	is($mia->{sqlstate}, '00000', 'the revocation does not wait for that');
	is($thief->query(q{SELECT coalesce(cnap_current_user(), 'nobody')}), 'nobody', 'and cuts him off in it');
	$_->quit foreach $thief, $mia;
}

# ---- on a hot standby ----

{
	my ($token, $id) = new_token('mia');
	$node->backup('backup');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'backup', has_streaming => 1);
	$standby->start;
	my $session = connect_to($standby, 'plain', "SELECT cnap_authenticate('$token', false)", 'PREPARE p AS SELECT note FROM app.deployment',
		'BEGIN ISOLATION LEVEL REPEATABLE READ');
	is(state($session), $MIA, 'signed in on a standby');
	end_token('revoked', $id);
	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	is(state($session), $NOBODY, 'and cut off from the replay of the revocation');
	is($session->query('EXECUTE p; COMMIT; EXECUTE p'), '', 'with its prepared statements');
	my $other = connect_to($standby, 'plain');
	refused($other, 'a revoked token on a standby', "SELECT cnap_authenticate('$token', false)", '28000');
	fails($other, 'forging the setting on a standby', "SET cnap.session_token = '$erins_id'");
	$_->quit foreach $session, $other;
	$standby->stop;
}

$node->stop;
done_testing();
