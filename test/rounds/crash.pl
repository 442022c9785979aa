#
# crash.pl: the server is killed at random moments while four writers change access
#
# Each round, the writers send changes, each committed on its own, until the server is killed with
# SIGKILL, as if it had crashed; then it recovers. Whatever a writer was told to be committed must be
# there, and nothing that it had not sent. The change that was being made may be there or not, but as a
# whole. The audit log has one entry for each change that is there, the invariants hold, and the checks
# answer as the rules, written as plain SQL, do. After fifty rounds the tables are made anew: what they
# have grown to makes a round slower, and nothing else.
#
#   CNAP_ROUNDS  number of crashes
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{CNAP_ROUNDS} // 5;
my $seed = $ENV{CNAP_SEED} // time;
my $writers = 4;
srand $seed;

my $node = new_node('crashing', "shared_preload_libraries = 'cnap_org'\nrestart_after_crash = off\n");

# Of each writer a workspace and an organization, and a workspace of which all of them are admins
sub id { return sprintf '00000000-0000-4000-8000-%012d', $_[0] }
my $shared = id(99);
my (%known, %there, $number);

sub begin
{
	$node->safe_psql('postgres', join '', 'DROP EXTENSION IF EXISTS cnap_org; CREATE EXTENSION cnap_org;',
		"INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$shared', 'shared', 'everybody');",
		map {
			my ($workspace, $organization) = (id($_), id(10 + $_));
			"INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$workspace', 'w$_', 'owner$_');"
			  . "INSERT INTO cnap.organization (id, name) VALUES ('$organization', 'o$_');"
			  . "INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('$organization', 'owner$_', 'owner');"
			  . "INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES ('$shared', 'owner$_', 'admin');"
		} 1 .. $writers);

	# The members that a writer knows of, by "table object user"; 1 if one is there, 0 if not
	%known = map { ("organization_member " . id(10 + $_) . " owner$_" => 1, "workspace_member $shared owner$_" => 1) } 1 .. $writers;

	# the users whom a writer has added to its workspace
	%there = map { $_ => {} } 1 .. $writers;
	$number = 0;
	return;
}

# The next change of a writer: the statement, and what it makes of members
sub change
{
	my ($writer) = @_;
	my ($workspace, $organization) = (id($writer), id(10 + $writer));
	my $user = sprintf 'u%06d', ++$number;
	my $kind = int rand 10;
	my @present = sort keys %{ $there{$writer} };

	if ($kind < 3 && @present)
	{
		my $gone = $present[ rand @present ];
		delete $there{$writer}{$gone};
		return [ "SELECT cnap_remove_workspace_member('$workspace', '$gone');", { "workspace_member $workspace $gone" => 0 } ];
	}
	return [ "SELECT cnap_add_workspace_member('$shared', '$user');", { "workspace_member $shared $user" => 1 } ] if $kind < 5;
	return [ "BEGIN; SELECT cnap_add_workspace_member('$workspace', '$user', 'admin'); SELECT cnap_add_organization_member('$organization', '$user'); COMMIT;",
		{ "workspace_member $workspace $user" => 1, "organization_member $organization $user" => 1 } ]
	  if $kind < 7;
	return [ "BEGIN; SELECT cnap_grant_management('$workspace', '$organization'); SELECT cnap_revoke_management('$workspace'); COMMIT;", {} ] if $kind < 8;
	$there{$writer}{$user} = 1;
	return [ "SELECT cnap_add_workspace_member('$workspace', '$user');", { "workspace_member $workspace $user" => 1 } ];
}

# All members that the database has, as in %known
sub members
{
	return map { $_ => 1 } split /\n/, $node->safe_psql('postgres', q{
		SELECT concat_ws(' ', 'workspace_member', workspace_id, user_id) FROM cnap.workspace_member
		UNION ALL SELECT concat_ws(' ', 'organization_member', organization_id, user_id) FROM cnap.organization_member});
}

# What must be empty after each crash
my %wrong = (
	'members without exactly one entry more that adds than that removes' => q{
		SELECT * FROM (SELECT 'workspace' AS kind, workspace_id AS id, user_id FROM cnap.workspace_member
			UNION ALL SELECT 'organization', organization_id, user_id FROM cnap.organization_member) m
		FULL JOIN (SELECT split_part(action, '_', 1) AS kind, coalesce(workspace_id, organization_id) AS id, subject AS user_id,
				sum(CASE WHEN action LIKE '%.add' THEN 1 ELSE -1 END) AS balance
			FROM cnap.audit_log WHERE action ~ '_member\.(add|remove)$' GROUP BY 1, 2, 3) l USING (kind, id, user_id)
		WHERE balance IS DISTINCT FROM 1 AND (balance <> 0 OR m.kind IS NOT NULL)},
	'organizations without an owner' => q{
		SELECT id FROM cnap.organization o
		WHERE NOT EXISTS (SELECT FROM cnap.organization_member m WHERE m.organization_id = o.id AND m.role = 'owner')},
	'answers that differ from the rules' => q{
		SELECT u, w.id FROM (SELECT user_id FROM cnap.workspace_member UNION SELECT user_id FROM cnap.organization_member
				UNION SELECT owner_id FROM cnap.workspace) p (u), cnap.workspace w
		WHERE cnap_can_access(u, w.id) <> (w.owner_id = u
			OR EXISTS (SELECT FROM cnap.workspace_member m WHERE (m.workspace_id, m.user_id) = (w.id, u))
			OR EXISTS (SELECT FROM cnap.organization_member m WHERE (m.organization_id, m.user_id) = (w.managed_by, u)
				AND coalesce(w.managed_until, 'infinity') > now()))});

my ($acknowledged, $open) = (0, 0);
foreach my $round (1 .. $rounds)
{
	begin() if $round % 50 == 1;
	my @sessions = map { CnapTest::Session->new($node) } 1 .. $writers;
	my @changes;
	foreach my $writer (1 .. $writers)
	{
		my @mine = map { change($writer) } 1 .. 300;
		push @changes, \@mine;
		$sessions[ $writer - 1 ]->query("SET cnap.user_id = 'owner$writer'");
	}
	foreach my $writer (1 .. $writers)
	{
		my $n = 0;
		my $script = join '', map { "$_->[0]\n\\echo acknowledged " . $n++ . "\n" } @{ $changes[ $writer - 1 ] };
		my $in = $sessions[ $writer - 1 ]{in};

		# a pipe takes less than all of it, and psql reads no more when its server is gone
		local $SIG{PIPE} = 'IGNORE';
		defined(my $child = fork) or die "fork: $!";
		if (!$child)
		{
			print $in $script;
			close $in;
			require POSIX;
			POSIX::_exit(0);
		}
		close $in;
	}
	usleep 20_000 + rand 600_000;
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my @processes = split ' ', qx(ps -o pid= --ppid $postmaster);
	$node->kill9;
	kill 'KILL', @processes;

	my %uncertain;
	foreach my $writer (1 .. $writers)
	{
		my $session = $sessions[ $writer - 1 ];
		my $output = $session->{buffer} . do { local $/ = undef; readline($session->{out}) // '' };
		my ($last) = $output =~ /.*^acknowledged (\d+)$/ms;
		my $count = defined $last ? $last + 1 : 0;
		my $mine = $changes[ $writer - 1 ];

		waitpid $session->{pid}, 0;
		fail("round $round: $1") if $output =~ /^((?!.*server closed)\S*ERROR.*)/m;
		$acknowledged += $count;
		foreach my $n (0 .. $#$mine)
		{
			my $made = $mine->[$n][1];
			@known{ keys %$made } = values %$made if $n < $count;
			$uncertain{$writer} = $made if $n == $count;
		}
	}
	1 while wait != -1;

	my $started = 0;
	for (my $try = 0; $try < 600 && !$started; $try++)
	{
		# those who have not yet noticed keep its shared memory
		usleep 100_000 if $try;
		$node->{_pid} = undef;
		$started = $node->start(fail_ok => 1);
	}
	die 'the server does not start again' if !$started;
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP|invalid page|could not read block/, "round $round: the server has recovered");

	# a start that fails prints all of it
	truncate $node->logfile, 0 or die "truncate: $!";

	my %now = members();
	foreach my $writer (sort keys %uncertain)
	{
		my $made = $uncertain{$writer};
		my @done = grep { ($now{$_} // 0) == $made->{$_} } sort keys %$made;

		next if !%$made;
		is(scalar @done, scalar keys %$made, "round $round: a transaction is there as a whole") if @done;
		@known{@done} = @$made{@done};
		$open += @done > 0;
	}

	# what the writers had planned but not got to
	foreach my $writer (1 .. $writers)
	{
		my $workspace = id($writer);
		$there{$writer} = { map { $_ => 1 } map { /^workspace_member $workspace (u\w+)$/ ? $1 : () } grep { $known{$_} } keys %known };
	}
	my @lost = grep { $known{$_} && !$now{$_} } sort keys %known;
	my @surplus = grep { !$known{$_} } sort keys %now;
	is("@lost", '', "round $round: nothing is lost");
	is("@surplus", '', "round $round: there is nothing else");
	is($node->safe_psql('postgres', $wrong{$_}), '', "round $round: no $_") foreach sort keys %wrong;
}
note("$rounds crashes with seed $seed: $acknowledged changes were acknowledged, and of those in progress $open were there");
$node->stop;
done_testing();
