#
# attack_claims.pl: claims of a gateway, turned off and turned on
#
# Turned off, they have no effect, and only a superuser can turn them on. Turned on, plain SQL can
# forge them, as the documentation says: then we try to override a token or cnap.user_id with them,
# and to break policies with invalid JSON, or too much of it.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

my $MIA = "mia sees one,two, reaches $W1,$W2,$ASSIGNED,$ACTIVATED";
my $node = new_world('main', '');
my $admin = connect_to($node, undef, 'GRANT plain TO cnap_app');
my $forged = q(SET request.jwt.claims = '{"sub": "erin"}');

# ---- off ----

# Attempts to set one of our settings, each with claims present
sub with_claims
{
	return sub {
		my $session = connect_to($node, 'plain', @_);
		$session->{first} = [$forged];
		return $session;
	};
}

my @names = ('sub', 'user_id', 'id', 'role', 'email');
foreach my $setting ('request.jwt.claims', 'request.jwt.claim.sub', 'jwt.claims.user_id', 'jwt.claims', 'user.id', 'app.user_id', 'hasura.user')
{
	my $session = connect_to($node, 'plain');
	fails($session, "off: $setting", "SET $setting = 'erin'",
		"SET $setting = '{" . join(', ', map { qq("$_": "erin") } @names) . "}'");
	$session->quit;
}
attempt_all('turning them on, before the library is loaded', with_claims(),
	attempts_to_set('cnap.claims_setting', 'request.jwt.claims'));
attempt_all('turning them on, after', with_claims('SELECT cnap_current_user()')->(),
	attempts_to_set('cnap.claims_setting', 'request.jwt.claims'),
	attempts_to_set_for_role('cnap.claims_setting', 'request.jwt.claims'));
{
	my $session = connect_to($node, 'cnap_app', 'SELECT cnap_current_user()');
	$session->{first} = [$forged];
	attempt_all('turning them on, by a trusted role', $session, attempts_to_set('cnap.claims_setting', 'request.jwt.claims'));
	$session->quit;
}
foreach my $parameters ([ options => '-c cnap.claims_setting=request.jwt.claims -c request.jwt.claims={"sub":"erin"}' ],
	[ 'cnap.claims_setting' => 'request.jwt.claims', 'request.jwt.claims' => '{"sub": "erin"}' ],
	[ 'cnap.claims_setting' => 'application_name', 'cnap.claims_key' => '', application_name => 'erin' ])
{
	my $wire = CnapAttack::Wire->new($node, user => 'plain', @$parameters);
	is($wire->query('SELECT coalesce(cnap_current_user(), $$nobody$$)'), 'nobody', "turning them on, by $parameters->[0] of the connection");
}

# ---- on ----

$admin->query(q{ALTER DATABASE postgres SET cnap.claims_setting = 'request.jwt.claims'});
{
	my $session = connect_to($node, 'plain', $forged);
	is(state($session), $ERIN, '(on: plain SQL is believed, as documented)');
	$session->quit;
}
{
	my $session = connect_to($node, 'plain');
	attempt_all('on: pointing them elsewhere', $session, map { @$_ } (
			[ 'the setting' => [ q{SET my.claims = '{"sub": "erin"}'}, q{SET cnap.claims_setting = 'my.claims'} ] ],
			[ 'the key' => [ q(SET request.jwt.claims = '{"user": "erin"}'), q{SET cnap.claims_key = 'user'} ] ],
			[ 'no key' => [ q{SET request.jwt.claims = 'erin'}, q{SET cnap.claims_key = ''} ] ],
			[ 'off and on' => [ 'RESET cnap.claims_setting', q{SET cnap.claims_setting = ''}, q{SET request.jwt.claims = 'erin'} ] ]));
	$session->quit;
}

# A user determined by another source stays the current user.
{
	my $token = act_as($node, 'postgres', 'mia', q{SELECT cnap_create_access_token('a script')});
	$admin->query(q{CREATE ROLE anna LOGIN; GRANT plain TO anna; SELECT cnap_set_role_user('anna', 'mia')});
	my $anna = connect_to($node, 'anna');
	my $signed_in = connect_to($node, 'plain', "SELECT cnap_authenticate('$token', false)");
	my $of_trusted = connect_to($node, 'cnap_app', q{SET cnap.user_id = 'mia'}, 'SET ROLE plain');

	foreach my $statement ($forged, q(SET LOCAL request.jwt.claims = '{"sub": "erin"}'),
		q(SELECT set_config('request.jwt.claims', '{"sub": "erin"}', false)), q{SET cnap.user_id = ''}, 'RESET cnap.user_id', q{SET cnap.session_token = ''})
	{
		$_->attempt($statement) foreach $anna, $signed_in, $of_trusted;
		is(state($anna), $MIA, "on: a role's identity goes before them: $statement");
		is(state($signed_in), $MIA, "on: as does a token: $statement");
		is(state($of_trusted), $MIA, "on: and cnap.user_id: $statement");
	}
	$anna->query('RESET ALL');
	$anna->query($forged);
	is(state($anna), $MIA, "on: also after RESET ALL, a role's identity");
	$admin->query('UPDATE cnap.access_token SET revoked_at = now()');
	is(state($signed_in), $NOBODY, 'on: a token that has ended leaves nobody, and not the claims');
	$_->quit foreach $anna, $signed_in, $of_trusted;
}

# Invalid claims mean that there is no user, and raise no error, even in a policy.
my @wrong = (
	'deep objects' => q(repeat('{"sub":', 200000)),
	'deep objects, complete' => q(repeat('{"sub":', 100000) || '"erin"' || repeat('}', 100000)),
	'deep arrays' => q(repeat('[', 900000)),
	'deep arrays in the key' => q('{"sub": ' || repeat('[', 50000) || '"erin"' || repeat(']', 50000) || '}'),
	'deep arrays behind the key' => q('{"sub": "erin", "x": ' || repeat('[', 50000) || repeat(']', 50000) || '}'),
	'1 MB of user' => q('{"sub": "' || repeat('e', 1000000) || '"}'),
	'1 MB of blanks, and nothing' => q(repeat(' ', 1000000)),
	'1 MB of commas' => q('{' || repeat(',', 1000000)),
	'1 MB of quotes' => q(repeat('"', 1000000)),
	'1 MB of escapes' => q('{"sub": "' || repeat('\\u0065', 170000) || '"}'),
	'1 MB of minus' => q('{"sub": ' || repeat('-', 1000000) || '}'),
	'a number of 1 MB' => q('{"sub": ' || repeat('9', 1000000) || '}'),
	'a key of 1 MB' => q('{"' || repeat('s', 1000000) || '": "erin"}'),
	'the key twice, the last a null' => q('{"sub": "erin", "sub": null}'),
	'the key twice, the last an array' => q('{"sub": "erin", "sub": ["erin"]}'),
	'the key twice, the last empty' => q('{"sub": "erin", "sub": ""}'),
	'the key twice, the last a blank' => q('{"sub": "erin", "sub": " "}'),
	'the key twice, the last escaped' => q('{"sub": "erin", "s\u0075b": false}'),
	'a zero escape' => q('{"sub": "erin\u0000"}'),
	'a zero escape in the key' => q('{"sub\u0000": "erin"}'),
	'a zero escape elsewhere' => q('{"sub": "erin", "x": "\u0000"}'),
	'half a surrogate' => q('{"sub": "erin\ud800"}'),
	'the other half' => q('{"sub": "\udc00erin"}'),
	'halves the wrong way round' => q('{"sub": "\udc00\ud800"}'),
	'an escape of no character' => q('{"sub": "\uzzzz"}'),
	'an escape cut off' => q('{"sub": "erin\u00'),
	'a backslash at the end' => q('{"sub": "erin\\'),
	'a control character' => q(E'{"sub": "er\x01in"}'),
	'a line feed' => q(E'{"sub": "erin\n"}'),
	'a line feed escaped' => q('{"sub": "erin\n"}'),
	'a blank before' => q('{"sub": " erin"}'),
	'a blank behind' => q('{"sub": "erin "}'),
	'an array of it' => q('["erin"]'),
	'an array of claims' => q('[{"sub": "erin"}]'),
	'claims in claims' => q('{"claims": {"sub": "erin"}}'),
	'claims in the key' => q('{"sub": {"sub": "erin"}}'),
	'true' => q('{"sub": true}'),
	'a string' => q('"erin"'),
	'no JSON' => q('erin'),
	'a pair' => q('"sub": "erin"'),
	'single quotes' => q('{''sub'': ''erin''}'),
	'a comment' => q('{/* */"sub": "erin"}'),
	'two objects' => q('{"sub": "erin"}{"sub": "erin"}'),
	'more behind the object' => q('{"sub": "erin"} x'),
	'a comma behind' => q('{"sub": "erin",}'),
	'a comma before' => q('{,"sub": "erin"}'),
	'not closed' => q('{"sub": "erin"'),
	'closed by the other bracket' => q('{"sub": "erin"]'),
	'a byte order mark' => q(E'\ufeff{"sub": "erin"}'),
	'another case of the key' => q('{"Sub": "erin"}'),
	'a blank in the key' => q('{"sub ": "erin"}'),
	'other letters that look like it' => q('{"sub": "еrin"}'),
	'another case of the user' => q('{"sub": "Erin"}'),
	'a tab' => q(E'\t'),
	'empty' => q(''));
{
	my $session = connect_to($node, 'plain', 'PREPARE p AS SELECT note FROM app.deployment', 'EXECUTE p');
	my $allowed = qr/^(?:nobody|Erin|еrin|9+|e+|-+|0+) sees none, reaches nothing$/;

	while (my ($kind, $claims) = splice @wrong, 0, 2)
	{
		$session->query("SELECT FROM set_config('request.jwt.claims', $claims, false)");
		my $state = state($session);
		ok($state =~ $allowed && length $state < 400, "on: $kind") or diag(substr $state, 0, 400);
		is($session->attempt('EXECUTE p') . $session->{error}, '', 'and the policy answers, without an error');
	}
	is(state($session), $NOBODY, 'on: none at last');

	# and the next users are the right ones
	$session->query(q(SET request.jwt.claims = '{"sub": "mia"}'));
	is(state($session), $MIA, '(on: the next is mia)');
	$session->query('RESET request.jwt.claims');
	is(state($session), $NOBODY, 'on: after whom is nobody');
	$session->query(q(BEGIN; SET LOCAL request.jwt.claims = '{"sub": "mia"}'; SAVEPOINT s; SET LOCAL request.jwt.claims = '{"sub": "dave"}'; ROLLBACK TO s));
	is(state($session), $MIA, 'on: a savepoint takes them back');
	$session->query('COMMIT');
	is(state($session), $NOBODY, 'on: the end of the transaction too');
	$session->quit;
}

# Bytes that are invalid in the database's encoding are sent with the connection's options.
foreach my $bytes ("\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\xe4")
{
	foreach my $claims (qq({"sub": "erin$bytes"}), qq({"sub": "erin", "x": "$bytes"}), qq({"sub": "$bytes"}), $bytes)
	{
		my $wire = eval { CnapAttack::Wire->new($node, user => 'plain', 'request.jwt.claims' => $claims) };
		my $who = $wire && $wire->{sqlstate} eq '00000'
		  ? $wire->query('SELECT coalesce(cnap_current_user(), $$nobody$$) || (SELECT count(*) FROM app.deployment)') : 'nobody0';
		is($who, 'nobody0', 'on: claims with the bytes ' . unpack('H*', $bytes) . ', of the connection');
	}
}

# Parallel workers have the claims of their leader.
{
	my $session = connect_to($node, 'plain', 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0', 'SET min_parallel_table_scan_size = 0',
		'SET enable_indexscan = off', 'SET enable_bitmapscan = off', 'SET parallel_leader_participation = off');
	my $query = 'SELECT note, cnap_current_user() FROM app.deployment';

	$admin->query('ALTER TABLE app.deployment SET (parallel_workers = 2)');
	$session->query(q(SET request.jwt.claims = '{"sub": "carol"}'));
	like($session->query("EXPLAIN $query"), qr/Gather/, '(on: there are parallel workers)');
	is($session->query($query), 'one|carol', 'on: parallel workers of carol');
	$session->query(q(SET request.jwt.claims = '{"sub": ["erin"]}'));
	is($session->query($query), '', 'on: of nobody');
	$session->query(q(SET request.jwt.claims = '{"sub": "dave"}'));
	is($session->query($query), 'two|dave', 'on: of dave');
	$session->quit;
}

$node->stop;
done_testing();
