#
# CnapTest.pm: shared by the TAP tests
#
# new_node() makes a cluster with the extension. A CnapTest::Session is a psql that stays
# connected, so that a test can interleave the statements of several sessions:
#
#   my $session = CnapTest::Session->new($node, user => 'app');
#   $session->query('SELECT 1');          dies if there is an error
#   $session->attempt('SELECT 1/0');      leaves it in $session->{sqlstate}
#   $session->begin('SELECT pg_sleep(1)');  ...  $session->finish;
#
package CnapTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More ();

our @EXPORT = qw(new_node connect_to complaint major_version keeps_caches plans_of restore_in_parallel);

# new_node(NAME, CONFIGURATION, INIT OPTION => VALUE...): a running cluster
sub new_node
{
	my ($name, $configuration, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%init);
	$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nmax_connections = 50\n$configuration");
	$node->start;
	return $node;
}

# connect_to(NODE, USER, STATEMENT...): a session in which the statements were executed; as the
# superuser if no user is given
sub connect_to
{
	my ($node, $user, @statements) = @_;
	my $session = CnapTest::Session->new($node, user => $user);

	$session->query($_) foreach @statements;
	return $session;
}

# complaint(MESSAGE): shows it, and returns 1, to be added to the number of what is wrong; diag() returns
# false
sub complaint
{
	my ($message) = @_;

	Test::More::diag($message);
	return 1;
}

# major_version(NODE): that of its PostgreSQL, which need not be released yet
sub major_version
{
	my ($node) = @_;

	return int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
}

# keeps_caches(SESSION): does its server keep what it has cached? debug_discard_caches makes it
# forget everything at any moment, so that counts of scans and flushes say nothing.
sub keeps_caches
{
	my ($session) = @_;

	return $session->query('SHOW debug_discard_caches') eq '0';
}

# plans_of(NODE, DATABASE, FORMAT, BEFORE, STATEMENT): the plans of a statement and of all queries within
# the functions that it calls, with the numbers of rows, after others in the same session
sub plans_of
{
	my ($node, $db, $format, $before, $statement) = @_;
	my ($code, undef, $plans) = $node->psql($db, <<"END", on_error_stop => 1);
$before;
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET auto_explain.log_format = $format;
SET auto_explain.log_level = notice;
BEGIN;
$statement;
ROLLBACK;
END
	die $plans if $code;
	return $plans;
}

# restore_in_parallel(NODE, DATABASE, DUMP): as the documentation says. pg_restore does not know which
# of an extension's tables come first, nor that keys of other tables refer to them: so the rows come
# without checks, and the keys after them.
sub restore_in_parallel
{
	my ($node, $db, $dump) = @_;

	foreach my $section (qw(pre-data data post-data))
	{
		local $ENV{PGOPTIONS} = '-c session_replication_role=replica' if $section eq 'data';
		$node->command_ok([ 'pg_restore', '-j2', "--section=$section", '--exit-on-error', '-d', $db, $dump ],
			"$db: restore by pg_restore -j2, $section");
	}
	return;
}

package CnapTest::Session;

use strict;
use warnings;

use IO::Select;
use IPC::Open3;
use Time::HiRes qw(time);

use constant TIMEOUT => $ENV{PG_TEST_TIMEOUT_DEFAULT} || 60;

sub new
{
	my ($class, $node, %options) = @_;
	my $user = $options{user} // getpwuid($<);
	my $dbname = $options{dbname} // 'postgres';
	my $more = $options{connection} // '';
	my ($in, $out);

	# psql's errors come through the same pipe as its results, in the right order
	my $pid = open3($in, $out, undef, $node->installed_command('psql'), '-XqAt',
		'-v', 'VERBOSITY=verbose', '-d', $node->connstr($dbname) . " user='$user' $more");
	my $self = bless {
		pid => $pid, in => $in, out => $out, select => IO::Select->new($out),
		buffer => '', count => 0, sqlstate => '00000', name => $options{name} // $user,
	}, $class;
	$in->autoflush(1);
	$self->query('SET client_min_messages = warning');
	return $self;
}

# Sends statements and returns at once.
sub begin
{
	my ($self, $sql) = @_;

	$self->{count}++;

	# Some versions of psql look for the end of the data even if COPY was refused.
	my $data = $sql =~ /\bFROM STDIN( WITH \(.*\))?$/ ? "\\.\n" : '';
	print { $self->{in} } "$sql\n;\n$data\\echo == $self->{count} ==\n";
	return;
}

# Has what begin() sent been completed?
sub is_done
{
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 0);

	# a psql that exits interrupts the wait for another one
	until ($self->{buffer} =~ /^== $self->{count} ==\n/m)
	{
		my $left = $end - time;
		if ($self->{select}->can_read($left > 0 ? $left : 0))
		{
			sysread($self->{out}, $self->{buffer}, 65536, length $self->{buffer})
			  or die "$self->{name}: psql has ended: $self->{buffer}";
		}
		elsif ($left <= 0)
		{
			return 0;
		}
	}
	return 1;
}

# Waits for what begin() sent, and returns its output without errors, which are left in
# $self->{error} and $self->{sqlstate}.
sub finish
{
	my ($self) = @_;

	$self->is_done(TIMEOUT) or die "$self->{name}: no answer in time: $self->{buffer}";
	$self->{buffer} =~ s/^(.*?)^== $self->{count} ==\n//ms;
	my $output = $1;
	$self->{error} = '';
	$self->{sqlstate} = '00000';
	if ($output =~ s/^((?:psql:.*?: )?(?:ERROR|FATAL|PANIC):  (\w{5}): .*)//ms)
	{
		$self->{error} = $1;
		$self->{sqlstate} = $2;
	}
	chomp $output;
	return $output;
}

sub attempt
{
	my ($self, $sql) = @_;

	$self->begin($sql);
	return $self->finish;
}

sub query
{
	my ($self, $sql) = @_;
	my $output = $self->attempt($sql);

	die "$self->{name}: $sql: $self->{error}" if $self->{error} ne '';
	return $output;
}

sub quit
{
	my ($self) = @_;

	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
	return;
}

1;
