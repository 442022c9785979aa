#
# CnapCitus.pm: shared by the tests of a cluster of Citus
#
# new_cluster() makes a coordinator and workers, on one machine, as doc/citus.md says, with these
# data: the users u1 to u20, who own the workspaces W1 to W20, of which the members of an
# organization, ann and ben, manage the first five. ben is the one who asks: he sees what is marked
# as seen, and nothing that is marked as UNSEEN.
#
# The roles are app, which is trusted, and plain, which is not; $OTHER is a workspace that ben cannot
# reach.
#
package CnapCitus;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(new_cluster add_worker guide not_executed workspace becomes settled as_user found shards $OWN $OTHER $MARKED);

our ($OWN, $OTHER) = map { workspace($_) } 1, 9;

# How many rows of a table, and how many of them ben must not see
our $MARKED = "count(*), count(*) FILTER (WHERE note ~ 'UNSEEN')";

my $text = slurp_file("$FindBin::RealBin/../../doc/citus.md");
my %blocks = map { $_ => 0 } $text =~ /^```(?:sql|ini)\n(.*?)^```$/msg;

# guide(PATTERN, REPLACEMENTS): the block of the guide that matches, with what depends on the servers
# replaced
sub guide
{
	my ($pattern, %replace) = @_;
	my ($block, @more) = grep { /$pattern/ } keys %blocks;

	die "the guide has no such block: $pattern" if !defined $block || @more;
	$blocks{$block} = 1;
	$block =~ s/\Q$_\E/$replace{$_}/ or die "$pattern: no $_" foreach keys %replace;
	return $block;
}

# not_executed(): the blocks of the guide that guide() was not called for
sub not_executed
{
	return [ grep { !$blocks{$_} } sort keys %blocks ];
}

# workspace(N): the id of the workspace that is called WN
sub workspace
{
	return sprintf '00000000-0000-0000-0000-%012d', shift;
}

# new_node_of_citus(NAME, CONFIGURATION)
sub new_node_of_citus
{
	my ($name, $configuration) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', guide(qr/^shared_preload/) . <<"END");
max_prepared_transactions = 50
max_connections = 60
max_worker_processes = 30
max_replication_slots = 20
max_wal_senders = 20
wal_retrieve_retry_interval = 100ms
citus.node_conninfo = 'sslmode=prefer'
citus.local_hostname = '@{[ $node->host ]}'
citus.enable_statistics_collection = off
citus.shard_count = 6
citus.max_cached_conns_per_worker = 1
$configuration
END
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION citus');
	return $node;
}

# becomes(EXPECTED, NAME, CODE): until the code returns that, which need not be at once
sub becomes
{
	my ($expected, $name, $code) = @_;
	my $seen = '';

	foreach my $look (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$seen = $code->();
		last if $seen eq $expected;
		usleep(100_000);
	}
	return is($seen, $expected, $name);
}

# add_worker(COORDINATOR, NODE): only to the cluster; it has no access data yet
sub add_worker
{
	my ($coordinator, $node) = @_;

	$coordinator->safe_psql('postgres', guide(qr/citus_add_node/, "'worker-1', 5432" => "'" . $node->host . "', " . $node->port));
	return;
}

# follow(COORDINATOR, NODE): the access data of the coordinator
sub follow
{
	my ($coordinator, $node) = @_;
	my $name = 'access_' . $node->name;

	$node->safe_psql('postgres', guide(qr/^CREATE SUBSCRIPTION/, 'access_1' => $name,
			'host=coordinator dbname=app user=replicator' => $coordinator->connstr('postgres') =~ s/'/''/gr));
	$node->wait_for_subscription_sync($coordinator, $name);
	return;
}

# settled(COORDINATOR, NODES): when each of them has applied what has been committed
sub settled
{
	my ($coordinator, @nodes) = @_;
	my $position = $coordinator->safe_psql('postgres', 'SELECT cnap_position()');

	$_->safe_psql('postgres', "SELECT cnap_wait('$position', '180s')") foreach @nodes;
	return;
}

# as_user(NODE, USER, STATEMENT): the output, or the error, in a transaction of the user's
sub as_user
{
	my ($node, $user, $statement, $role) = @_;
	my $session = connect_to($node, $role // 'app', 'BEGIN', "SET LOCAL cnap.user_id = '$user'");
	my $output = $session->attempt($statement);
	my $error = $session->{error};

	$session->attempt('ROLLBACK');
	$session->quit;
	return $error eq '' ? $output : $error;
}

# found(NODE, PATTERN, SETTING): the rules by which the linter finds something, and about what, with a
# setting of the session's
sub found
{
	my ($node, $pattern, $setting) = @_;

	return $node->safe_psql('postgres', ($setting // '') . "; SELECT coalesce(string_agg(rule || ' ' || object, ', ' ORDER BY rule, object), '')"
		  . " FROM cnap_lint() WHERE rule ~ '$pattern'");
}

# shards(NODE, TABLE): the names of the table's shards on a node
sub shards
{
	my ($node, $table) = @_;

	return split /\n/, $node->safe_psql('postgres', "SELECT shard_name FROM citus_shards WHERE table_name = '$table'::regclass"
		  . ' AND nodeport = ' . $node->port . ' ORDER BY 1');
}

# new_cluster(NUMBER OF WORKERS, CONFIGURATION): the coordinator and the workers, with the access data
sub new_cluster
{
	my ($workers, $configuration) = @_;
	my $coordinator = new_node_of_citus('coordinator', "cnap.beat_database = 'postgres'\ncnap.beat_interval = 100ms\n$configuration");
	my @workers = map { new_node_of_citus("worker$_", $configuration) } 1 .. $workers;

	$coordinator->safe_psql('postgres', guide(qr/set_coordinator_host/, "'coordinator', 5432" => "'" . $coordinator->host . "', " . $coordinator->port));
	add_worker($coordinator, $_) foreach @workers;
	$coordinator->safe_psql('postgres', guide(qr/^CREATE EXTENSION cnap_org/));
	$coordinator->safe_psql('postgres', 'CREATE ROLE plain LOGIN');
	$coordinator->safe_psql('postgres', guide(qr/^CREATE ROLE app/));
	$coordinator->safe_psql('postgres', guide(qr/^SELECT cnap_publish/));
	follow($coordinator, $_) foreach @workers;
	$coordinator->safe_psql('postgres', q{
		INSERT INTO cnap.organization (id, name) VALUES ('00000000-0000-0000-0000-0000000000aa', 'Acme');
		INSERT INTO cnap.organization_member (organization_id, user_id, role)
			VALUES ('00000000-0000-0000-0000-0000000000aa', 'ann', 'owner'), ('00000000-0000-0000-0000-0000000000aa', 'ben', 'member');
		INSERT INTO cnap.workspace (id, name, owner_id, managed_by)
			SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'W' || n, 'u' || n,
				CASE WHEN n <= 5 THEN '00000000-0000-0000-0000-0000000000aa'::uuid END
			FROM generate_series(1, 20) n});
	settled($coordinator, @workers);
	return ($coordinator, @workers);
}

1;
