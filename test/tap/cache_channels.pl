#
# cache_channels.pl: what a session has cached outlives changes that are about others, and no others
#
# Whom a change is about is told by channels, on which users, organizations and workspaces are by a
# hash of their ids. The ids of this test are on different ones.
#
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('cache_channels', "autovacuum = off\nwal_level = replica\nmax_parallel_workers_per_gather = 0");
my $admin = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE app LOGIN',
	"SELECT cnap_trust('app')", "\\i $FindBin::RealBin/cache.sql");
my $keeps = keeps_caches($admin);

# a neighbour: an organization, workspaces of its owner's, and somebody who comes and goes
my $neighbour = '20000000-0000-4000-8000-000000000002';
$admin->query(<<"SQL");
INSERT INTO cnap.organization (id, name) VALUES ('$neighbour', 'neighbour');
INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ('$neighbour', 'ned', 'owner');
INSERT INTO cnap.workspace (id, name, owner_id)
SELECT test.w(n), 'ned''s', 'ned' FROM generate_series(70, 79) n;
SQL

sub stats
{
	my ($session) = @_;
	return $session->query('SELECT misses, loads, flushes, entries FROM cnap_cache_stats()');
}

my $ask = 'SELECT count(*) FILTER (WHERE cnap_can_access(test.w(n))) FROM generate_series(1, 40) n';

# ---- what others do ----

# a set, decisions that were read one by one, and memberships
my %warmths = (
	'a set' => [ 'ann', $ask, 20 ],
	'single decisions' => [ 'lou', 'SELECT count(*) FILTER (WHERE cnap_can_access(test.w(n))) FROM generate_series(18, 22) n', 3 ],
	'memberships' => [ 'lou', $ask, 20 ]);

foreach my $warmth (sort keys %warmths)
{
	my ($user, $question, $expected) = @{ $warmths{$warmth} };
	my $session = connect_to($node, 'app', 'SET cnap.cache_size = 64', "SET cnap.user_id = '$user'");

	is($session->query($question), $expected, "$warmth: the answer");
	$session->query($question);
	foreach my $statement ("SELECT cnap_grant_management(test.w(70), '$neighbour')", 'SELECT cnap_revoke_management(test.w(70))',
		"UPDATE cnap.workspace SET managed_until = '2099-01-01', managed_by = '$neighbour' WHERE id = test.w(71)",
		"UPDATE cnap.workspace SET owner_id = 'nora' WHERE id = test.w(72)", 'DELETE FROM cnap.workspace WHERE id = test.w(73)',
		"INSERT INTO cnap.workspace (id, name, owner_id, managed_by) VALUES (test.w(73), 'again', 'ned', '$neighbour')",
		"SELECT cnap_add_organization_member('$neighbour', 'nora')", "SELECT cnap_remove_organization_member('$neighbour', 'nora')",
		"SELECT cnap_add_workspace_member(test.w(74), 'nora')", 'SELECT cnap_delete_workspace(test.w(74))',
		"INSERT INTO cnap.workspace (id, name, owner_id) VALUES (test.w(74), 'again', 'ned')",
		"UPDATE cnap.workspace SET owner_id = 'ned' WHERE id = test.w(72)")
	{
		my ($misses, $loads, undef, $entries) = split /\|/, stats($session);

		$admin->query($statement);
		is($session->query($question), $expected, "$warmth: the answer after $statement");
	  SKIP:
		{
			skip 'the server discards all caches', 1 if !$keeps;
			my (@now) = split /\|/, stats($session);
			is("$now[0]|$now[1]|$now[3]", "$misses|$loads|$entries", "$warmth: nothing is read again after $statement");
		}
	}
	$session->quit;
}

# ---- what is about the user's own organization costs only what it is about ----

SKIP:
{
	skip 'the server discards all caches', 3 if !$keeps;

	my $session = connect_to($node, 'app', "SET cnap.user_id = 'ann'");

	$session->query($ask) foreach 1 .. 2;
	my ($misses) = split /\|/, stats($session);
	$admin->query('SELECT cnap_revoke_management(test.w(7))');
	is($session->query('SELECT count(*) FILTER (WHERE cnap_can_access(test.w(n))) FROM generate_series(1, 20) n'),
		19, 'the own organization loses a workspace: the answer');
	my ($now) = split /\|/, stats($session);
	cmp_ok($now - $misses, '<=', 4, 'the own organization loses a workspace: the others are remembered');
	cmp_ok($now - $misses, '>=', 1, 'the own organization loses a workspace: this one is not');
	$admin->query('CALL test.reset()');
	$session->quit;
}

# ---- members of many organizations ----

foreach my $number (3, 300)
{
	$admin->query(<<"SQL");
INSERT INTO cnap.organization (id, name, created_at)
SELECT ('40000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'one of many', '2000-01-01' FROM generate_series(1, $number) n;
INSERT INTO cnap.organization_member (organization_id, user_id, created_at)
SELECT id, 'mary', '2000-01-01' FROM cnap.organization WHERE name = 'one of many';
SQL
	my $session = connect_to($node, 'app', "SET cnap.user_id = 'mary'");

	is($session->query('SELECT cardinality(cnap_accessible_workspaces()), cnap_can_access(test.w(40))'), '0|f',
		"$number organizations: no workspace");
	foreach my $n (1, $number)
	{
		my $id = "('40000000-0000-4000-8000-' || lpad('$n', 12, '0'))::uuid";

		$admin->query("UPDATE cnap.workspace SET managed_by = $id WHERE id = test.w(40)");
		is($session->query('SELECT cnap_can_access(test.w(40)), cardinality(cnap_accessible_workspaces())'), 't|1',
			"$number organizations: number $n is given a workspace");
		$admin->query('UPDATE cnap.workspace SET managed_by = NULL WHERE id = test.w(40)');
		is($session->query('SELECT cnap_can_access(test.w(40)), cardinality(cnap_accessible_workspaces())'), 'f|0',
			"$number organizations: and loses it");
		$admin->query("INSERT INTO cnap.workspace (id, name, owner_id, managed_by) VALUES (test.w(41), 'new', 'customer', $id)");
		is($session->query('SELECT cnap_can_access(test.w(41)), cardinality(cnap_accessible_workspaces())'), 't|1',
			"$number organizations: a workspace is created for number $n");
		$admin->query('DELETE FROM cnap.workspace WHERE id = test.w(41)');
		is($session->query('SELECT cnap_can_access(test.w(41)), cardinality(cnap_accessible_workspaces())'), 'f|0',
			"$number organizations: and deleted");
	}
	$admin->query("DELETE FROM cnap.organization WHERE name = 'one of many'");
	$session->quit;
}

# ---- a transaction announces each channel once, and a bounded number of them ----

# The messages of a commit record: 16 bytes each
sub commit_size
{
	my (@statements) = @_;
	my $begin = $admin->query('SELECT pg_current_wal_insert_lsn()');

	$admin->query('BEGIN');
	$admin->query($_) foreach @statements;
	$admin->query('COMMIT');
	my $end = $admin->query('SELECT pg_current_wal_flush_lsn()');
	my ($out) = run_command([ 'pg_waldump', '-r', 'Transaction', '-p', $node->data_dir . '/pg_wal', '-s', $begin, '-e', $end ]);
	my ($size) = $out =~ /len \(rec\/tot\): *(\d+)\/.*COMMIT/;
	return $size;
}

my $asker = connect_to($node, 'app', "SET cnap.user_id = 'ann'");
my $far = "('30000000-0000-4000-8000-' || lpad('1000', 12, '0'))::uuid";

is($asker->query("$ask; SELECT cnap_can_access($far)"), "20\nf", 'before bulk changes');
cmp_ok(commit_size('UPDATE cnap.workspace SET managed_by = test.o() WHERE owner_id = \'lou\''), '<', 600 * 16,
	'a change of a thousand workspaces: few messages');
is($asker->query("$ask; SELECT cnap_can_access($far)"), "20\nt", 'a change of a thousand workspaces: it is noticed');
$admin->query('UPDATE cnap.workspace SET managed_by = NULL WHERE owner_id = \'lou\'');
is($asker->query("SELECT cnap_can_access($far)"), 'f', 'and undone');
my @toggles = map { ('UPDATE cnap.workspace SET managed_by = test.o() WHERE id = test.w(30)',
		"SELECT cnap_can_access('ann', test.w(30))",
		'UPDATE cnap.workspace SET managed_by = NULL WHERE id = test.w(30)') } 1 .. 100;
cmp_ok(commit_size(@toggles), '<', 2000, 'a workspace that is changed 200 times: few messages');
cmp_ok(commit_size("INSERT INTO cnap.workspace_member (workspace_id, user_id) SELECT test.w(30), 'm' || n FROM generate_series(1, 20000) n"),
	'<', 600 * 16, '20 thousand new members: few messages');
$admin->query("DELETE FROM cnap.workspace_member WHERE user_id ~ '^m[0-9]'");

# The transaction itself, when it changes something again
my $self = connect_to($node, undef);
my $mine = "SELECT cnap_can_access('ann', test.w(30)), test.w(30) = ANY (cnap_accessible_workspaces('ann'))";
my $give = 'UPDATE cnap.workspace SET managed_by = test.o() WHERE id = test.w(30)';
my $take = 'UPDATE cnap.workspace SET managed_by = NULL WHERE id = test.w(30)';

is($self->query($mine), 'f|f', 'own changes: before');
$self->query('BEGIN');
foreach (1 .. 2)
{
	is($self->query("$give; $mine"), 't|t', "own changes: given, $_");
	is($self->query("$take; $mine"), 'f|f', "own changes: taken, $_");
}
is($self->query("SAVEPOINT a; $give; $mine"), 't|t', 'own changes: given in a subtransaction');
is($self->query("ROLLBACK TO a; $mine"), 'f|f', 'own changes: which is rolled back');
is($self->query("$give; $mine"), 't|t', 'own changes: given again');
is($asker->query('SELECT cnap_can_access(test.w(30))'), 'f', 'own changes: not committed yet');
$self->query('COMMIT');
is($self->query($mine), 't|t', 'own changes: committed');
is($asker->query('SELECT cnap_can_access(test.w(30))'), 't', 'own changes: others see them');

# what was announced in a subtransaction alone is not announced with it
$self->query("BEGIN; SAVEPOINT a; $take; ROLLBACK TO a; $take; COMMIT");
is($asker->query('SELECT cnap_can_access(test.w(30))'), 'f', 'announced anew after a rollback to a savepoint');
$self->query("BEGIN; SAVEPOINT a; $give; RELEASE a; SAVEPOINT b; $take; $give; ROLLBACK TO b; COMMIT");
is($asker->query('SELECT cnap_can_access(test.w(30))'), 't', 'announced by a subtransaction that was released');
$self->query($take);
$self->query("BEGIN; $give; $take; $give; PREPARE TRANSACTION 'p'");
is($asker->query('SELECT cnap_can_access(test.w(30))'), 'f', 'not before a prepared transaction is committed');
is($self->query($mine), 'f|f', 'not in its session either');
$self->query("COMMIT PREPARED 'p'");
is($asker->query('SELECT cnap_can_access(test.w(30))') . ' ' . $self->query($mine), 't t|t', 'announced by COMMIT PREPARED');
$self->query($take);

# A trigger that asks after ours has announced the change, and before the command's changes are visible:
# being stable, it does not see them. Without the audit's triggers nothing ends the command earlier.
$admin->query(<<'SQL');
CREATE FUNCTION test.ask() RETURNS trigger LANGUAGE plpgsql STABLE
AS $$
BEGIN
	PERFORM public.cnap_can_access('ann', test.w(n)), public.cnap_accessible_workspaces('ann') FROM generate_series(1, 40) n;
	RETURN NULL;
END
$$;
CREATE TRIGGER zz AFTER UPDATE ON cnap.workspace FOR EACH ROW EXECUTE FUNCTION test.ask();
ALTER TABLE cnap.workspace DISABLE TRIGGER record_change;
SQL
$self->query('BEGIN');
foreach (1 .. 3)
{
	is($self->query("$give; $mine"), 't|t', "late trigger: given, $_");
	is($self->query("$take; $mine"), 'f|f', "late trigger: taken, $_");
}
$self->query('COMMIT');
is($self->query($mine), 'f|f', 'late trigger: after the commit');

done_testing();
