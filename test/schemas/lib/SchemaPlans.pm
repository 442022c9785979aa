#
# SchemaPlans.pm: checks that an application's queries still use their indexes
#
# compare_plans() fills a database with many workspaces, and with as many rows of each as the
# description says, and plans each query for a superuser, to whom the policies do not apply, and
# for a user who has one of the workspaces. Tables that are searched by an index without protection
# must be searched by the same index with it, or by those that the description lists for the query.
#
package SchemaPlans;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use JSON::PP;
use SchemaData qw(fill);
use SchemaDatabase qw(create_database execute run_statements);
use SchemaWorld qw(create_workspaces WORKSPACES SERVER);

our @EXPORT_OK = qw(compare_plans);

use constant MANY_WORKSPACES => 40;

# How the tables of a query are read: the names of indexes, and of tables that are scanned. The
# policies' searches use aliases that no query has.
sub collect
{
	my ($node, $found) = @_;

	if (($node->{Alias} // '') !~ /^parent/)
	{
		$found->{indexes}{ $node->{'Index Name'} } = 1 if defined $node->{'Index Name'};
		$found->{scans}{ $node->{'Relation Name'} } = 1 if $node->{'Node Type'} eq 'Seq Scan';
	}
	collect($_, $found) foreach @{ $node->{Plans} // [] };
	return $found;
}

sub read_plan
{
	my ($result) = @_;

	$result->{sqlstate} eq '00000' or die $result->{error};
	return collect(JSON::PP->new->decode(join "\n", @{ $result->{lines} })->[0]{Plan}, { indexes => {}, scans => {} });
}

sub describe
{
	my ($plan) = @_;

	return join ', ', (sort keys %{ $plan->{indexes} }), map { "scan of $_" } sort keys %{ $plan->{scans} };
}

# compare_plans(WORLD): a list of queries, each with what is wrong with its plan, if anything
sub compare_plans
{
	my ($world) = @_;
	my ($description, $model) = @$world{qw(description model)};
	my $database = $world->{databases}{many};
	my @queries = map { ref $_ ? $_->[0] : $_ } @{ $description->{queries} };
	my @others = map { ref $_ ? [ split /, /, $_->[1] ] : undef } @{ $description->{queries} };
	my @statements = map { "EXPLAIN (FORMAT JSON) $_;" } @queries;
	my @verdicts;

	local $model->{more_rows} = $description->{large};
	create_workspaces($database, WORKSPACES + 1, MANY_WORKSPACES);
	fill($model, $database, 1 .. MANY_WORKSPACES);
	execute($database, undef, 'ANALYZE');

	my @open = run_statements($database, undef, undef, \@statements, quiet => 1);
	my @protected = run_statements($database, SERVER, 'alice', \@statements, quiet => 1);
	for my $i (0 .. $#statements)
	{
		my ($before, $after) = (read_plan($open[$i]), read_plan($protected[$i]));
		my $has_all = sub { return !grep { !$after->{indexes}{$_} } @_ };
		my $kept = %{ $before->{indexes} }
		  && ($has_all->(keys %{ $before->{indexes} }) || $others[$i] && $has_all->(@{ $others[$i] }))
		  && !grep({ !$before->{scans}{$_} } keys %{ $after->{scans} });

		push @verdicts, [ $queries[$i] =~ s/\s+/ /gr, $kept ? '' : describe($before) . ' became ' . describe($after) ];
	}
	return @verdicts;
}

1;
