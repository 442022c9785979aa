#
# SchemaDatabase.pm: databases of the private cluster, and executing statements in them
#
# The server is that of the environment: PGHOST and so on.
#
package SchemaDatabase;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use File::Temp;
use JSON::PP;

our @EXPORT_OK = qw(create_database execute query_json run_script run_statements);

# How long a script may take, in seconds
use constant TIMEOUT => 300;

my $SYSTEM = $ENV{PGUSER} // 'postgres';

# run_script(DATABASE, ROLE, FILE): psql's exit status, and all of its output
sub run_script
{
	my ($database, $role, $file, @options) = @_;
	my $pid = open my $pipe, '-|';

	defined $pid or die "cannot fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT or die "cannot redirect: $!";
		$ENV{PGOPTIONS} = '-c statement_timeout=' . TIMEOUT . 's';
		exec 'psql', '-XAt', '-d', $database, '-U', $role, @options, '-f', $file;
		die "cannot execute psql: $!";
	}
	binmode $pipe, ':encoding(UTF-8)';
	my $output = do { local $/ = undef; <$pipe> } // '';
	close $pipe;
	return ($?, $output);
}

# A file with a script, which exists as long as it is referenced
sub script_file
{
	my ($text) = @_;
	my $file = File::Temp->new(SUFFIX => '.sql');

	binmode $file, ':encoding(UTF-8)';
	print {$file} $text;
	$file->flush;
	return $file;
}

# execute(DATABASE, ROLE, SQL): must succeed; returns the output
sub execute
{
	my ($database, $role, $sql) = @_;
	my $file = script_file("SET client_min_messages = warning;\n$sql\n;\n");
	my ($status, $output) = run_script($database, $role // $SYSTEM, $file->filename, '-q',
		'-v', 'ON_ERROR_STOP=1');

	$status == 0 or die "$database: $output";
	chomp $output;
	return $output;
}

# query_json(DATABASE, SQL, ROLE): the rows of a query, as hashes
sub query_json
{
	my ($database, $sql, $role) = @_;
	my $json = execute($database, $role, "SELECT coalesce(json_agg(r), '[]') FROM ($sql) r");

	return JSON::PP->new->decode($json);
}

# run_statements(DATABASE, ROLE, USER, STATEMENTS, OPTIONS): executes each on its own, on behalf of
# the user unless that is undefined; quiet => 1 omits command tags. A result for each:
#   lines     of results and command tags
#   output    the same, sorted
#   sqlstate  of the first error, or 00000
#   error     its message, and what comes with it
#   notices   the messages that are not errors
sub run_statements
{
	my ($database, $role, $user, $statements, %options) = @_;
	my $script = "\\set QUIET on\n\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n";

	return if !@$statements;
	$script .= "SET client_min_messages = notice;\n";
	$script .= "SET cnap.user_id = '$user';\n" if defined $user;
	$script .= "\\set QUIET off\n" if !$options{quiet};
	$script .= "\\echo == $_ ==\n$statements->[$_]\n" foreach 0 .. $#$statements;

	my $file = script_file($script);
	my (undef, $output) = run_script($database, $role // $SYSTEM, $file->filename);
	my @parts = split /^== \d+ ==\n/m, $output, -1;

	@parts == @$statements + 1 or die "$database: psql has ended: $output";
	shift @parts;
	return map { read_result($_) } @parts;
}

# Parses psql's output for a statement.
sub read_result
{
	my ($text) = @_;
	my %result = (sqlstate => '00000', error => '', notices => [], lines => []);
	my $in_error = 0;

	for my $line (split /\n/, $text)
	{
		if ($line =~ /^(?:psql:.*?:\d+: )?(ERROR|FATAL|NOTICE|WARNING):  (\w{5}): (.*)/)
		{
			$in_error = $1 eq 'ERROR' || $1 eq 'FATAL';
			if ($in_error && $result{sqlstate} eq '00000')
			{
				$result{sqlstate} = $2;
				$result{error} = $3;
			}
			push @{ $result{notices} }, $3 if !$in_error;
		}
		elsif ($line =~ /^(?:DETAIL|HINT|CONTEXT):  /)
		{
			$result{error} .= "\n$line" if $in_error;
		}
		elsif ($line !~ /^(?:LOCATION|SCHEMA NAME|TABLE NAME|COLUMN NAME|DATATYPE NAME|CONSTRAINT NAME):  /)
		{
			push @{ $result{lines} }, $line;
		}
	}
	$result{output} = [ sort @{ $result{lines} } ];
	return \%result;
}

# create_database(NAME, TEMPLATE): creates a copy of another one, replacing a former one
sub create_database
{
	my ($database, $template) = @_;

	$template //= 'template0';
	execute('postgres', undef, "DROP DATABASE IF EXISTS $database WITH (FORCE)");
	execute('postgres', undef, "CREATE DATABASE $database TEMPLATE $template");
	return;
}

1;
