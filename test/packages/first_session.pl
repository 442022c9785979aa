#!/usr/bin/perl
#
# first_session.pl README: plays the first session of README.md, by psql in the database that PGDATABASE
# and so on select, and compares what each step prints with what the README shows. Needs nothing but
# Perl and psql, so that it can be executed where only packages have been installed.

use strict;
use warnings;

# lines(TEXT): those that are not empty, without blanks at their ends
sub lines
{
	return join "\n", grep { $_ ne '' } map { s/\s+$//r } split /\n/, shift;
}

my $file = shift // die "usage: $0 README.md\n";
open my $readme, '<', $file or die "$file: $!\n";
my $text = do { local $/ = undef; <$readme> };
close $readme;
my ($session) = $text =~ /^## First session\n(.*?)^## /ms or die "$file has no first session\n";

# the statements, each step followed by a line that psql prints
my (@shown, $statements);
while ($session =~ /^```(\w*)\n(.*?)^```$/msg)
{
	if ($1 eq 'sql')
	{
		push @shown, '';
		$statements .= "$2\\echo == step\n";
	}
	else
	{
		$shown[-1] = lines($2);
	}
}
die "$file shows nothing\n" if !grep { $_ ne '' } @shown;

my $script = "/tmp/first_session.$$.sql";
open my $out, '>', $script or die "$script: $!\n";
print $out $statements;
close $out or die "$script: $!\n";
open my $psql, '-|', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $script or die "psql: $!\n";
my $printed = do { local $/ = undef; <$psql> };
my $ended = close $psql;
unlink $script;
print $printed;
die "psql has failed\n" if !$ended;

my @printed = split /^== step\n/m, $printed, -1;
pop @printed;
die 'psql has not executed all steps' if @printed != @shown;
foreach my $step (grep { $shown[$_] ne '' } 0 .. $#shown)
{
	die "step $step should print:\n$shown[$step]\n" if lines($printed[$step]) !~ /(^|\n)\Q$shown[$step]\E$/;
}
printf "The first session has printed what the README shows, in %d steps.\n", scalar @shown;
