#
# clock.pl: the server's clock is set back and forth around the ends of grants and tokens
#
# Sessions that stay open, with caches, prepared statements and transactions, have to agree with the
# clock at each moment, whatever it was before. The clock is set by libfaketime.
#
#   CNAP_ROUNDS  number of times that the clock is set
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{CNAP_ROUNDS} // 20;
my $seed = $ENV{CNAP_SEED} // time;
my ($library) = grep { -e } glob '/usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 /usr/lib64/faketime/libfaketimeMT.so.1';
plan skip_all => 'libfaketime is not installed' if !$library;
srand $seed;

my $file = PostgreSQL::Test::Utils::tempdir() . '/clock';

# The clock goes on from that many hours from now.
sub set_clock
{
	my ($hours) = @_;

	open my $out, '>', "$file.new" or die $!;
	printf $out "%+d\n", $hours * 3600;
	close $out;
	rename "$file.new", $file or die $!;
	return;
}

set_clock(0);
my $node = PostgreSQL::Test::Cluster->new('clock');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nautovacuum = off\n");
{
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{FAKETIME_TIMESTAMP_FILE} = $file;
	local $ENV{FAKETIME_NO_CACHE} = 1;
	local $ENV{FAKETIME_DONT_FAKE_MONOTONIC} = 1;
	$node->start;
}

# Grants and tokens that end in the middle of an hour, from two days ago to two days from now
$node->safe_psql('postgres', q{
	CREATE EXTENSION cnap_org;
	CREATE ROLE app LOGIN;
	SELECT cnap_trust('app');
	CREATE ROLE script LOGIN;
	CREATE TABLE doc (id int, workspace_id uuid NOT NULL);
	INSERT INTO cnap.organization (id, name) VALUES ('00000000-0000-4000-8000-000000000900', 'Vendor');
	INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('00000000-0000-4000-8000-000000000900', 'mia', 'owner');
	CREATE TABLE ends AS SELECT n, format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid AS id,
		date_trunc('hour', now()) + (n - 48) * interval '1 hour' + interval '30 min' AS until FROM generate_series(0, 96) n;
	INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since, managed_until)
		SELECT id, 'w' || n, 'owner', '00000000-0000-4000-8000-000000000900', 'admin', now() - interval '1 year', until FROM ends;
	INSERT INTO doc SELECT n, id FROM ends;
	GRANT SELECT ON doc, ends TO PUBLIC;
	SELECT cnap_protect('doc')});
set_clock(-100);
my $creator = connect_to($node, 'app', "SET cnap.user_id = 'mia'");
my %token;
foreach my $n (map { 8 * $_ } 1 .. 11)
{
	$token{$n} = $creator->query("SELECT cnap_create_access_token('t', (SELECT until FROM ends WHERE n = $n))");
}
$creator->quit;

# Each of them answers which of the ends are in the future.
my @ask = (
	q{PREPARE checks AS SELECT string_agg(n::text, ' ' ORDER BY n) FROM ends WHERE cnap_can_access(id)},
	q{PREPARE others AS SELECT string_agg(n::text, ' ' ORDER BY n) FROM ends WHERE cnap_can_access('mia', id)},
	q{PREPARE list AS SELECT string_agg(n::text, ' ' ORDER BY n) FROM ends WHERE id = ANY (cnap_accessible_workspaces())},
	q{PREPARE rows AS SELECT string_agg(id::text, ' ' ORDER BY id) FROM doc});
my %sessions = (
	'a session' => connect_to($node, 'app', "SET cnap.user_id = 'mia'", @ask),
	'a small cache' => connect_to($node, 'app', "SET cnap.user_id = 'mia'", "SET cnap.cache_size = '64kB'", @ask),
	'index scans' => connect_to($node, 'app', "SET cnap.user_id = 'mia'", 'SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan', @ask),
	'an open transaction' => connect_to($node, 'app', "SET cnap.user_id = 'mia'", @ask, 'BEGIN ISOLATION LEVEL REPEATABLE READ'));
my %signed;
my $wrong = 0;
my ($asked, $expired, $valid) = (0, 0, 0);

foreach my $round (1 .. $rounds)
{
	set_clock(-40 + int rand 80);
	my $superuser = connect_to($node, undef);
	my ($now, $future) = split /\|/, $superuser->query(q{SELECT clock_timestamp(), string_agg(n::text, ' ' ORDER BY n) FILTER (WHERE until > clock_timestamp()) FROM ends});
	$superuser->quit;
	my %future = map { $_ => 1 } split / /, $future;

	foreach my $name (sort keys %sessions)
	{
		foreach my $question (qw(checks others list rows))
		{
			my $answer = $sessions{$name}->query("EXECUTE $question");
			$asked++;
			$wrong += complaint("round $round at $now: $name, $question: $answer, not $future") if $answer ne $future;
		}
	}
	foreach my $n (sort { $a <=> $b } keys %token)
	{
		my $session = connect_to($node, 'script');
		my $who = $session->attempt("SELECT cnap_authenticate('$token{$n}', false)");

		$asked++;
		$future{$n} ? $valid++ : $expired++;
		$wrong += complaint("round $round at $now: token $n: $who $session->{error}") if ($who eq 'mia') != ($future{$n} // 0);
		if ($who eq 'mia' && !$signed{$n})
		{
			$signed{$n} = $session;
			next;
		}
		$session->quit;
	}

	# A session that has been signed in ends with its token, and may begin again with it.
	foreach my $n (sort { $a <=> $b } keys %signed)
	{
		my $who = $signed{$n}->query('SELECT cnap_current_user()');
		my $rows = $signed{$n}->query('SELECT count(*) FROM doc');

		$asked += 2;
		$wrong += complaint("round $round at $now: signed in by the expired token $n: $who $rows") if !$future{$n} && ($who ne '' || $rows ne '0');
		$wrong += complaint("round $round at $now: signed in by token $n: $rows rows") if $who eq 'mia' && $rows != keys %future;
	}
}
note("the clock was set $rounds times with seed $seed: $asked answers; tokens: $valid valid, $expired expired");
is($wrong, 0, 'all answers agree with the clock');
cmp_ok($expired, '>', 0, 'some tokens had expired');
cmp_ok($valid, '>', 0, 'and some had not');
$_->quit foreach values %sessions, values %signed;
set_clock(0);
$node->stop;
done_testing();
