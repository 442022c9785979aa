#
# differential.pl: the checks compared with the rules, after random changes
#
# Two sessions change who has access, one at a time, by the public functions and by direct
# statements, in transactions with savepoints, rollbacks and two-phase commits. After each step the
# answers of the checks about all users and all workspaces, and the rows of a protected table that
# each user sees, are compared with the rules written as a plain SQL query (differential.sql): in
# the session that makes the changes, with what its own transaction sees; in sessions that only
# read, some of them within an open transaction, with what is committed.
#
# Half of the sessions have a cache so small that it cannot hold all workspaces of two of the users.
# What it holds instead, their memberships, is used for some of the answers.
#
#   CNAP_SEED    seed of the random numbers, to repeat a run
#   CNAP_STEPS   number of steps
#   CNAP_PAIRS   go on until this many pairs of a user and a workspace have been compared
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{CNAP_SEED} // int(time) ^ ($$ << 8);
my $steps = $ENV{CNAP_STEPS} // 250;
my $pairs = $ENV{CNAP_PAIRS} // 0;

# our own generator: Perl's differs from one platform to the next
my $state = $seed & 0x7fffffff;

sub random
{
	my ($n) = @_;

	$state = ($state * 1103515245 + 12345) & 0x7fffffff;
	return ($state >> 8) % $n;
}

sub chance
{
	my ($percent) = @_;
	return random(100) < $percent;
}

sub one_of
{
	return $_[ random(scalar @_) ];
}

# one_by_weight(WEIGHT => VALUE, ...)
sub one_by_weight
{
	my @pairs = @_;
	my $sum = 0;

	for (my $i = 0; $i < @pairs; $i += 2) { $sum += $pairs[$i] }
	my $n = random($sum);
	while ($n >= $pairs[0])
	{
		$n -= shift @pairs;
		shift @pairs;
	}
	return $pairs[1];
}

# ---- the changes ----

sub workspace { return 'test.workspace(' . random(64) . ')' }
sub organization { return 'test.organization(' . random(64) . ')' }
sub person { return 'test.person(' . random(7) . ')' }
sub member_role { return one_of("'member'", "'admin'", "'clerk'", "'deployer'") }
sub role { return one_of("'member'", "'admin'", "'owner'") }

sub ending
{
	return one_by_weight(
		50 => 'NULL',
		20 => "clock_timestamp() + interval '1 hour'",
		15 => "clock_timestamp() - interval '1 second'",
		15 => "clock_timestamp() + interval '" . random(300) . " ms'");
}

sub managers
{
	return one_by_weight(30 => "'all'", 35 => "'assigned'", 35 => "'activated'");
}

# A condition that is true for some of the rows, on a column of type text or uuid
sub some_of
{
	my ($column) = @_;
	my $condition = "hashtext($column\::text || '" . random(1000) . "') % " . (2 + random(4)) . " = 0";

	return $column =~ /^(?:w\.)?id$/ ? "NOT test.is_other($column) AND $condition" : $condition;
}

my $created = 0;

sub new_name
{
	return sprintf "'%s%03d'", one_of('a' .. 'f'), ++$created;
}

# A call of a public function, and its caller
sub call
{
	my $workspace = workspace();
	my $organization = organization();
	my $n = random(64);
	my $member = "test.workspace_member($workspace, $n)";
	my $colleague = "test.organization_member($organization, $n)";
	my $manager = "test.manager($workspace, $n)";
	my $assigned = "test.assigned_manager($workspace, $n)";
	my $assigner = "test.managing_owner($workspace)";

	my ($call, $fit) = @{ one_by_weight(
			6 => [ 'cnap_create_workspace(' . new_name() . ')', person() ],
			3 => [ 'cnap_create_organization(' . new_name() . ')', person() ],
			10 => [ "cnap_add_organization_member($organization, " . person() . ', ' . role() . ')',
				"test.organization_owner($organization)" ],
			6 => [ "cnap_set_organization_role($organization, $colleague, " . role() . ')',
				"test.organization_owner($organization)" ],
			9 => [ "cnap_remove_organization_member($organization, $colleague)",
				"test.organization_owner($organization)" ],
			4 => [ "cnap_leave_organization($organization)", $colleague ],
			2 => [ "cnap_delete_organization($organization)", "test.organization_owner($organization)" ],
			9 => [ "cnap_add_workspace_member($workspace, " . person() . ', ' . member_role() . ')',
				"test.workspace_owner($workspace)" ],
			6 => [ "cnap_set_workspace_role($workspace, $member, " . member_role() . ')',
				"test.workspace_owner($workspace)" ],
			6 => [ "cnap_remove_workspace_member($workspace, $member)",
				"test.workspace_owner($workspace)" ],
			3 => [ "cnap_leave_workspace($workspace)", $member ],
			5 => [ "cnap_transfer_workspace($workspace, $member)", "test.workspace_owner($workspace)" ],
			3 => [ "cnap_delete_workspace($workspace)", "test.workspace_owner($workspace)" ],
			16 => [ "cnap_grant_management($workspace, $organization, " . member_role() . ', ' . ending()
				  . ', ' . managers() . one_of(')', ", interval '1 hour')"), "test.workspace_owner($workspace)" ],
			10 => [ "cnap_assign_manager($workspace, $manager, " . ending() . ')', $assigner ],
			14 => [ "cnap_activate_management($workspace, 'ticket', "
				  . one_of('NULL', "interval '1 minute'", "interval '" . (1 + random(300)) . " ms'") . ')', $manager ],
			5 => [ "cnap_unassign_manager($workspace, $assigned)", one_of($assigner, $assigned) ],
			9 => [ "cnap_revoke_management($workspace)", "test.workspace_owner($workspace)" ]) };
	my $actor = one_by_weight(60 => $fit, 25 => undef, 15 => person());

	# without a current user the superuser is the system
	return defined $actor
	  ? ("SET ROLE app;\nSELECT set_config('cnap.user_id', $actor, false) \\g /dev/null\n", "SELECT $call")
	  : ("SET ROLE app;\nSET cnap.user_id = '';\nRESET ROLE;\n", "SELECT $call");
}

# Some of the values in a column of a table, as an array; or null, or an empty one
sub some_list
{
	my ($column, $table) = @_;

	return one_by_weight(20 => 'NULL', 10 => "'{}'", 70 => "ARRAY(SELECT $column FROM $table WHERE " . some_of($column) . ')');
}

# A definition of a role or permission; a role that members have is not dropped
sub definition
{
	my $permission = one_of("'deploy'", "'secrets'", "'audit'");
	my $role = one_of("'clerk'", "'deployer'", "'idle'");

	return one_by_weight(
		40 => "SELECT cnap_define_permission($permission, "
		  . one_of("'{}'", "'{admin}'", "'{member,clerk}'", "'{clerk,deployer}'", "'{admin,deployer}'", "'{member,admin}'")
		  . ', ' . one_of('true', 'false') . ')',
		30 => "SELECT cnap_define_role($role, "
		  . one_of("'{}'", "'{administer}'", "'{manage_members}'", "'{deploy}'", "'{administer,deploy,secrets}'") . ')',
		15 => "SELECT cnap_drop_permission($permission)",
		5 => "SELECT cnap_drop_role('idle')",
		5 => "UPDATE cnap.permission_definition SET delegable = NOT delegable WHERE name = $permission",
		5 => "DELETE FROM cnap.permission_definition WHERE name = $permission");
}

# A direct statement
sub statement
{
	my $member_key = 'workspace_id, user_id';
	my $colleague_key = 'organization_id, user_id';
	my $some_members = some_of('user_id') . ' AND ' . some_of('workspace_id');
	my $some_colleagues = some_of('user_id') . ' AND ' . some_of('organization_id');

	return one_by_weight(
		16 => 'INSERT INTO cnap.workspace (id, name, owner_id)'
		  . ' SELECT workspace_id, left(workspace_id::text, 1) || right(workspace_id::text, 1), ' . person()
		  . ' FROM test.place WHERE ' . some_of('workspace_id') . ' ON CONFLICT DO NOTHING',
		7 => 'WITH o AS (INSERT INTO cnap.organization (id, name) SELECT organization_id, right(organization_id::text, 1)'
		  . ' FROM test.company WHERE ' . some_of('organization_id') . ' ON CONFLICT DO NOTHING RETURNING id)'
		  . ' INSERT INTO cnap.organization_member (organization_id, user_id, role) SELECT id, ' . person() . ", 'owner' FROM o",
		8 => 'UPDATE cnap.workspace SET owner_id = ' . person() . ' WHERE id = ' . workspace(),
		4 => 'UPDATE cnap.workspace SET owner_id = ' . person() . ' WHERE ' . some_of('id'),
		8 => 'UPDATE cnap.workspace SET managed_by = ' . organization() . ', managed_role = ' . member_role()
		  . ', managed_access = ' . managers() . ', managed_until = ' . ending() . ' WHERE managed_by IS NULL AND ' . some_of('id'),
		4 => 'UPDATE cnap.workspace SET managed_by = NULL WHERE ' . some_of('id'),
		6 => 'UPDATE cnap.workspace SET managed_until = ' . ending() . ' WHERE managed_by IS NOT NULL AND ' . some_of('id'),
		4 => 'UPDATE cnap.workspace SET managed_role = ' . member_role() . ' WHERE managed_by IS NOT NULL AND ' . some_of('id'),
		6 => 'UPDATE cnap.workspace SET managed_access = ' . managers() . ' WHERE managed_by IS NOT NULL AND ' . some_of('id'),
		24 => 'SELECT test.arrange(' . random(64) . ', ' . managers() . ', ' . member_role() . ')',
		16 => 'INSERT INTO cnap.assignment (workspace_id, user_id, until, reason)'
		  . " SELECT w.id, m.user_id, CASE w.managed_access WHEN 'assigned' THEN " . ending()
		  . " ELSE clock_timestamp() + interval '" . random(3000) . " ms' END, CASE w.managed_access WHEN 'activated' THEN 'ticket' END"
		  . ' FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by'
		  . " WHERE w.managed_access <> 'all' AND (w.managed_until > clock_timestamp()) IS NOT FALSE AND " . some_of('w.id')
		  . one_of(' ON CONFLICT DO NOTHING', ' ON CONFLICT (workspace_id, user_id) DO UPDATE SET until = EXCLUDED.until'),
		4 => 'UPDATE cnap.assignment SET until = ' . ending() . " WHERE $some_members",
		3 => "DELETE FROM cnap.assignment WHERE $some_members",
		1 => 'TRUNCATE cnap.assignment',
		3 => "UPDATE cnap.workspace SET name = name || '' WHERE " . some_of('id'),
		10 => "INSERT INTO cnap.organization_member ($colleague_key, role) SELECT o.id, p.user_id, " . role()
		  . ' FROM cnap.organization o, test.person p WHERE ' . some_of('p.user_id') . ' AND ' . some_of('o.id')
		  . one_of(' ON CONFLICT DO NOTHING', " ON CONFLICT ($colleague_key) DO UPDATE SET role = 'owner'"),
		5 => "DELETE FROM cnap.organization_member WHERE role <> 'owner' AND $some_colleagues",
		3 => "DELETE FROM cnap.organization_member WHERE $some_colleagues",
		4 => 'UPDATE cnap.organization_member SET role = ' . role() . " WHERE $some_colleagues",
		10 => "INSERT INTO cnap.workspace_member ($member_key, role) SELECT w.id, p.user_id, " . member_role()
		  . ' FROM cnap.workspace w, test.person p WHERE ' . some_of('p.user_id') . ' AND ' . some_of('w.id')
		  . one_of(' ON CONFLICT DO NOTHING', " ON CONFLICT ($member_key) DO UPDATE SET role = EXCLUDED.role"),
		6 => "DELETE FROM cnap.workspace_member WHERE $some_members",
		4 => 'UPDATE cnap.workspace_member SET role = ' . member_role() . " WHERE $some_members",
		4 => "MERGE INTO cnap.workspace_member m USING (SELECT w.id, p.user_id FROM cnap.workspace w, test.person p WHERE "
		  . some_of('w.id') . ' AND ' . some_of('p.user_id') . ') s ON m.workspace_id = s.id AND m.user_id = s.user_id'
		  . ' WHEN MATCHED THEN DELETE'
		  . " WHEN NOT MATCHED THEN INSERT ($member_key, role) VALUES (s.id, s.user_id, " . member_role() . ')',
		3 => 'DELETE FROM cnap.workspace WHERE id = ' . workspace(),
		1 => 'DELETE FROM cnap.workspace WHERE ' . some_of('id'),
		2 => 'DELETE FROM cnap.organization WHERE id = ' . organization(),
		4 => 'TRUNCATE cnap.workspace_member',
		12 => definition(),
		12 => 'UPDATE cnap.access_token SET workspaces = ' . some_list('workspace_id', 'test.place')
		  . ', permissions = ' . some_list('name', 'test.named') . ' WHERE ' . some_of('user_id'),
		1 => 'TRUNCATE cnap.organization_member, cnap.workspace, cnap.workspace_member, cnap.organization, cnap.install_link, cnap.redemption, cnap.invitation',
		1 => 'TRUNCATE cnap.workspace CASCADE');
}

# Commands that change no access, but may move or empty what a session has cached
my @noise = (
	'REINDEX INDEX cnap.workspace_pkey',
	'REINDEX TABLE cnap.organization_member',
	'REINDEX TABLE cnap.workspace_member',
	'VACUUM FULL cnap.workspace',
	'CLUSTER cnap.workspace_member USING workspace_member_pkey',
	'ANALYZE cnap.workspace_member',
	'VACUUM cnap.organization_member',
	'DISCARD PLANS',
	'VACUUM FULL cnap.assignment',
	'REINDEX TABLE cnap.assignment',
	'ALTER TABLE cnap.workspace SET (fillfactor = 90)');

# ---- the sessions ----

my $node = new_node('differential', "max_worker_processes = 16\nlock_timeout = 20s\nlog_lock_waits = on");
my $oracle = connect_to($node, undef);

$oracle->query('CREATE EXTENSION cnap_org');
$oracle->query("\\i $FindBin::Bin/differential.sql");

my $smallest = 'SET cnap.cache_size = 64';
my @writers = map { connect_to($node, undef, 'SET search_path = public', @$_) }[], [$smallest];
my $writer = $writers[0];

# name, and how its transaction begins, if it keeps one open
my @readers = map {
	my ($name, $begin, @settings) = @$_;
	my $session = connect_to($node, 'app', @settings,
		'PREPARE compare (jsonb, text[], boolean, boolean, boolean) AS SELECT * FROM test.differences($1, $2, $3, $4, $5)');
	$session->query('SET plan_cache_mode = force_generic_plan') if chance(50);
	{ name => $name, session => $session, begin => $begin, open => 0, small => @settings > 0, probes => 0 }
} ([ 'autocommit', undef, $smallest ], [ 'read committed', 'BEGIN' ],
	[ 'repeatable read', 'BEGIN ISOLATION LEVEL REPEATABLE READ', $smallest ],
	[ 'serializable', 'BEGIN ISOLATION LEVEL SERIALIZABLE' ]);

my %done = (map({ ("managers ($_)" => 0) } qw(all assigned activated)), 'uses of memberships' => 0, changes => 0, refused => 0, comparisons => 0, pairs => 0, 'ways in' => 0, states => 0, transactions => 0,
	rollbacks => 0, 'rollbacks to a savepoint' => 0, 'two-phase commits' => 0);
my @log;

# the nesting of the writer's transaction
my ($in_transaction, $aborted, $locked, @savepoints);
my $rules = $oracle->query('SELECT test.rules()');

# execute(STATEMENT): in the writing session; false if it is refused
sub execute
{
	my ($sql) = @_;

	push @log, "$writer->{name} $sql";
	$writer->attempt($sql);
	if ($writer->{error} ne '')
	{
		push @log, "-- $writer->{error}";
		BAIL_OUT("unexpected error: $sql: $writer->{error}")
		  if $writer->{sqlstate} =~ /^(?:XX|42(?:601|P|883|703)|57|55P03)/;
		$aborted = 1 if $in_transaction && !$writer->{forgiving};
		return 0;
	}
	return 1;
}

# Shows differences, and the statements that led to them.
sub complain
{
	my ($who, $differences) = @_;

	fail("the engine and the rules agree ($who)");
	diag "seed $seed, after " . scalar(@log) . " statements; question|user|workspace|rules|engine:";
	diag join "\n", grep { defined } (split /\n/, $differences)[ 0 .. 9 ];
	my $from = @log > 30 ? @log - 30 : 0;
	diag join "\n", @log[ $from .. $#log ];
	done_testing();
	exit 1;
}

sub compare
{
	my ($session, $who, $sql) = @_;
	my $differences = $session->attempt($sql);

	return 0 if $session->{sqlstate} eq '40001';
	BAIL_OUT("$who: $session->{error}") if $session->{error} ne '';
	$differences =~ s/^pairs\|\|\|\|(\d+)\n?// or BAIL_OUT("$who: no count of pairs");
	$done{pairs} += $1;
	complain($who, $differences) if $differences ne '';
	$done{comparisons}++;
	return 1;
}

# What to compare: usually the answers about three users, otherwise about all of them, and
# sometimes with parallel scans, or the lists first, or signed in by tokens as well
sub scope
{
	my $people = chance(20) ? 'test.everybody()' : 'test.three_people(' . random(7) . ')';

	return join ', ', $people, map { chance($_) ? 'true' : 'false' } 4, 50, 40;
}

# The session that makes changes sees its own changes.
sub compare_writer
{
	compare($writer, "the writer $writer->{name}",
		"SET ROLE app;\nSELECT * FROM test.differences(test.rules(), " . scope() . ')');
	$writer->query('RESET ROLE');
	return;
}

# The others see what is committed.
sub compare_reader
{
	my $reader = one_of(@readers);
	my $session = $reader->{session};

	if ($reader->{open} && chance(15))
	{
		$session->query(one_of('COMMIT', 'ROLLBACK'));
		$reader->{open} = 0;
	}
	if ($reader->{begin} && !$reader->{open})
	{
		$session->query($reader->{begin});
		$reader->{open} = 1;
	}
	my $arguments = "'" . ($rules =~ s/'/''/gr) . "', " . scope();
	my $compared = compare($session, $reader->{name}, $reader->{open} && chance(20)
		? "SAVEPOINT s;\nEXECUTE compare($arguments);\nROLLBACK TO s"
		: "EXECUTE compare($arguments)");

	if (!$compared)
	{
		$session->query('ROLLBACK');
		$reader->{open} = 0;
	}
	elsif (chance(15))
	{
		look_for_memberships($reader);
	}
	return;
}

# Does a session with a small cache use what it knows of the memberships of one of the two users?
sub look_for_memberships
{
	my ($reader) = @_;

	return unless $reader->{small};
	my $probe = 'SELECT test.uses_memberships(' . random(2) . ', ' . (1 + $reader->{probes}++ % 900) . ')';
	$done{'uses of memberships'}++ if $reader->{session}->query($probe) eq 't';
	return;
}

# What is committed now
sub committed
{
	$rules = $oracle->query('SELECT test.rules()');
	$done{states}++;
	$done{'ways in'} += () = $rules =~ /"path"/g;
	$done{"managers ($1)"}++ while $rules =~ /"managers": "(\w+)"/g;
	return;
}

sub change
{
	my $peek = chance(20);
	my ($before, $sql) = chance(50) ? call() : ('', statement());
	my $replica = $before eq '' && $sql =~ /cnap\.\w+_member|cnap\.assignment|SET managed/
	  && $sql !~ /TRUNCATE|cnap\.organization / && chance(10);

	execute('SET test.peek = ' . one_of("'look'", "'look and fail'")) if $peek;
	if (chance(15))
	{
		# a subtransaction of PL/pgSQL that is rolled back
		execute("${before}DO \$do\$ BEGIN ${\($sql =~ s/^SELECT/PERFORM/r)};"
			  . ' PERFORM cnap_can_access(p.user_id, w.workspace_id) FROM test.person p, test.place w;'
			  . ' PERFORM cnap_accessible_workspaces(user_id) FROM test.person;'
			  . " RAISE 'undo'; EXCEPTION WHEN OTHERS THEN NULL; END \$do\$") unless $before =~ /app/ && $before !~ /RESET/;
	}
	elsif (execute("RESET ROLE;\n" . ($replica ? "SET session_replication_role = replica;\n" : '') . $before . $sql))
	{
		$done{changes}++;
		$locked = 1 if $in_transaction && $sql =~ /TRUNCATE/;
	}
	else
	{
		$done{refused}++;
	}
	$writer->attempt("RESET ROLE;\nRESET session_replication_role;\nRESET test.peek") unless $aborted;
	return;
}

sub end_transaction
{
	my ($statement) = @_;

	execute($statement);
	$writer->query("RESET ROLE;\nRESET session_replication_role;\nRESET test.peek;\nSET cnap.user_id = ''");
	($in_transaction, $aborted, $locked, @savepoints) = (0, 0, 0);
	$done{transactions}++;
	$done{rollbacks}++ if $statement eq 'ROLLBACK';
	return;
}

sub two_phase
{
	my $name = "'t" . $done{transactions} . "'";
	my $was_locked = $locked;

	end_transaction("PREPARE TRANSACTION $name");
	BAIL_OUT($writer->{error}) if $writer->{error} ne '';
	if (!$was_locked)
	{
		compare_reader();
		compare_writer_outside();
	}
	$writer = one_of(@writers);
	execute(one_of('COMMIT', 'ROLLBACK') . " PREPARED $name");
	$done{'two-phase commits'}++;
	return;
}

# After PREPARE TRANSACTION the session is a reader again.
sub compare_writer_outside
{
	compare($writer, "$writer->{name} after PREPARE TRANSACTION",
		"SET ROLE app;\nSELECT * FROM test.differences('" . ($rules =~ s/'/''/gr) . "', " . scope() . ')');
	$writer->query('RESET ROLE');
	return;
}

sub step
{
	if (!$in_transaction)
	{
		$writer = one_of(@writers);
		if (chance(5))
		{
			execute(one_of(@noise));
		}
		elsif (chance(35))
		{
			change();
		}
		else
		{
			$writer->{forgiving} = chance(50);
			$writer->query('\set ON_ERROR_ROLLBACK ' . ($writer->{forgiving} ? 'on' : 'off'));
			execute('BEGIN ISOLATION LEVEL '
				  . one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'));
			$in_transaction = 1;
			change();
		}
	}
	elsif ($aborted)
	{
		if (@savepoints && chance(80))
		{
			roll_back_to();
		}
		else
		{
			end_transaction('ROLLBACK');
		}
	}
	else
	{
		one_by_weight(
			60 => \&change,
			14 => sub {
				push @savepoints, 's' . @log;
				execute("SAVEPOINT $savepoints[-1]");
			},
			10 => \&roll_back_to,
			4 => sub { execute('RELEASE ' . pop @savepoints) if @savepoints },
			9 => sub { end_transaction('COMMIT') },
			4 => sub { end_transaction('ROLLBACK') },
			2 => \&two_phase)->();
	}
	return;
}

sub roll_back_to
{
	return unless @savepoints;

	splice @savepoints, 1 + random(scalar @savepoints);
	execute("ROLLBACK TO $savepoints[-1]");
	$aborted = 0;
	$done{'rollbacks to a savepoint'}++;
	return;
}

note "seed $seed";
diag "CNAP_SEED=$seed";

my $started = time;
my $step = 0;

# What the random changes have not come by yet
sub missing
{
	return grep { $done{$_} == 0 } 'rollbacks', 'rollbacks to a savepoint', grep { /managers/ } sort keys %done;
}

# it goes on for what is rare, but not for ever
while ($step < $steps || $done{pairs} < $pairs || ($step < 10 * $steps && missing()))
{
	foreach (1 .. (chance(50) ? 1 : random(12)))
	{
		step();
		committed() unless $in_transaction;
	}
	$step++;
	compare_writer() unless $aborted || chance(40);
	compare_reader() unless $locked;
}
end_transaction('ROLLBACK') if $in_transaction;
committed();
compare_reader() foreach 1 .. 10;
foreach my $reader (@readers)
{
	# a short run may not have got that far
	$reader->{session}->query('SELECT cardinality(cnap_accessible_workspaces(user_id)) FROM test.rich');
	look_for_memberships($reader);
}

note "$step steps in " . sprintf('%.1f', time - $started) . ' s';
note "$_: $done{$_}" foreach sort keys %done;
pass("the engine and the rules agree in $done{comparisons} comparisons of $done{pairs} pairs of a user and a workspace");

cmp_ok($done{changes}, '>', $done{refused} / 4, 'a good part of the changes is accepted');
cmp_ok($done{'ways in'}, '>', $done{states} / 2, 'there is access to take away');
is(join(', ', missing()), '', 'all kinds of changes occurred');
cmp_ok($done{'uses of memberships'}, '>', 0, 'uses of memberships')
  if keeps_caches($oracle);
done_testing();
