#
# SchemaTest.pm: checks that a protected schema leaks nothing
#
# test_schema() executes every kind of statement of SchemaAttack.pm for every table, as the
# application's role on behalf of each user, and compares:
#
#   - what the users see with the contents of a database in which only their own rows were created
#   - the results of their statements, rows, command tags and errors, with those in that database
#   - all rows that they do not see, before and after
#
# So the extension is never asked to whom a row belongs. A user who could do too little would fail
# the test as well as one who could do too much.
#
package SchemaTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use SchemaAttack;
use SchemaData qw(find_orphans);
use SchemaDatabase qw(execute query_json run_statements);
use SchemaPlans qw(compare_plans);
use SchemaWorld qw(new_world USERS OTHER SERVER);
use Test::More;

our @EXPORT = qw(test_schema);

# The number of failures to show for each test
use constant SHOWN => 5;

# Times and numbers that triggers and defaults generate are not compared.
sub normalize
{
	my ($line) = @_;

	$line =~ s/\b20(?!24)\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?/(now)/g;
	$line =~ s/\b9\d{5}\b/(next)/g;
	$line =~ s/\\\\/\\/g;
	return $line;
}

# One test for the statements of one kind, of all tables
sub report
{
	my ($name, @problems) = @_;

	if (!ok(!@problems, $name))
	{
		diag(scalar(@problems) . ' failures, such as');
		diag($_) foreach @problems[ 0 .. ($#problems < SHOWN ? $#problems : SHOWN - 1) ];
	}
	return;
}

# SQLSTATE and message: the details contain keys only if nothing is protected
sub error_text
{
	my ($result) = @_;

	return if $result->{sqlstate} eq '00000';
	return "$result->{sqlstate}: " . $result->{error} =~ s/\n.*//sr;
}

sub as_text
{
	my ($result) = @_;

	return join "\n", (map { normalize($_) } @{ $result->{output} }), error_text($result);
}

# ---- executing ----

# run_kinds(SELF, KINDS, TARGETS): for each kind, the results of its statements: pairs of the
# statement and a list with one result for each place
sub run_kinds
{
	my ($self, $kinds, $targets, @places) = @_;
	my (@statements, @kinds, %results);

	while (my ($name, $make) = splice @$kinds, 0, 2)
	{
		for my $target (@$targets)
		{
			my @parts = $make->(@$target);

			next if !@parts || !defined $parts[0];
			push @statements, join "\n", map { /^\\/ ? $_ : "$_;" } @parts;
			push @kinds, $name;
		}
	}
	my @results = map { [ $_->(\@statements) ] } @places;
	for my $i (0 .. $#statements)
	{
		push @{ $results{ $kinds[$i] } }, [ $statements[$i], map { $_->[$i] } @results ];
	}
	return \%results;
}

# The places: the shared database on behalf of the user, and the one without anybody else
sub as_user
{
	my ($self, %options) = @_;

	return sub { return run_statements($self->{databases}{all}, SERVER, $self->{user}, $_[0], %options) };
}

sub alone
{
	my ($self, %options) = @_;

	return sub { return run_statements($self->{databases}{ $self->{user} }, undef, undef, $_[0], %options) };
}

# The rows of all protected tables, for one place: lists by name
sub contents
{
	my ($self, $place) = @_;
	my @tables = $self->{model}->protected_tables;
	my @results = $place->([ map { "TABLE $_->{name};" } @tables ]);

	return { map { $tables[$_]{name} => [ map { normalize($_) } @{ $results[$_]{output} } ] } 0 .. $#tables };
}

# ---- comparing ----

# The rows of one list that are not in another; dies if the other has more
sub without
{
	my ($rows, $others) = @_;
	my %count;
	my @left;

	$count{$_}++ foreach @$others;
	for my $row (@$rows)
	{
		push @left, $row if !$count{$row} || $count{$row}-- <= 0;
	}
	return @left;
}

# The rows that the user does not see, by table
sub invisible
{
	my ($self) = @_;
	my $all = $self->contents(sub { return run_statements($self->{databases}{all}, undef, undef, $_[0], quiet => 1) });
	my $visible = $self->contents($self->as_user(quiet => 1));

	return { map { $_ => [ without($all->{$_}, $visible->{$_}) ] } keys %$all };
}

sub same_contents
{
	my ($got, $expected) = @_;

	return map { "$_:\n  " . join "\n  ", (map { "not expected: $_" } without($got->{$_}, $expected->{$_})), map { "missing: $_" } without($expected->{$_}, $got->{$_}) }
	  grep { join("\n", @{ $got->{$_} }) ne join("\n", @{ $expected->{$_} }) } sort keys %$expected;
}

# The tests after statements: the others' rows are unchanged, and the user's own are what they
# would be without the others
sub check_state
{
	my ($self, $when) = @_;

	report("$self->{user}: $when: the rows of others are as they were", same_contents($self->invisible, $self->{others}));
	report("$self->{user}: $when: own rows are as if nobody else were there",
		same_contents($self->contents($self->as_user(quiet => 1)), $self->contents($self->alone(quiet => 1))));
	return;
}

# The statements must have the same results in both places.
sub check_same
{
	my ($self, $what, $kinds, $targets, %options) = @_;
	my $results = $self->run_kinds($kinds, $targets, $self->as_user(%options), $self->alone(%options));

	for my $kind (sort keys %$results)
	{
		report("$self->{user}: $what: $kind",
			map { "$_->[0]\ngot: " . as_text($_->[1]) . "\nexpected: " . as_text($_->[2]) }
			  grep { as_text($_->[1]) ne as_text($_->[2]) } @{ $results->{$kind} });
	}
	return;
}

# ---- the tests ----

sub tables
{
	my ($self) = @_;

	return [ map { [$_] } $self->{model}->protected_tables ];
}

sub links
{
	my ($self) = @_;
	my $model = $self->{model};
	my @links;

	for my $table ($model->protected_tables)
	{
		push @links, map { [ $table, $_, $model->{tables}{ $_->{parent} } ] } @{ $table->{links} };
	}
	return \@links;
}

sub test_reading
{
	my ($self) = @_;
	my $attack = $self->{attack};
	my $expected = $self->contents($self->alone(quiet => 1));
	my @tables = $self->{model}->protected_tables;
	my $results = $self->run_kinds([ $attack->readings ], $self->tables, $self->as_user(quiet => 1));

	for my $kind (sort keys %$results)
	{
		my @got = map { [ map { normalize($_) } @{ $_->[1]{output} } ] } @{ $results->{$kind} };

		report("$self->{user}: $kind",
			(same_contents({ map { $tables[$_]{name} => $got[$_] } 0 .. $#tables }, $expected)),
			map { "$_->[0]: " . as_text($_->[1]) } grep { $_->[1]{sqlstate} ne '00000' } @{ $results->{$kind} });
	}
	$self->check_same('reading', [ $attack->questions ], $self->tables, quiet => 1);
	$self->check_same('reading', [ $attack->joins ], $self->links, quiet => 1);
	$self->check_same('views', [ 'SELECT' => sub { return "SELECT * FROM $_[0]" } ], [ map { [$_] } @{ $self->{model}{views} } ], quiet => 1);
	return;
}

# Functions that are cheap, and reveal their arguments
sub test_leaks
{
	my ($self) = @_;
	my $expected = $self->contents($self->alone(quiet => 1));
	my @tables = $self->{model}->protected_tables;
	my @results = $self->as_user(quiet => 1)->([ map { "SELECT FROM $_->{name} WHERE leak($_->{name}::text);" } @tables ]);
	my @problems;

	for my $i (0 .. $#tables)
	{
		my $told = @{ $results[$i]{notices} };
		my $own = @{ $expected->{ $tables[$i]{name} } };

		push @problems, "$tables[$i]{name}: told $told rows, instead of $own" if $told != $own;
	}
	report("$self->{user}: a function that tells its argument", @problems);

	my ($statistics) = run_statements($self->{databases}{all}, SERVER, $self->{user},
		[ 'SELECT count(*) FROM pg_stats WHERE tablename = ANY (ARRAY[' . join(', ', map { "'$_->{name}'" } @tables) . ']);' ], quiet => 1);
	is("@{ $statistics->{output} }", '0', "$self->{user}: no statistics are shown");
	return;
}

sub check_sqlstates
{
	my ($self, $what, $targets, %kinds) = @_;

	for my $kind (sort keys %kinds)
	{
		my ($sqlstate, $make) = @{ $kinds{$kind} };
		my $results = $self->run_kinds([ $kind => $make ], $targets, $self->as_user(quiet => 1));

		report("$self->{user}: $what: $kind",
			map { "$_->[0]\n" . as_text($_->[1]) }
			  grep { $_->[1]{sqlstate} ne $sqlstate || @{ $_->[1]{output} } || $_->[1]{error} =~ /^DETAIL/m } @{ $results->{$kind} });
	}
	return;
}

# What is refused is refused with the same error for rows of somebody else and for rows that do not
# exist
sub test_intrusions
{
	my ($self) = @_;
	my $attack = $self->{attack};

	for my $kinds ('intrusions', 'moves')
	{
		my $others = $self->run_kinds([ $attack->$kinds(OTHER) ], $self->tables, $self->as_user(quiet => 1));
		my $nobodys = $self->run_kinds([ $attack->$kinds($attack->NOWHERE) ], $self->tables, $self->as_user(quiet => 1));
		my $expected = $kinds eq 'moves' && !@{ USERS->{ $self->{user} } } ? '00000' : '42501';

		for my $kind (sort keys %$others)
		{
			my @problems;

			for my $i (0 .. $#{ $others->{$kind} })
			{
				my ($statement, $result) = @{ $others->{$kind}[$i] };
				my ($got, $alike) = (as_text($result), as_text($nobodys->{$kind}[$i][1]));

				push @problems, "$statement\n$got\n$alike" if $result->{sqlstate} ne $expected || @{ $result->{output} } || $got ne $alike;
			}
			report("$self->{user}: into another workspace: $kind", @problems);
		}
	}
	return;
}

sub test_user
{
	my ($self) = @_;
	my $attack = $self->{attack} = SchemaAttack->new($self->{model}, $self->{user}, USERS->{ $self->{user} }[0]);
	my $own = @{ USERS->{ $self->{user} } };

	$self->{others} = $self->invisible;
	$self->test_reading;
	$self->test_leaks;

	$self->check_same('blind', [ $attack->blind_writes ], $self->tables);
	$self->check_same('blind', [ $attack->blind_joins ], $self->links);
	$self->test_intrusions;
	$self->check_sqlstates('refused', $self->tables, $attack->refusals);
	if ($own)
	{
		$self->check_sqlstates('unique keys', $self->tables, $attack->collisions);
		my $results = $self->run_kinds([ $attack->second_links ], $self->links, $self->as_user(quiet => 1));
		report("$self->{user}: foreign keys: $_", map { "$_->[0]\n" . as_text($_->[1]) } grep { @{ $_->[1]{output} } } @{ $results->{$_} }) foreach sort keys %$results;
	}
	$self->check_state('attacks');
	return if !$own;

	my @writes = $attack->own_writes($self->{model}{rows} + 1);
	$self->check_same('own rows', [ splice @writes, 0, 2 ], $self->tables) while @writes;
	$self->check_state('writing');
	$self->check_same('views', [ 'UPDATE' => sub { return "UPDATE $_[0] SET $_[1] = $_[1]" }, 'DELETE' => sub { return "DELETE FROM $_[0]" } ], $self->{model}{writable_views});
	$self->check_state('writing through views') if @{ $self->{model}{writable_views} };
	$self->check_same('own rows', [ $attack->deletions ], [ reverse @{ $self->tables } ]);
	$self->check_state('deleting');
	return;
}

# The findings of the linter, except about roles that other databases of the server trust, and that
# the owner of the tables creates them in the schema of the extension's functions; and those about
# tables that are open to the application's server
my $FINDINGS = q{SELECT * FROM cnap_lint()
	WHERE (rule <> 'identity_grant' OR remedy IS NOT NULL) AND (rule, severity) <> ('schema_grant', 'notice')
		AND rule <> 'table_open'};
my $OPEN = q{SELECT object FROM cnap_lint() WHERE rule = 'table_open'};

sub test_schema
{
	my (%description) = @_;
	my $self = bless new_world(\%description), __PACKAGE__;

	is_deeply([ sort map { $_->{relation} } grep { $_->{protection} eq 'none' } @{ $self->{plan} } ],
		$description{shared}, 'the plan leaves out what all share');
	is_deeply([ find_orphans($self->{model}, $self->{databases}{all}) ], [], 'the rows satisfy the foreign keys');

	is_deeply([ map { "$_->{severity} $_->{rule} $_->{object}" } @{ query_json($self->{databases}{all}, $FINDINGS) } ],
		$description{findings} // [], 'the linter finds what is expected');
	is_deeply([ sort map { $_->{object} =~ s{^public\.}{}r } @{ query_json($self->{databases}{all}, $OPEN) } ],
		$description{shared}, 'and that what all share is open');

	execute($self->{databases}{all}, undef, q{
		CREATE FUNCTION leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.000001
		AS $$ BEGIN RAISE NOTICE '%', value; RETURN true; END $$;
		ANALYZE});
	for my $user (sort keys %{ +USERS })
	{
		local $self->{user} = $user;
		$self->test_user;
	}
	is($_->[1], '', "keeps its indexes: $_->[0]") foreach compare_plans($self);
	done_testing;
	return;
}

1;
