#
# secrecy.pl: a token is shown once, and found nowhere else
#
# Access tokens, install links and invitations are created, used, misused and ended in every way.
# Then all output of the server is searched for the tokens and for their stored hashes: results,
# complete errors, notifications, all tables, the audit listings, the server's log, and a dump.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use Digest::SHA qw(sha256_hex sha256_base64);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# logging failed statements is the administrator's decision, so it is irrelevant here
my $node = new_node('main', "cnap.notify = on\nlog_statement = none\nlog_min_error_statement = panic\nlog_min_messages = debug1\nlog_error_verbosity = verbose");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $said = '';
my %tokens;
my $errors = 0;

populate($node, 'postgres');

# Executes statements on behalf of a user, and keeps everything that is returned.
sub try_as
{
	my ($person, @statements) = @_;
	my ($status, $out, $err) = $node->psql('postgres', join("\n", 'LISTEN cnap;', '\set VERBOSITY verbose',
			'SET ROLE cnap_app;', "SET cnap.user_id = '$person';", map { "$_;" } @statements), on_error_stop => 0);
	$said .= "$out\n$err\n";
	$errors += () = $err =~ /ERROR:  /g;
	return $out;
}

# Lets a user create a token; that result alone is kept separately.
sub make_token
{
	my ($name, $person, $call) = @_;
	try_as($person, "SELECT $call \\g $dir/token\nSELECT 1");
	chomp(my $token = slurp_file("$dir/token"));
	unlink "$dir/token" or die "no token: $call";
	$tokens{$name} = $token;
	return $token;
}

# ---- the tokens ----

make_token('access', 'carol', q{cnap_create_access_token('Script')});
make_token('revoked access', 'carol', q{cnap_create_access_token('Former', now() + interval '1 day')});
foreach my $name ('link', 'used link', 'revoked link', 'expired link', 'lost link')
{
	make_token($name, 'ann', "cnap_create_install_link('$ACME', '$name', 1, now() + interval '1 day')");
}
foreach my $name ('invitation', 'accepted', 'declined', 'revoked', 'expired', 'resent', 'lost')
{
	make_token($name, 'ann', "cnap_invite_to_organization('$ACME', 'member', '$name\@acme.example')");
}
foreach my $name ('guest', 'accepted guest')
{
	make_token($name, 'carol', "cnap_invite_to_workspace('$W1', 'admin')");
}

sub quoted { return "'$tokens{$_[0]}'" }

# The id of the row that a token belongs to
sub id_of
{
	my ($table, $name) = @_;
	return "'" . $node->safe_psql('postgres', "SELECT id FROM cnap.$table WHERE token_hash = sha256(" . quoted($name) . ')') . "'";
}

# ---- using them ----

$node->safe_psql('postgres', "UPDATE cnap.install_link SET expires_at = now() WHERE id = " . id_of('install_link', 'expired link'));
$node->safe_psql('postgres', "UPDATE cnap.invitation SET expires_at = now() WHERE id = " . id_of('invitation', 'expired'));
$node->safe_psql('postgres', "DELETE FROM cnap.install_link WHERE id = " . id_of('install_link', 'lost link'));
$node->safe_psql('postgres', "DELETE FROM cnap.invitation WHERE id = " . id_of('invitation', 'lost'));
try_as('', 'SELECT cnap_authenticate(' . quoted('access') . ')');
try_as('carol', 'SELECT cnap_revoke_access_token(' . id_of('access_token', 'revoked access') . ')');
try_as('erin', 'SELECT cnap_redeem_install_link(' . quoted('used link') . ", '$W3')");
try_as('ann', 'SELECT cnap_revoke_install_link(' . id_of('install_link', 'revoked link') . ')');
try_as('nina', 'SELECT cnap_accept_invitation(' . quoted('accepted') . ')');
try_as('nina', 'SELECT cnap_accept_invitation(' . quoted('accepted guest') . ')');
try_as('nina', 'SELECT cnap_decline_invitation(' . quoted('declined') . ')');
try_as('ann', 'SELECT cnap_revoke_invitation(' . id_of('invitation', 'revoked') . ')');
make_token('resent anew', 'ann', 'cnap_resend_invitation(' . id_of('invitation', 'resent') . ')');

# every token, valid or not, and with various typing errors, passed to every function that takes
# one, by users for whom it is meant, by others, and without a user
my @functions = ('cnap_authenticate(%s)', 'cnap_install_link(%s)', "cnap_redeem_install_link(%s, '$W1')",
	"cnap_redeem_install_link(%s, '$W2')", 'cnap_invitation(%s)', 'cnap_accept_invitation(%s)', 'cnap_decline_invitation(%s)');
my $before = $errors;
foreach my $person ('carol', 'nina', '')
{
	my @statements;
	foreach my $token (values %tokens)
	{
		foreach my $form ("'$token'", "left('$token', -1)", "upper('$token')", "'$token' || repeat('x', 100000)")
		{
			push @statements, map { ('BEGIN', 'SELECT * FROM ' . sprintf($_, $form), 'ROLLBACK') } @functions;
		}
	}
	try_as($person, @statements);
}
cmp_ok($errors - $before, '>', 1000, 'most of that was refused');

# likewise in a transaction that fails later, from a function, and by a prepared statement
try_as('nina', 'BEGIN', 'SELECT cnap_accept_invitation(' . quoted('invitation') . ')', 'SELECT 1/0', 'ROLLBACK',
	'PREPARE p AS SELECT cnap_accept_invitation($1)', 'EXECUTE p(' . quoted('used link') . ')');

# what users can list
foreach my $person ('ann', 'carol', 'erin', 'nina')
{
	try_as($person, 'SELECT * FROM cnap_access_tokens()', "SELECT * FROM cnap_install_links('$ACME')",
		"SELECT * FROM cnap_invitations('$ACME')", "SELECT * FROM cnap_workspace_invitations('$W1')",
		"SELECT * FROM cnap_organization_audit('$ACME')", "SELECT * FROM cnap_workspace_audit('$W1')",
		"SELECT * FROM cnap_workspace_audit('$W3')");
}

# ---- where they could be ----

my %texts = ('what was said' => $said, 'the log of the server' => slurp_file($node->logfile),
	'a dump' => $node->safe_psql('postgres', 'SELECT 1'));
$node->command_ok([ 'pg_dump', '-f', "$dir/dump", 'postgres' ], 'pg_dump');
$texts{'a dump'} = slurp_file("$dir/dump");
foreach my $table (split /\n/, $node->safe_psql('postgres', q{
	SELECT relname FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r' AND relname !~ 'epoch'}))
{
	$texts{"the table $table"} = table_rows($node, 'postgres', $table);
}

like($texts{'what was said'}, qr/"install_link.redeem"/, 'notifications were heard');
like($texts{'what was said'}, qr/invalid or expired invitation/, 'and refusals');
like($texts{'the table audit_log'}, qr/install_link\.redeem/, 'the audit log has entries');
like($texts{'the log of the server'}, qr/invalid or expired invitation/, 'and so has the log of the server');
cmp_ok(length $said, '<', 10_000_000, 'no long token is said back');

foreach my $where (sort keys %texts)
{
	my @found = grep {
		my ($secret) = $tokens{$_} =~ /_([^_]+)$/;
		index(lc $texts{$where}, substr($secret, 0, 30)) >= 0
	} sort keys %tokens;
	is("@found", '', "no token in $where");

	# the hash is in its own column, which nobody can read
	next if $where =~ /dump|table (access_token|install_link|invitation)$/;
	@found = grep {
		my $hash = sha256_hex($tokens{$_});
		index($texts{$where}, $hash) >= 0 || index($texts{$where}, sha256_base64($tokens{$_})) >= 0
	} sort keys %tokens;
	is("@found", '', "no hash in $where");
}

# the search would find them
like($texts{"the table install_link"}, qr/\\\\?x@{[ sha256_hex($tokens{link}) ]}/, 'a stored hash is that of the token');

# ---- what the notifications say instead ----

my %heard;
while ($said =~ /notification "cnap" with payload "(.*)" received from/g)
{
	my $payload = decode_json($1);
	$heard{ $payload->{action} } = join(' ', sort keys %$payload);
}
is($heard{'invitation.create'}, 'action actor workspace', 'invitation.create');
is($heard{'invitation.accept'}, 'action actor subject workspace', 'invitation.accept');
is($heard{'install_link.create'}, 'action actor organization', 'install_link.create');
is($heard{'install_link.redeem'}, 'action actor organization workspace', 'install_link.redeem');
is($heard{'install_link.revoke'}, 'action actor organization', 'install_link.revoke');

$node->stop;
done_testing();
