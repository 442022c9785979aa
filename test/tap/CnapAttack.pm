#
# CnapAttack.pm: what the attack_*.pl tests share
#
# They try, as ordinary database roles, to become another user or to learn what is hidden. The
# people are those of CnapModel.pm. The roles are
#
#   cnap_app    trusted, as an application server's
#   plain       no more than SELECT, INSERT, UPDATE and DELETE on the protected app.deployment
#   bare        nothing
#
# The victim is erin: she alone reaches the workspace $W3, in which is the row 'three'. So whoever
# is erin, or sees 'three', has succeeded.
#
#   my $node = new_world('name', $configuration);
#   my $session = connect_to($node, 'plain');
#   fails($session, 'SET', "SET cnap.user_id = 'erin'");
#   refused($session, 'LOCK', 'LOCK app.deployment', '42501');
#
# A CnapAttack::Wire speaks the protocol itself, for what psql does not send.
#
package CnapAttack;

use strict;
use warnings;

use Exporter 'import';
use CnapModel;
use CnapTest;
use Test::More;

our @EXPORT = qw(new_world settle state fails refused attempt_all calls $NOBODY $ERIN);

our $NOBODY = 'nobody sees none, reaches nothing';
our $ERIN = "erin sees three, reaches $W3";

# Who a session is, which rows it sees, and what the checks tell it
my $state = qq{
	SELECT coalesce(cnap_current_user(), 'nobody')
		|| ' sees ' || (SELECT coalesce(string_agg(note, ',' ORDER BY id), 'none') FROM app.deployment)
		|| ', reaches ' || coalesce((SELECT string_agg(w::text, ',' ORDER BY w)
			FROM (SELECT unnest(cnap_accessible_workspaces())
				UNION SELECT w FROM unnest('{$W1,$W2,$W3}'::uuid[]) w WHERE cnap_can_access(w)) w (w)), 'nothing')};

# A cluster with the people, and the roles
sub new_world
{
	my ($name, $configuration, %init) = @_;
	my $node = new_node($name, $configuration, %init);

	settle($node);
	return $node;
}

# The people and the roles, in a cluster that is there
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

# state(SESSION): as above, of a session which may be in a failed transaction
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

# fails(SESSION, ATTEMPT, STATEMENT...): after the statements, which may fail, the session is who it
# was, or nobody, and is that too when its transaction has ended and after DISCARD ALL. The state is
# looked at only behind the statements, since looking loads the library. $session->{first} is what
# is executed before them, and $session->{state} who the session is then, if not nobody.
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
# SESSION is a function, in a session of its own that this makes
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

# calls(NODE, NAME => VALUE...): pairs of the signature of a public function and a call with all of
# its arguments, in order. The values are SQL, by the arguments' names, or else by their types.
my %values = (
	user_id => "'gus'", new_owner => "'gus'", owner => 'NULL', successor => "'carol'",
	organization => "'$ACME'", slug => "'a-slug'", logo => "'https://logo.example'",
	management_email => "'m\@example.org'", billing_email => "'b\@example.org'", email => "'e\@example.org'",
	uuid => "'$W1'", text => "'text'", name => "'workspace_id'", role => "'member'", permission => "'access'",
	jsonb => "'{}'", bool => 'true', timestamptz => "'2999-01-01'", interval => "'1 day'", int8 => 'NULL',
	int4 => '10', regclass => "'app.deployment'", regrole => "'plain'");

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
		my $value = $type eq 'uuid' && $name eq 'user_id' ? $value{uuid}
		  : $name ne 'name' || $type eq 'name' ? $value{$name} // $value{$type} : $value{$type};
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
		sysread $self->{socket}, $bytes, $length - length $bytes, length $bytes
		  or die "the connection has ended";
	}
	return $bytes;
}

# Reads until the server is ready, or has ended the connection. Returns the last value; the
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

# call(OID, ARGUMENT...): by the protocol's function call, with arguments and result as text
sub call
{
	my ($self, $oid, @arguments) = @_;

	return $self->send('F', pack('N n n (N/a*)*', $oid, 0, scalar @arguments, @arguments) . pack('n', 0));
}

1;
