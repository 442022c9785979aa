# Following the audit log: no entry is missed, whenever its transaction commits
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', '', allows_streaming => 1);
populate($node, 'postgres');
$node->safe_psql('postgres', q{
	CREATE ROLE consumer LOGIN;
	GRANT EXECUTE ON FUNCTION cnap_audit_cursor(), cnap_audit_feed(text, integer) TO consumer;
	CREATE TABLE app.feed_cursor (consumer text PRIMARY KEY, cursor text NOT NULL);
	GRANT USAGE ON SCHEMA app TO consumer;
	GRANT SELECT, UPDATE ON app.feed_cursor TO consumer;
	INSERT INTO app.feed_cursor VALUES ('connections', cnap_audit_cursor());});

# One turn of a consumer, as the guide has it: the statement that reads what is new and remembers
# where to go on.
my $guide = slurp_file('doc/operations.md');
my ($turn) = grep { /^WITH entry/m && /cnap_audit_feed/ } $guide =~ /^```sql\n(.*?)^```$/msg;
ok(defined $turn, 'the guide has a statement');

my $consumer = connect_to($node, 'consumer');

sub turn
{
	return join ' ', map { (split /\|/)[3] } split /\n/, $consumer->query($turn =~ s/;\s*$//r);
}
is(turn(), '', 'nothing is new');

# what the consumer reads is a person's name
sub add
{
	my ($session, $person) = @_;
	$session->query("SELECT FROM cnap_add_workspace_member('$W1', '$person')");
	return;
}
my ($one, $two, $three) = map {
	my $session = connect_to($node);
	$session->query("SET ROLE cnap_app; SET cnap.user_id = 'carol'");
	$session
} 1 .. 3;

# ---- transactions that commit late ----

# each has a workspace of its own, so that none waits for another
my @own = map { act_as($node, 'postgres', 'carol', "SELECT cnap_create_workspace('Own $_')") } 0 .. 2;
is(turn(), 'carol carol carol', 'three workspaces');

sub begin
{
	my ($session, $space, $person) = @_;
	$session->query("BEGIN; SELECT FROM cnap_add_workspace_member('$own[$space]', '$person')");
	return;
}
begin($one, 0, 'early');
begin($two, 1, 'late');
$two->query('COMMIT');
is(turn(), 'late', 'the one that commits first comes first, though it began later');
begin($two, 1, 'later');
is(turn(), '', 'an open one holds up nothing, and is not read');
$one->query('COMMIT');
is(turn(), 'early', 'it comes when it is committed');
is(turn(), '', 'once');
$two->query('ROLLBACK');
is(turn(), '', 'what is rolled back never comes');

begin($one, 0, 'a');
begin($two, 1, 'b');
begin($three, 2, 'c');
$three->query('COMMIT');
is(turn(), 'c', 'the last of three');
begin($three, 2, 'd');
$one->query('COMMIT');
is(turn(), 'a', 'the first');
$three->query('COMMIT');
is(turn(), 'd', 'a newer one');
$two->query('COMMIT');
is(turn(), 'b', 'and the second');

# a batch that ends before a transaction that has not been read, and after one that was
begin($one, 0, 'e');
begin($two, 1, 'f');
begin($three, 2, 'g');
$two->query('COMMIT');
is(turn(), 'f', 'the middle one');
$one->query('COMMIT');
$three->query('COMMIT');
my $limited = $turn =~ s/1000/1/r;
is((split /\|/, $consumer->query($limited =~ s/;\s*$//r))[3], 'e', 'a batch that ends before what has been read');
is(turn(), 'g', 'continues after it');

# a subtransaction has a number of its own, which counts for nothing
$one->query("BEGIN; SAVEPOINT s; SELECT FROM cnap_add_workspace_member('$own[0]', 'h')");
begin($two, 1, 'i');
$two->query('COMMIT');
is(turn(), 'i', 'not the open savepoint');
$one->query('RELEASE s');
is(turn(), '', 'nor the released one');
$one->query('COMMIT');
is(turn(), 'h', 'until its transaction commits');

# a prepared transaction, even across a crash
$one->query("BEGIN; SELECT FROM cnap_add_workspace_member('$own[0]', 'prepared'); PREPARE TRANSACTION 'p'");
begin($two, 1, 'j');
$two->query('COMMIT');
is(turn(), 'j', 'a prepared transaction holds up nothing');
$_->quit foreach $one, $two, $three, $consumer;
$node->stop('immediate');
$node->start;
$consumer = connect_to($node, 'consumer');
is(turn(), '', 'nor does it after a crash');
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");
is(turn(), 'prepared', 'it comes when it is committed');

# REPEATABLE READ: the feed reads what is committed now, so no cursor claims what it has not returned
$consumer->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
act_as($node, 'postgres', 'carol', "SELECT FROM cnap_add_workspace_member('$own[0]', 'k')");
is(turn(), 'k', 'a fresh snapshot');
$consumer->query('COMMIT');
is(turn(), '', 'and a cursor that agrees with it');

# ---- many writers, and a consumer that never looks twice ----

my @writers = map {
	my $n = $_;
	my $space = act_as($node, 'postgres', 'carol', "SELECT cnap_create_workspace('Busy $n')");
	my $session = connect_to($node);
	$session->query("SET ROLE cnap_app; SET cnap.user_id = 'carol'");
	{ n => $n, space => $space, session => $session, count => 0, busy => 0 }
} 0 .. 5;
turn();
my %seen;
my ($rounds, $wanted) = (0, 60);
while (grep { $_->{count} < $wanted || $_->{busy} } @writers)
{
	foreach my $writer (@writers)
	{
		if ($writer->{busy})
		{
			next unless $writer->{session}->is_done;
			$writer->{session}->finish;
			$writer->{busy} = 0;
		}
		next if $writer->{count} >= $wanted;
		my $name = "$writer->{n}-" . $writer->{count}++;
		$writer->{session}->begin("BEGIN; SELECT FROM cnap_add_workspace_member('$writer->{space}', '$name');
			SELECT pg_sleep(random() * 0.01); COMMIT");
		$writer->{busy} = 1;
	}
	my $statement = $rounds++ % 3 ? $limited : $turn;
	$seen{ (split /\|/)[3] }++ foreach split /\n/, $consumer->query($statement =~ s/;\s*$//r);
}
while (my @rest = split ' ', turn())
{
	$seen{$_}++ foreach @rest;
}
is(scalar(keys %seen), @writers * $wanted, "each entry of $wanted changes by " . @writers . ' writers is read');
is(join(' ', grep { $seen{$_} > 1 } sort keys %seen), '', 'and none twice');
$_->{session}->quit foreach @writers;

# ---- another history ----

my $cursor = $node->safe_psql('postgres', 'SELECT cnap_audit_cursor()');
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;

sub refused
{
	my ($server) = @_;
	my (undef, undef, $error) = $server->psql('postgres', "SELECT * FROM cnap_audit_feed('$cursor')");
	return $error =~ /ERROR:  (.*)/ ? $1 : 'not at all';
}
is(refused($standby), 'the audit log cannot be followed on a standby', 'not on a standby');
is(refused($node), 'not at all', 'the primary goes on');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$node->stop('immediate');
$standby->promote;
like(refused($standby), qr/^the cursor belongs to another history/,
	'after a failover, which may have lost transactions that the consumer has read, the consumer is told');
$cursor = $standby->safe_psql('postgres', 'SELECT cnap_audit_cursor()');
is(refused($standby), 'not at all', 'and can go on from there');
$standby->stop;

done_testing();
