#
# out_of_memory.pl: a session that runs out of memory while its cache grows
#
# The session fills its cache until just before the table of decisions is enlarged. Then its address
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
my $session = connect_to($node, 'app', "SET cnap.cache_size = '1GB'");
my $backend = $session->query('SELECT pg_backend_pid()');

# limit(BYTES): of the address space of the session
sub limit
{
	return system('prlimit', '--pid', $backend, "--as=$_[0]:") == 0;
}

plan skip_all => 'prlimit does not work here' if !-e "/proc/$backend/status" || !limit('unlimited');

# check(FIRST, LAST): so few workspaces for each user that no set is loaded
sub check
{
	return $session->attempt("SELECT count(*) FILTER (WHERE cnap_can_access('u' || n / 7, test.w(1 + n % 40))),"
		. " count(*) FILTER (WHERE cnap_can_access('customer', test.w(1 + n % 40))) FROM generate_series($_[0], $_[1]) n");
}

is(check(1, 52_000), '0|52000', 'a cache that has grown');
my ($size) = slurp_file("/proc/$backend/status") =~ /^VmSize:\s*(\d+) kB/m;
limit(1024 * ($size + 500));
check(52_001, 53_000);
is($session->{sqlstate}, 53200, 'there is no memory for it to grow further');
like($session->{error}, qr/access decisions/, 'because of the table of decisions');
limit('unlimited');
is(check(1, 53_000), '0|53000', 'its answers are right afterwards');

done_testing();
