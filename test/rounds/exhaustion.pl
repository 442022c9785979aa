#
# exhaustion.pl: memory or disk space runs out in the middle of changes
#
# Each round, a session makes many changes in one transaction while its address space, or the size of
# the files that it may write, is limited to a little more than it has, so that the transaction fails
# somewhere. Nothing may remain of it, the session has to go on, and its cache, and those of others,
# must not remember what was undone.
#
#   CNAP_ROUNDS  number of failures
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{CNAP_ROUNDS} // 10;
my $seed = $ENV{CNAP_SEED} // time;
srand $seed;

# limit(PROCESS, WHAT, BYTES)
sub limit
{
	return system('prlimit', '--pid', $_[0], "--$_[1]=$_[2]:") == 0;
}

plan skip_all => 'prlimit does not work here' if !-e "/proc/$$/status" || !limit($$, 'as', 'unlimited');

# A write to the log of changes that fails stops the server, so its files are smaller than the limit.
my $node = new_node('exhausted', "autovacuum = off\njit = off\nmax_locks_per_transaction = 200\n", extra => ['--wal-segsize=1']);
$node->safe_psql('postgres', q{
	CREATE EXTENSION cnap_org;
	CREATE ROLE app LOGIN;
	SELECT cnap_trust('app');
	CREATE SCHEMA test;
	GRANT USAGE ON SCHEMA test TO PUBLIC;
	CREATE FUNCTION test.w(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT format('10000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid $$;
	INSERT INTO cnap.organization (id, name) VALUES (test.w(90000), 'Vendor');
	INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES (test.w(90000), 'olga', 'owner'), (test.w(90000), 'mia', 'member');
	INSERT INTO cnap.workspace (id, name, owner_id) SELECT test.w(n), 'w' || n, 'gina' FROM generate_series(1, 3000) n;
	CREATE TABLE test.doc (id int, workspace_id uuid NOT NULL);
	INSERT INTO test.doc SELECT n, test.w(1 + n % 3000) FROM generate_series(1, 6000) n;
	GRANT SELECT ON test.doc TO app;
	SELECT cnap_protect('test.doc')});

# Changes of many rows; none of them fails for another reason.
my @changes = (
	q{SELECT count(cnap_add_workspace_member(test.w(n), 'new' || n)) FROM generate_series(1, 3000) n},
	q{SELECT count(cnap_grant_management(test.w(n), test.w(90000))) FROM generate_series(1, 3000) n},
	q{SELECT count(cnap_create_workspace(repeat('long name ', 20) || n)) FROM generate_series(1, 5000) n},
	q{SELECT count(cnap_invite_to_workspace(test.w(n))) FROM generate_series(1, 3000) n},
	q{SELECT count(cnap_update_workspace(test.w(n), metadata => jsonb_build_object('a', repeat(md5(n::text), 60)))) FROM generate_series(1, 3000) n});
my $state = q{SELECT (SELECT count(*) FROM cnap.workspace), (SELECT count(*) FROM cnap.workspace_member), (SELECT count(*) FROM cnap.invitation),
	(SELECT count(*) FROM cnap.workspace WHERE managed_by IS NOT NULL), (SELECT count(*) FROM cnap.audit_log), (SELECT md5(string_agg(metadata::text, '' ORDER BY id)) FROM cnap.workspace)};
my $ask = q{SELECT cnap_can_access('mia', test.w(7)), cnap_can_access('new7', test.w(7)), cnap_can_access('gina', test.w(7)), cardinality(cnap_accessible_workspaces('gina'))};
my $nothing = 'f|f|t|3000';

my $other = connect_to($node, 'app');
my $before = $node->safe_psql('postgres', $state);
my %ended;
my $wrong = 0;

foreach my $round (1 .. $rounds)
{
	my $session = connect_to($node, 'app', "SET cnap.user_id = 'gina'", 'SET max_parallel_workers_per_gather = 0');
	my $backend = $session->query('SELECT pg_backend_pid()');
	my $change = $changes[ rand @changes ];
	my $resource = $round % 2 ? 'as' : 'fsize';

	$session->query($ask);
	if ($resource eq 'as')
	{
		my ($size) = slurp_file("/proc/$backend/status") =~ /^VmSize:\s*(\d+) kB/m;
		limit($backend, 'as', 1024 * ($size + int rand 900));
	}
	else
	{
		limit($backend, 'fsize', 1024 * (1024 + 8 * int rand 60));
	}
	$session->attempt('BEGIN');
	$session->attempt($change);
	my $sqlstate = $session->{sqlstate};
	$wrong += complaint("round $round: $session->{error}") if $sqlstate eq 'XX000' && $session->{error} !~ /could not (extend|write)/;
	$session->attempt($ask);
	limit($backend, $resource, 'unlimited');
	$session->attempt('ROLLBACK');
	$ended{"$resource $sqlstate"}++;

	my @answers = ($session->attempt($ask), $other->query($ask), $session->attempt('SELECT count(*) FROM test.doc'));
	my $after = $node->safe_psql('postgres', $state);
	$wrong += complaint("round $round, $resource, $sqlstate, $change: @answers $session->{error}") if "@answers" ne "$nothing $nothing 6000";
	$wrong += complaint("round $round, $resource, $sqlstate, $change: $before, then $after") if $after ne $before;
	$session->quit;
}
note("$rounds rounds with seed $seed: " . join ', ', map { "$_: $ended{$_}" } sort keys %ended);
is($wrong, 0, 'nothing remains of what failed, and all answers are right');

# PostgreSQL has no SQLSTATE for a file that is too large.
is(join(' ', grep { !/^(as (00000|53200)|fsize (00000|53100|58030|XX000))$/ } sort keys %ended), '', 'it fails for want of memory or space');
cmp_ok(scalar(grep { !/00000/ } keys %ended), '>', 0, 'some transactions did fail');

my $session = connect_to($node, 'app', "SET cnap.user_id = 'gina'");
$session->query($_) foreach @changes[ 0, 1 ];
is($session->query($ask), 't|t|t|3000', 'the same changes succeed without limits');
is($other->query($ask), 't|t|t|3000', 'and others see them');
$session->quit;
$other->quit;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'the server has gone on');
done_testing();
