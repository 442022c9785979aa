# A full queue of notifications never makes a revocation fail. Before PostgreSQL 17, whose queue can
# be made small, this fills 8 GB, so it has to be asked for by PG_TEST_EXTRA="notify_queue".
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'cnap.notify = on');
my $is_large = major_version($node) < 17;
plan skip_all => 'the queue has 8 GB; PG_TEST_EXTRA="notify_queue" fills them'
  if $is_large && ($ENV{PG_TEST_EXTRA} // '') !~ /\bnotify_queue\b/;
if (!$is_large)
{
	$node->append_conf('postgresql.conf', 'max_notify_queue_pages = 256');
	$node->restart;
}
populate($node, 'postgres');

# a role without any right fills the queue, which somebody keeps from being emptied
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
my $listener = connect_to($node, 'stranger', 'LISTEN anything', 'BEGIN');
my $stranger = connect_to($node, 'stranger');
my $batch = $is_large ? 20000 : 50;

sub fill
{
	my ($limit) = @_;
	while ($node->safe_psql('postgres', 'SELECT pg_notification_queue_usage()') < $limit)
	{
		$stranger->attempt("SELECT count(pg_notify('anything', lpad(n::text, 7900, 'x'))) FROM generate_series(1, $batch) n");
		last if $stranger->{sqlstate} ne '00000';
	}
	return;
}
my $hearer = connect_to($node, undef, 'LISTEN cnap');

# Executes a change, and tells which notifications are heard and which warnings it gives
sub change
{
	my ($sql) = @_;
	my (undef, undef, $error) = $node->psql('postgres', CnapModel::as_person('carol', $sql));
	my @heard = $hearer->query('SELECT 1') =~ /"action": "([\w.]+)"/g;
	return join ' ', @heard, $error =~ /^.*(WARNING|ERROR)/mg;
}
is(change("SELECT cnap_add_workspace_member('$W1', 'hal')"), 'workspace_member.add', 'heard while there is room');

# half full: nothing more is sent, however few or many
fill(0.5);
is(change("SELECT cnap_remove_workspace_member('$W1', 'hal')"), 'WARNING', 'a removal, when it is half full');
is(refused_as($node, 'postgres', 'hal', "SELECT cnap_workspace_members('$W1')"), '42704', 'is effective');

# completely full
fill(1);
is($stranger->{sqlstate}, '54000', 'the queue is full');
is(change("SELECT cnap_revoke_management('$W1')"), 'WARNING', 'a revocation');
is(seen_by($node, 'postgres', 'ann'), 'two', 'is effective');
like(table_rows($node, 'postgres', 'audit_log'), qr/management\.revoke/, 'and the audit log has it');

# with room again, they are heard again
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = 'stranger'");
$hearer->query('SELECT 1');
is(change("SELECT cnap_grant_management('$W1', '$ACME')"), 'management.grant', 'heard again');

# a transaction with more than the queue can take sends none, and commits
SKIP:
{
	skip 'takes a small queue', 1 if $is_large;
	is(change("SELECT FROM (SELECT cnap_add_workspace_member('$W1', repeat('x', 200) || n) FROM generate_series(1, 5000) n) a"),
		'WARNING', 'more than fit');
}

$_->quit foreach $listener, $stranger, $hearer;
$node->stop;
done_testing();
