#
# out_of_memory.pl: sessions that run out of memory while their cache grows
#
# Each session fills its cache until just before one of its hash tables is enlarged. Then its address
# space is limited to little more than it has, so that the allocation fails. Afterwards its answers
# have to be right.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('out_of_memory', '');
my $admin = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN',
	"SELECT cnap_trust('app')", "\\i $FindBin::RealBin/cache.sql");

# limit(PROCESS, BYTES): of its address space
sub limit
{
	return system('prlimit', '--pid', $_[0], "--as=$_[1]:") == 0;
}

plan skip_all => 'prlimit does not work here' if !-e "/proc/$$/status" || !limit($$, 'unlimited');

# so few workspaces for each user that no set is loaded
my %checks = (
	decisions => [ 'n / 7', 52_000, 53_000 ],
	users => [ 'n', 26_800, 30_000 ]);

foreach my $table (sort keys %checks)
{
	my ($user, $before, $after) = @{ $checks{$table} };
	my $session = connect_to($node, 'app', "SET cnap.cache_size = '1GB'",
		'SET max_parallel_workers_per_gather = 0');
	my $backend = $session->query('SELECT pg_backend_pid()');
	my $check = sub {
		return $session->attempt("SELECT count(*) FILTER (WHERE cnap_can_access('u' || $user, test.w(1 + n % 40))),"
			  . " count(*) FILTER (WHERE cnap_can_access('customer', test.w(1 + n % 40))) FROM generate_series($_[0], $_[1]) n");
	};

	is($check->(1, $before), "0|$before", "table of $table: a cache that has grown");
	my ($size) = slurp_file("/proc/$backend/status") =~ /^VmSize:\s*(\d+) kB/m;
	limit($backend, 1024 * ($size + 500));
	$check->($before + 1, $after);
	is($session->{sqlstate}, 53200, "table of $table: there is no memory for it to grow further");
	like($session->{error}, qr/access decisions/, "table of $table: because of the table");
	limit($backend, 'unlimited');
	is($check->(1, $after), "0|$after", "table of $table: the answers are right afterwards");
	$session->quit;
}

done_testing();
