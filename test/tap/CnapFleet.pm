#
# CnapFleet.pm: what the tests of databases that follow another one share
#
# Each database has the role app, which is trusted, and the protected table doc, of which one row lies in
# the workspace $W. That is gina's, and can be managed by the organization $O of ann and ben.
#
package CnapFleet;

use strict;
use warnings;

use CnapTest;
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw($W $O $ASK $OPEN $CLOSED guide guide_settings not_in_tests beating new_standby
  furnish fill as_user  becomes subscribe found remedied position wait_for quoted);

our $W = '00000000-0000-0000-0000-00000000000a';
our $O = '00000000-0000-0000-0000-0000000000aa';

# Everything that a session can ask about access, as one string
our $ASK = "SELECT cnap_can_access('$W'), cnap_has_permission('$W', 'access'), cnap_workspace_role('$W') IS NOT NULL,"
  . " '$W' = ANY (cnap_accessible_workspaces()), (SELECT count(*) FROM doc), (SELECT count(*) FROM doc WHERE id = 1)";
our ($OPEN, $CLOSED) = ('t|t|t|t|1|1', 'f|f|f|f|0|0');

my $guide = slurp_file("$FindBin::RealBin/../../doc/scaling.md");

# block_of(LANGUAGE, PATTERN, REPLACEMENTS): the block in the guide that matches, with what depends on the
# servers replaced
sub block_of
{
	my ($language, $pattern, %replace) = @_;
	my ($block, @more) = grep { /$pattern/ } $guide =~ /^```$language\n(.*?)^```$/msg;

	die "the guide has no such block: $pattern" if !defined $block || @more;
	$block =~ s/\Q$_\E/$replace{$_}/ or die "$pattern: no $_" foreach keys %replace;
	return $block;
}

# Such a block of SQL
sub guide
{
	return block_of('sql', @_);
}

# Such a block of settings
sub guide_settings
{
	return block_of('ini', @_);
}

# The blocks of the guide that no test executes
sub not_in_tests
{
	my $tests = join '', map { slurp_file($_) } glob "$FindBin::RealBin/*.p[lm]";
	my %used = map { $_ => 1 } $tests =~ /\bguide(?:_settings)?\(qr\/(.*?)\//g;

	return grep {
		my $block = $_;
		!grep { $block =~ /$_/ } keys %used
	} $guide =~ /^```(?:sql|ini)\n(.*?)^```$/msg;
}

sub quoted
{
	my ($string) = @_;

	return $string =~ s/'/''/gr;
}

# beating(INTERVAL): the settings by which a worker beats
sub beating
{
	my ($interval) = @_;

	return guide_settings(qr/beat_interval/, q{= 'app'} => q{= 'postgres'}) . "cnap.beat_interval = $interval\n";
}

# new_standby(ORIGIN, SETTINGS)
sub new_standby
{
	my ($origin, $settings) = @_;
	my $standby = PostgreSQL::Test::Cluster->new('standby');

	$origin->backup('backup');
	$standby->init_from_backup($origin, 'backup', has_streaming => 1);
	$standby->append_conf('postgresql.conf', $settings);
	$standby->start;
	return $standby;
}

# furnish(NODE): the extension, the role and the table
sub furnish
{
	my ($node) = @_;

	$node->safe_psql('postgres', guide(qr/^CREATE EXTENSION/));
	$node->safe_psql('postgres', q{
		CREATE ROLE app LOGIN;
		SELECT cnap_trust('app');
		CREATE TABLE doc (id int PRIMARY KEY, workspace_id uuid NOT NULL);
		CREATE INDEX ON doc (workspace_id);
		SELECT cnap_protect('doc');
		GRANT ALL ON doc TO app;});
	$node->safe_psql('postgres', "INSERT INTO doc SELECT n, CASE WHEN n = 1 THEN '$W' ELSE gen_random_uuid() END"
		  . ' FROM generate_series(1, 1000) n; ANALYZE doc');
	return;
}

# fill(NODE): the workspace and the organization, for an origin
sub fill
{
	my ($node) = @_;

	$node->safe_psql('postgres', qq{
		INSERT INTO cnap.organization (id, name) VALUES ('$O', 'Acme');
		INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$W', 'Globex', 'gina');
		INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('$O', 'ann', 'owner'), ('$O', 'ben', 'member')});
	return;
}

# as_user(NODE, USER, STATEMENT): the output, or the SQLSTATE of the error
sub as_user
{
	my ($node, $user, $statement) = @_;
	my $session = connect_to($node, 'app', "SET cnap.user_id = '$user'");
	my $output = $session->attempt($statement);
	my $state = $session->{sqlstate};

	$session->quit;
	return $state eq '00000' ? $output : $state;
}

# The rules by which the linter finds something about other databases, as an ordinary role executes it
sub found
{
	my ($node) = @_;

	return as_user($node, 'gina', q{SELECT coalesce(string_agg(rule, ' ' ORDER BY rule), '') FROM cnap_lint()
		WHERE rule ~ '^(publication|subscription|access_stale|staleness|origin|reference_to)_?'});
}

# Executes what the linter says against a finding.
sub remedied
{
	my ($node, $rule) = @_;

	like($node->safe_psql('postgres', "SELECT string_agg(remedy, '\n') AS remedy FROM cnap_lint() WHERE rule = '$rule' \\gset\n:remedy"),
		qr/^\s*$/, "$rule: the remedy");
	return;
}

# becomes(EXPECTED, NAME, CODE): until the code returns that, which need not be at once.  An old minor version of
# PostgreSQL 16 can take three minutes to start an apply worker again.
sub becomes
{
	my ($expected, $name, $code) = @_;
	my $seen = '';

	for (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$seen = $code->();
		last if $seen eq $expected;
		usleep(100_000);
	}
	is($seen, $expected, $name);
	return;
}

# subscribe(NODE, PUBLISHER, NAME): to its access data
sub subscribe
{
	my ($node, $publisher, $name) = @_;

	$node->safe_psql('postgres', guide(qr/^CREATE SUBSCRIPTION access CONN/, 'CREATE SUBSCRIPTION access' => "CREATE SUBSCRIPTION $name",
			'host=origin dbname=app user=replicator' => quoted($publisher->connstr('postgres'))));
	return;
}

# position(ORIGIN): that which it has reached
sub position
{
	my ($node) = @_;

	return $node->safe_psql('postgres', guide(qr/^SELECT cnap_position/));
}

# wait_for(NODE, POSITION): until it has been reached there
sub wait_for
{
	my ($node, $position) = @_;

	$node->safe_psql('postgres', guide(qr/^SELECT cnap_wait/, '7412345678901234567/16384@0/1A2B3C8' => $position, '5s' => '1min'));
	return;
}

1;
