# Which file of the sources may include which: includes only go down the layers that src/README.md
# describes, no files include each other in a circle, and each header declares the functions of the
# C file of its name alone.

use strict;
use warnings FATAL => 'all';
use File::Basename qw(dirname);
use File::Find;
use File::Path qw(make_path);
use File::Temp;
use Test::More;

# What the files in a folder may include, besides each other.
my %below = (
	core => [],
	identity => [qw(core)],
	access => [qw(core identity)],
	change => [qw(core identity access)],
	functions => [qw(core identity access change)],
	fleet => [qw(core identity access change)],
	protection => [qw(core identity access)],
	lint => [qw(core identity access)],
	'.' => [qw(core identity access change functions fleet protection lint)]);

# The text of all C files and headers, by their paths below a directory
sub sources
{
	my ($top) = @_;
	my %text;

	find(
		{ no_chdir => 1,
			wanted => sub {
				return unless /\.[ch]\z/;
				open my $file, '<', $_ or die "$_: $!";
				local $/ = undef;
				(my $path = $_) =~ s{^\Q$top\E/}{};
				$text{$path} = <$file>;
			}
		},
		$top);
	return \%text;
}

# A C file and its header are one node of the graph.
sub module
{
	my ($path) = @_;

	return $path =~ s/\.[ch]\z//r;
}

# Which module includes which others of the sources
sub graph
{
	my ($text) = @_;
	my %includes;

	foreach my $path (keys %$text)
	{
		my $module = module($path);
		$includes{$module} //= {};
		foreach my $included ($text->{$path} =~ /^#\s*include\s+"([^"]+)"/mg)
		{
			next if !exists $text->{$included} || module($included) eq $module;
			$includes{$module}{ module($included) } = 1;
		}
	}
	return \%includes;
}

sub upward
{
	my ($includes) = @_;
	my @found;

	foreach my $module (sort keys %$includes)
	{
		my $folder = dirname($module);
		if (!exists $below{$folder})
		{
			push @found, "$module is in a folder without a layer";
			next;
		}
		foreach my $included (sort keys %{ $includes->{$module} })
		{
			my $other = dirname($included);
			push @found, "$module includes $included"
			  unless $other eq $folder || grep { $_ eq $other } @{ $below{$folder} };
		}
	}
	return @found;
}

# Each circle once, found from the first module in it
sub circles
{
	my ($includes) = @_;
	my (@found, %finished);
	my $visit;

	$visit = sub {
		my ($module, @path) = @_;
		for my $i (0 .. $#path)
		{
			if ($path[$i] eq $module)
			{
				push @found, join ' -> ', @path[ $i .. $#path ], $module;
				return;
			}
		}
		return if $finished{$module};
		$visit->($_, @path, $module) foreach sort keys %{ $includes->{$module} };
		$finished{$module} = 1;
		return;
	};
	$visit->($_) foreach sort keys %$includes;
	return @found;
}

sub strangers
{
	my ($text) = @_;
	my @found;

	foreach my $header (sort grep { /\.h\z/ } keys %$text)
	{
		my $source = $text->{ module($header) . '.c' } // '';
		foreach my $name ($text->{$header} =~ /^(?:pg_noreturn )?extern\b[^;(]*?(\w+)\s*\(/mg)
		{
			push @found, "$header declares $name()" unless $source =~ /^\Q$name\E\(/m;
		}
	}
	return @found;
}

sub findings
{
	my ($text) = @_;
	my $includes = graph($text);

	return [ [ upward($includes) ], [ circles($includes) ], [ strangers($text) ] ];
}

my $found = findings(sources('src'));
is_deeply($found->[0], [], 'includes go down');
is_deeply($found->[1], [], 'no files include each other in a circle');
is_deeply($found->[2], [], 'a header declares the functions of its C file');

# The same must be found where it is.
my $dir = File::Temp->newdir;
my %bad = (
	'core/low.c' => qq{#include "core/low.h"\n#include "access/high.h"\nvoid\nLow(void)\n},
	'core/low.h' => qq{extern void Low(void);\nextern int\tOther(int a);\n},
	'access/high.h' => qq{extern void High(void);\n},
	'access/high.c' => qq{# include "access/middle.h"\nvoid\nHigh(void)\n},
	'access/middle.h' => qq{#include "access/high.h"\n},
	'protection/guard.c' => qq{#include "change/log.h"\n},
	'change/log.h' => qq{#include "postgres.h"\n},
	'elsewhere/file.c' => qq{});
foreach my $path (keys %bad)
{
	make_path("$dir/" . dirname($path));
	open my $file, '>', "$dir/$path" or die "$path: $!";
	print $file $bad{$path};
	close $file or die "$path: $!";
}
is_deeply(
	findings(sources("$dir")),
	[ [ 'core/low includes access/high',
			'elsewhere/file is in a folder without a layer',
			'protection/guard includes change/log'
		],
		['access/high -> access/middle -> access/high'],
		['core/low.h declares Other()']
	],
	'each of these is found');

done_testing();
