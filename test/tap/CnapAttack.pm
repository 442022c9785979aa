#
# CnapAttack.pm: shared by the attack_*.pl tests
#
# These try, as ordinary database roles, to become another user or to learn what is hidden. The
# users are those of CnapModel.pm. The roles are
#
#   cnap_app    trusted, as an application server's
#   plain       no more than SELECT, INSERT, UPDATE and DELETE on the protected app.deployment
#   bare        nothing
#
# The victim is erin: she alone reaches the workspace $W3, which contains the row 'three'. So an
# attacker who becomes erin, or sees 'three', has succeeded.
#
#   my $node = new_world('name', $configuration);
#   my $session = connect_to($node, 'plain');
#   fails($session, 'SET', "SET cnap.user_id = 'erin'");
#   refused($session, 'LOCK', 'LOCK app.deployment', '42501');
#
# A CnapAttack::Wire speaks the frontend/backend protocol itself, for messages that psql does not
# send.
#
package CnapAttack;

use strict;
use warnings;

use Exporter 'import';
use CnapModel;
use CnapTest;
use Test::More;

our @EXPORT = qw(new_world settle state fails refused attempt_all attempts_to_set
  attempts_to_set_for_role calls $NOBODY $ERIN);

our $NOBODY = 'nobody sees none, reaches nothing';
our $ERIN = "erin sees three, reaches $W3";

# The current user of a session, the rows that it sees, and the results of the checks
my $state = qq{
	SELECT coalesce(cnap_current_user(), 'nobody')
		|| ' sees ' || (SELECT coalesce(string_agg(note, ',' ORDER BY id), 'none') FROM app.deployment)
		|| ', reaches ' || coalesce((SELECT string_agg(w::text, ',' ORDER BY w)
			FROM (SELECT unnest(cnap_accessible_workspaces())
				UNION SELECT w FROM unnest('{$W1,$W2,$W3}'::uuid[]) w WHERE cnap_can_access(w)) w (w)), 'nothing')};

# A cluster with the users and the roles
sub new_world
{
	my ($name, $configuration, %init) = @_;
	my $node = new_node($name, $configuration, %init);

	settle($node);
	return $node;
}

# The users and the roles, in an existing cluster
sub settle
{
	my ($node) = @_;

	populate($node, 'postgres');
	$node->safe_psql('postgres', q{
		ALTER ROLE cnap_app LOGIN;
		CREATE ROLE plain LOGIN;
		CREATE ROLE bare LOGIN;
		GRANT USAGE ON SCHEMA app TO plain;
		GRANT SELECT, INSERT, UPDATE, DELETE ON app.deployment TO plain;});
	return;
}

# state(SESSION): as above, for a session that may be in a failed transaction
sub state
{
	my ($session) = @_;
	my $got = $session->attempt($state);

	if ($session->{sqlstate} eq '25P02')
	{
		$session->query('ROLLBACK');
		$got = $session->attempt($state);
	}
	return $session->{sqlstate} eq '00000' ? (split /\n/, $got)[-1] : $session->{error};
}

# fails(SESSION, ATTEMPT, STATEMENT...): after the statements, which may fail, the session has the
# same user as before, or none, and so it has when its transaction has ended and after DISCARD ALL.
# The state is examined only after the statements, since that loads the library. $session->{first}
# is executed before them, and $session->{state} is the expected state then, if there is a user.
sub fails
{
	my ($session, $attempt, @statements) = @_;
	my $before = $session->{state} // $NOBODY;
	my @wrong;

	$session->attempt($_) foreach @{ $session->{first} // [] }, @statements;
	foreach my $end ('SELECT', 'COMMIT', 'DISCARD ALL')
	{
		$session->attempt($end);
		my $state = CnapAttack::state($session);
		push @wrong, "after $end: $state" if $state ne $NOBODY && ($state ne $before || $end eq 'DISCARD ALL');
	}
	return is("@wrong", '', $attempt);
}

# refused(SESSION, ATTEMPT, STATEMENT, SQLSTATE): the statement fails with that error
sub refused
{
	my ($session, $attempt, $statement, $sqlstate) = @_;

	$session->attempt($statement);
	$session->{got} = $session->{sqlstate};
	$session->attempt('ROLLBACK');
	return is($session->{got}, $sqlstate, $attempt);
}

# attempt_all(TITLE, SESSION, ATTEMPT => STATEMENTS...): fails() for each, in that session, or, if
# SESSION is a function, each in a new session that the function makes
sub attempt_all
{
	my ($title, $given, @attempts) = @_;

	while (my ($attempt, $statements) = splice @attempts, 0, 2)
	{
		my $session = ref $given eq 'CODE' ? $given->() : $given;
		fails($session, "$title: $attempt", ref $statements ? @$statements : $statements);
		$session->quit if ref $given eq 'CODE';
	}
	return;
}

# attempts_to_set(NAME, VALUE): ways to set a parameter, for attempt_all(), whatever the session's
# role
sub attempts_to_set
{
	my ($name, $value) = @_;
	my $set = "SET $name = '$value'";
	my $set_local = "SET LOCAL $name = '$value'";
	my $config = "set_config('$name', '$value', false)";
	my $config_local = "set_config('$name', '$value', true)";

	return (
		'nothing at all' => 'SELECT 1',
		'SET' => $set,
		'SET SESSION' => "SET SESSION $name TO '$value'",
		'SET LOCAL in no transaction block' => $set_local,
		'SET LOCAL in a transaction' => [ 'BEGIN', $set_local ],
		'SET in a transaction' => [ 'BEGIN', $set ],
		'SET in a transaction that commits' => [ 'BEGIN', $set, 'COMMIT' ],
		'SET in a transaction that is rolled back' => [ $set, 'BEGIN', $set, 'ROLLBACK' ],
		'SET in capitals' => "SET \U$name\E = '$value'",
		'SET in quoted capitals' => qq{SET "\U$name\E" = '$value'},
		'SET of a list' => "SET $name = '$value', '$value'",
		'SET TO DEFAULT, SET' => [ "SET $name = DEFAULT", $set ],
		'SET, RESET' => [ $set, "RESET $name" ],
		'SET, RESET ALL' => [ $set, 'RESET ALL' ],
		'SET, DISCARD ALL' => [ $set, 'DISCARD ALL' ],
		'RESET' => "RESET $name",
		'RESET ALL' => 'RESET ALL',
		'DISCARD ALL' => 'DISCARD ALL',
		'RESET ALL between two SET' => [ $set, 'RESET ALL', $set ],
		'set_config()' => "SELECT $config",
		'set_config() for the transaction' => "SELECT $config_local",
		'set_config() in a transaction' => [ 'BEGIN', "SELECT $config" ],
		'set_config() for the transaction, in a transaction' => [ 'BEGIN', "SELECT $config_local" ],
		'set_config() in a prepared statement' => [ "PREPARE p AS SELECT $config", 'EXECUTE p' ],
		'set_config() in WHERE' => "SELECT FROM app.deployment WHERE $config_local IS NOT NULL",
		'set_config() in a query before the rows' =>
		  "WITH s AS MATERIALIZED (SELECT $config_local v) SELECT note FROM s, app.deployment WHERE v <> ''",
		'set_config() in a default' => [ "CREATE TEMP TABLE t (a int, b text DEFAULT $config)", 'INSERT INTO t VALUES (1)' ],
		'set_config() in a constraint' =>
		  [ "CREATE TEMP TABLE t (a int CHECK ($config <> ''))", 'INSERT INTO t VALUES (1)' ],
		'set_config() in a view' => [ "CREATE TEMP VIEW v AS SELECT $config AS c", 'TABLE pg_temp.v' ],
		'set_config() in a cursor' => [ 'BEGIN', "DECLARE c CURSOR WITH HOLD FOR SELECT $config", 'FETCH c', 'COMMIT', 'FETCH c' ],
		'set_config() in COPY' => "COPY (SELECT $config) TO STDOUT",
		'set_config() in an index' => [
			"CREATE FUNCTION pg_temp.f(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS \$\$BEGIN RETURN $config; END\$\$",
			'CREATE TEMP TABLE t (a int)', 'CREATE INDEX ON t (pg_temp.f(a))', 'INSERT INTO t VALUES (1)', 'ANALYZE t' ],
		'set_config() in a trigger' => [
			"CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN PERFORM $config; RETURN NEW; END\$\$",
			'CREATE TEMP TABLE t (a int)',
			'CREATE CONSTRAINT TRIGGER f AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.f()',
			'INSERT INTO t VALUES (1)' ],
		'set_config() in a rule' => [ 'CREATE TEMP TABLE t (a int)',
			"CREATE RULE r AS ON INSERT TO t DO ALSO SELECT $config", 'INSERT INTO t VALUES (1)' ],
		'a function with a SET clause' => [
			qq{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql $set AS 'SELECT note FROM app.deployment'}, 'SELECT pg_temp.f()' ],
		'a function that gets its SET clause later' => [
			q{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS 'SELECT cnap_current_user()'},
			"ALTER FUNCTION pg_temp.f() $set", 'SELECT pg_temp.f()' ],
		'a function with SET FROM CURRENT' => [ $set,
			"CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET $name FROM CURRENT AS 'SELECT cnap_current_user()'",
			'SELECT pg_temp.f()' ],
		'a procedure with a SET clause' => [
			qq{CREATE PROCEDURE pg_temp.p() LANGUAGE plpgsql $set AS 'BEGIN END'}, 'CALL pg_temp.p()' ],
		'a procedure that commits' => [
			"CREATE PROCEDURE pg_temp.p() LANGUAGE plpgsql AS \$\$BEGIN PERFORM $config_local; COMMIT; END\$\$",
			'CALL pg_temp.p()' ],
		'a DO block' => "DO \$\$BEGIN $set; END\$\$",
		'a DO block with SET LOCAL' => [ 'BEGIN', "DO \$\$BEGIN $set_local; END\$\$" ],
		'a DO block that goes on after the error' =>
		  [ 'BEGIN', "DO \$\$BEGIN BEGIN $set; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM cnap_current_user(); END\$\$" ],
		'a DO block with EXECUTE' => "DO \$\$BEGIN EXECUTE 'SET $name = ''$value'''; END\$\$",
		'a savepoint rolled back' => [ 'BEGIN', $set, 'SAVEPOINT s', $set_local, 'ROLLBACK TO s' ],
		'a savepoint released' => [ 'BEGIN', 'SAVEPOINT s', $set_local, 'RELEASE s' ],
		'savepoints below each other' =>
		  [ $set, 'BEGIN', $set_local, 'SAVEPOINT a', $set, 'SAVEPOINT b', $set_local, 'ROLLBACK TO b', 'ROLLBACK TO a' ],
		'a savepoint in which the library is loaded' =>
		  [ 'BEGIN', $set, 'SAVEPOINT s', 'SELECT cnap_current_user()', 'ROLLBACK TO s' ],
		'a transaction in which the library is loaded' => [ $set, 'BEGIN', 'SELECT cnap_current_user()', 'ROLLBACK' ],
		'an error in the middle' => [ $set, 'SELECT 1/0' ],
		'an error in the middle of a transaction' => [ 'BEGIN', $set, 'SELECT 1/0', 'ROLLBACK' ],
		'an error back to a savepoint' => [ 'BEGIN', $set, 'SAVEPOINT s', 'SELECT cnap_current_user()/0', 'ROLLBACK TO s' ],
		'statements in one message' => "$set; SELECT note FROM app.deployment; SELECT $config_local; SELECT note FROM app.deployment",
		'UPDATE of pg_settings' => "UPDATE pg_settings SET setting = '$value' WHERE name = '$name'",
		'UPDATE of pg_settings in a transaction' => [ $set, 'BEGIN', "UPDATE pg_settings SET setting = '$value' WHERE name LIKE 'cnap.%'" ],
		'INSERT into pg_db_role_setting' =>
		  "INSERT INTO pg_db_role_setting SELECT 0, oid, '{$name=$value}' FROM pg_roles WHERE rolname = 'plain'",
		'ALTER SYSTEM' => "ALTER SYSTEM $set",
		'GRANT SET ON PARAMETER' => [ "GRANT SET ON PARAMETER $name TO plain", $set ],
		'GRANT SET ON PARAMETER to PUBLIC' => [ "GRANT SET ON PARAMETER $name TO PUBLIC", $set ],
		'cnap_trust()' => [ q{SELECT cnap_trust('plain')}, $set ],
		'GRANT of a trusted role' => [ 'GRANT cnap_app TO plain', $set ],
		'LOAD' => [ $set, q{LOAD 'cnap_org'}, q{LOAD '$libdir/cnap_org'} ],
		'preloading by oneself' =>
		  [ q{SET session_preload_libraries = 'cnap_org'}, q{SET local_preload_libraries = 'cnap_org'}, $set ],
		'a function in C' => q{CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE C AS 'cnap_org', '_PG_init'},
		'another setting of the prefix' => [ map { "SET $_ = '$value'" } "${name}s", qq{"$name "}, 'cnap.current_user', 'cnap.userid' ],
		'a setting below the setting' => "SET $name.x = '$value'",
	);
}

# attempts_to_set_for_role(NAME, VALUE): those that a session of a trusted role is allowed to make
sub attempts_to_set_for_role
{
	my ($name, $value) = @_;
	my $set = "SET $name = '$value'";

	return (
		'ALTER ROLE of oneself' => [ "ALTER ROLE plain $set", '\c' ],
		'ALTER ROLE CURRENT_USER' => [ "ALTER ROLE CURRENT_USER $set", '\c' ],
		'ALTER ROLE IN DATABASE' => [ "ALTER ROLE plain IN DATABASE postgres $set", '\c' ],
		'ALTER ROLE ALL' => [ "ALTER ROLE ALL $set", '\c' ],
		'ALTER DATABASE' => [ "ALTER DATABASE postgres $set", '\c' ],
		'SET ROLE' => [ 'SET ROLE cnap_app', $set ],
		'SET role as a variable' => [ q{SELECT set_config('role', 'cnap_app', false)}, $set ],
		'SET SESSION AUTHORIZATION' => [ 'SET SESSION AUTHORIZATION cnap_app', $set ],
	);
}

# calls(NODE, NAME => VALUE...): pairs of the signature of a public function and a call with all of
# its arguments, in order. The values are SQL expressions, found by 'function.argument', as in
# 'cnap_authenticate.token', for texts and uuids by the argument's name, or else by its type.
my %values = (
	user_id => "'gus'", new_owner => "'gus'", owner => 'NULL', successor => "'carol'",
	organization => "'$ACME'", slug => "'a-slug'", logo => "'https://logo.example'",
	management_email => "'m\@example.org'", billing_email => "'b\@example.org'", email => "'e\@example.org'",
	uuid => "'$W1'", text => "'text'", name => "'workspace_id'", role => "'member'", permission => "'access'",
	jsonb => "'{}'", bool => 'true', timestamptz => "'2999-01-01'", interval => "'1 day'", int8 => 'NULL',
	int4 => '10', _text => "'{}'", _uuid => "'{$W1}'", _name => "'{workspace_id}'", _regclass => "'{}'",
	regclass => "'app.deployment'", regrole => "'plain'");

sub calls
{
	my ($node, %given) = @_;
	my %value = (%values, %given);
	my (%call, @signatures);

	foreach my $line (split /\n/, $node->safe_psql('postgres', q{
		SELECT p.oid::regprocedure, format('%I.%I', p.pronamespace::regnamespace, p.proname),
			p.proargnames[n], t.typname, t.typnamespace::regnamespace
		FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY a (type, n) ON true
			LEFT JOIN pg_type t ON t.oid = a.type
		WHERE p.proname LIKE 'cnap\_%' ORDER BY p.oid::regprocedure::text COLLATE "C", n}))
	{
		my ($signature, $function, $name, $type, $schema) = split /\|/, $line, -1;

		push @signatures, $signature if !$call{$signature};
		$call{$signature}{function} = $function;
		next if $type eq '';
		my $value = $value{ ($function =~ s/.*\.//r) . ".$name" };
		$value //= $value{$name} if $type eq 'text' || ($type eq 'uuid' && $name ne 'user_id');
		$value //= $value{$type};
		push @{ $call{$signature}{arguments} }, "$name => CAST($value AS $schema.$type)";
	}
	return map { ($_, "SELECT * FROM $call{$_}{function}(" . join(', ', @{ $call{$_}{arguments} // [] }) . ')') } @signatures;
}

package CnapAttack::Wire;

use strict;
use warnings;

use IO::Socket::UNIX;

# new(NODE, NAME => VALUE...): a connection whose startup packet has these parameters
sub new
{
	my ($class, $node, %parameters) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port)
	  or die "no connection: $!";
	my $self = bless { socket => $socket }, $class;
	my $packet = pack 'N (Z*)* x', 196608, database => 'postgres', %parameters;

	print $socket pack('N', 4 + length $packet) . $packet;
	$socket->flush;
	$self->answer;
	return $self;
}

sub bytes
{
	my ($self, $length) = @_;
	my $bytes = '';

	while (length $bytes < $length)
	{
		my $got = sysread $self->{socket}, $bytes, $length - length $bytes, length $bytes;

		# a session that ends may interrupt the wait
		die "the connection has ended" if !$got && (defined $got || !$!{EINTR});
	}
	return $bytes;
}

# Reads until the server is ready, or has closed the connection. Returns the last value; the
# SQLSTATE of an error is in $self->{sqlstate}.
sub answer
{
	my ($self) = @_;
	my $value;

	$self->{sqlstate} = '00000';
	while (1)
	{
		my ($type, $length) = unpack 'a N', $self->bytes(5);
		my $body = $self->bytes($length - 4);

		if ($type eq 'E')
		{
			my ($severity, $sqlstate) = $body =~ /^S\w+\0V(\w+)\0C(\w{5})\0/;
			$self->{sqlstate} = $sqlstate;
			return if $severity eq 'FATAL';
		}
		$value = unpack 'x2 N/a*', $body if $type eq 'D';
		$value = unpack 'N/a*', $body if $type eq 'V';
		return $value if $type eq 'Z';
	}
}

sub send
{
	my ($self, $type, $body) = @_;

	print { $self->{socket} } $type . pack('N', 4 + length $body) . $body;
	$self->{socket}->flush;
	return $self->answer;
}

# query(SQL): by the simple protocol
sub query
{
	my ($self, $sql) = @_;

	return $self->send('Q', "$sql\0");
}

# bind(SQL, PARAMETER...): by the extended protocol, with parameters and result as text
sub bind
{
	my ($self, $sql, @parameters) = @_;
	my @messages = (
		[ P => pack 'Z* Z* n', '', $sql, 0 ],
		[ B => pack('Z* Z* n n (N/a*)*', '', '', 0, scalar @parameters, @parameters) . pack('n', 0) ],
		[ E => pack 'Z* N', '', 0 ]);

	print { $self->{socket} } $_->[0] . pack('N', 4 + length $_->[1]) . $_->[1] foreach @messages;
	return $self->send('S', '');
}

# call(OID, ARGUMENT...): by the protocol's function call, with arguments and result as text
sub call
{
	my ($self, $oid, @arguments) = @_;

	return $self->send('F', pack('N n n (N/a*)*', $oid, 0, scalar @arguments, @arguments) . pack('n', 0));
}

1;
