#
# SchemaAttack.pm: statements of every kind, for any table
#
# Each kind has a name and a function of an attack, which contains the model and the workspace of
# the attacker, and of a table or foreign key; it returns a statement, or nothing if there is none
# of that kind.
#
package SchemaAttack;

use strict;
use warnings FATAL => 'all';

use SchemaData qw(insert_row row_values value);
use SchemaWorld qw(OTHER);

# Numbers of rows that nobody has. What is inserted in one's own workspace follows what is there.
use constant FRESH => 50;

# A workspace that does not exist
use constant NOWHERE => 9;

# new(MODEL, USER, WORKSPACE): the attacker's own workspace, or NOWHERE if there is none
sub new
{
	my ($class, $model, $user, $workspace) = @_;

	return bless { model => $model, user => $user, own => $workspace // NOWHERE }, $class;
}

# ---- parts of statements ----

# An expression for a column in a row of some workspace
sub value_of
{
	my ($self, $table, $name, $w, $k) = @_;

	return value($self->{model}, $table, $self->{model}->column($table, $name), $w, $k);
}

# The condition that selects the first row of somebody else, by its key, or by other columns
sub is_others
{
	my ($self, $table, @columns) = @_;

	@columns = $self->{model}->key($table) if !@columns;
	return join ' AND ', map { "$table->{name}.$_ = " . $self->value_of($table, $_, OTHER, 1) } @columns;
}

# A condition that is true for all rows but reads a column: MERGE finds the rows of others unless
# it needs the right to read them.
sub is_any
{
	my ($self, $table) = @_;
	my ($key) = $self->{model}->key($table);

	return "$table->{name}.$key = $table->{name}.$key";
}

# The condition of a foreign key
sub is_linked
{
	my ($link, $child, $parent) = @_;

	return join ' AND ', map { "$parent.$link->{parent_columns}[$_] = $child.$link->{columns}[$_]" } 0 .. $#{ $link->{columns} };
}

# A column that belongs to no key; otherwise one of the key, which can only be set to itself.
sub payload
{
	my ($self, $table) = @_;
	my %taken = map { $_ => 1 } keys %{ $table->{unique} // {} }, @{ $table->{path} },
	  map { @{ $_->{columns} } } @{ $table->{links} };

	for my $column (@{ $table->{columns} })
	{
		return $column if !$taken{ $column->{name} } && !$column->{generated} && $column->{base} =~ /^(?:text|varchar|int[48]|timestamp|timestamptz)$/;
	}
	return;
}

# The assignment of a new value
sub change
{
	my ($self, $table, $k) = @_;
	my $column = $self->payload($table);

	return "$column->{name} = " . $self->value_of($table, $column->{name}, $self->{own}, $k) if $column;
	return $self->keep($table);
}

# The assignment of the present value
sub keep
{
	my ($self, $table) = @_;
	my $name = ($self->payload($table) // { name => ($self->{model}->key($table))[0] })->{name};

	return "$name = $table->{name}.$name";
}

# The assignment of somebody else's values
sub assign
{
	my ($self, $table, $w, @columns) = @_;

	return join ', ', map { "$_ = " . $self->value_of($table, $_, $w, 1) } @columns;
}

# For a table with a workspace column that follows the parent's, the other columns that determine
# whose a row is
sub parent_columns
{
	my ($table) = @_;
	my @columns = @{ $table->{path} };

	return @columns > 1 ? grep { $_ ne 'workspace_id' } @columns : ();
}

# A row of the attacker's own, except for some columns taken from the first one of another
# workspace
sub mixed_row
{
	my ($self, $table, $w, @columns) = @_;
	my %others = map { $_ => 1 } @columns;

	return row_values($self->{model}, $table,
		sub { return $others{ $_[0] } ? ($w, 1) : ($self->{own}, $_[0] eq 'workspace_id' || $self->is_link($table, $_[0]) ? 1 : FRESH) });
}

sub is_link
{
	my ($self, $table, $name) = @_;

	return scalar grep { $_ eq $name } map { @{ $_->{columns} } } @{ $table->{links} };
}

# A whole row of some workspace
sub row
{
	my ($self, $table, $w, $k) = @_;

	return row_values($self->{model}, $table, sub { return ($w, $k) });
}

# The key of a table, if none of its columns refers to another table or determines whose the row
# is: then a row of the attacker's own can contain somebody else's values.
sub own_key
{
	my ($self, $table) = @_;
	my ($key) = @{ $table->{keys} };
	my %path = map { $_ => 1 } @{ $table->{path} };

	return if !$key || grep { $path{$_} || $self->is_link($table, $_) } @$key;
	return @$key;
}

sub conflict_target
{
	my ($table) = @_;

	return '(' . join(', ', @{ $table->{keys}[0] }) . ')';
}

# ---- reading one table ----

# These show all of its rows that the user can see.
sub readings
{
	my ($self) = @_;
	my $user = $self->{user};

	return (
		'SELECT' => sub { return "SELECT * FROM $_[0]{name}" },
		'TABLE' => sub { return "TABLE $_[0]{name}" },
		'COPY TO' => sub { return "COPY $_[0]{name} TO STDOUT (DELIMITER '|', NULL '')" },
		'COPY TO of a query' => sub { return "COPY (SELECT * FROM $_[0]{name}) TO STDOUT (DELIMITER '|', NULL '')" },
		'a cursor' => sub { return "BEGIN; DECLARE c CURSOR FOR TABLE $_[0]{name}; FETCH ALL FROM c; COMMIT" },
		'a subquery' => sub { return "SELECT * FROM (TABLE $_[0]{name}) s WHERE EXISTS (TABLE $_[0]{name})" },
		'a common table expression' => sub { return "WITH s AS MATERIALIZED (TABLE $_[0]{name}) TABLE s" },
		'SELECT FOR UPDATE' => sub { return "SELECT * FROM $_[0]{name} FOR UPDATE" },
		'a prepared statement of somebody else' => sub {
			return "SET cnap.user_id = 'bob'; PREPARE p AS TABLE $_[0]{name}",
			  '\o /dev/null', 'EXECUTE p', '\o', "SET cnap.user_id = '$user'; EXECUTE p; DEALLOCATE p";
		});
}

# Their results must be as if nobody else existed.
sub questions
{
	my ($self) = @_;

	return (
		'aggregates' => sub {
			my ($table) = @_;
			my ($key) = $self->{model}->key($table);

			return "SELECT count(*), count(DISTINCT ${key}), max(${key}::text), bool_or(true) FROM $table->{name}";
		},
		'a search for the key of somebody else' => sub {
			my ($table) = @_;

			return "SELECT * FROM $table->{name} WHERE " . $self->is_others($table);
		},
		'a search for the parent of somebody else' => sub {
			my ($table) = @_;

			return "SELECT * FROM $table->{name} WHERE " . $self->is_others($table, @{ $table->{path} });
		});
}

# Likewise, for a table, one of its foreign keys, and the parent
sub joins
{
	my ($self) = @_;

	return (
		'a join' => sub {
			my ($child, $link, $parent) = @_;

			return "SELECT c.*, p.* FROM $child->{name} c JOIN $parent->{name} p ON " . is_linked($link, 'c', 'p');
		},
		'an outer join' => sub {
			my ($child, $link, $parent) = @_;

			return "SELECT count(*), count(c), count(p) FROM $child->{name} c FULL JOIN $parent->{name} p ON " . is_linked($link, 'c', 'p');
		},
		'an anti-join' => sub {
			my ($child, $link, $parent) = @_;

			return "SELECT p.* FROM $parent->{name} p WHERE NOT EXISTS (SELECT FROM $child->{name} c WHERE " . is_linked($link, 'c', 'p') . ')';
		},
		'a correlated subquery' => sub {
			my ($child, $link, $parent) = @_;

			return "SELECT (SELECT count(*) FROM $child->{name} c WHERE " . is_linked($link, 'c', 'p') . ") FROM $parent->{name} p";
		});
}

# ---- writing rows of somebody else ----

# These do not find any, so their results must be as if they did not exist.
sub blind_writes
{
	my ($self) = @_;

	return (
		'UPDATE' => sub { return "UPDATE $_[0]{name} SET " . $self->change($_[0], FRESH) . ' WHERE ' . $self->is_others($_[0]) . ' RETURNING *' },
		'DELETE' => sub { return "DELETE FROM $_[0]{name} WHERE " . $self->is_others($_[0]) . ' RETURNING *' },
		'MERGE with an update' => sub {
			return "MERGE INTO $_[0]{name} USING (SELECT 1) s ON " . $self->is_others($_[0]) . ' WHEN MATCHED THEN UPDATE SET ' . $self->change($_[0], FRESH);
		},
		'MERGE with a deletion' => sub {
			return "MERGE INTO $_[0]{name} USING (SELECT 1) s ON " . $self->is_others($_[0]) . ' WHEN MATCHED THEN DELETE';
		});
}

sub blind_joins
{
	my ($self) = @_;
	my $others = sub { my ($link, $parent) = @_; return is_linked($link, 'c', $parent->{name}) . ' AND ' . $self->is_others($parent) };

	return (
		'UPDATE FROM' => sub {
			my ($child, $link, $parent) = @_;

			return if $child == $parent;
			return "UPDATE $child->{name} c SET " . ($self->keep($child) =~ s/= \Q$child->{name}\E\./= c./r) . " FROM $parent->{name} WHERE " . $others->($link, $parent);
		},
		'DELETE USING' => sub {
			my ($child, $link, $parent) = @_;

			return if $child == $parent;
			return "DELETE FROM $child->{name} c USING $parent->{name} WHERE " . $others->($link, $parent);
		});
}

# These would put a row into a workspace in which the attacker has no rights.
sub intrusions
{
	my ($self, $w) = @_;
	my $row = sub { my ($table) = @_; return $self->mixed_row($table, $w, @{ $table->{path} }) };

	return (
		'INSERT' => sub { return insert_row($_[0], $row->($_[0])) },
		'INSERT below a parent' => sub {
			my @parent = parent_columns($_[0]) or return;

			return insert_row($_[0], $self->mixed_row($_[0], $w, @parent));
		},
		'INSERT of a copy' => sub { return insert_row($_[0], $self->row($_[0], $w, 1)) . ' RETURNING *' },
		'INSERT ON CONFLICT DO NOTHING' => sub { return insert_row($_[0], $self->row($_[0], $w, 1)) . ' ON CONFLICT DO NOTHING RETURNING *' },
		'INSERT ON CONFLICT DO UPDATE' => sub {
			my ($table) = @_;

			return if !$table->{keys}[0];
			return insert_row($table, $self->row($table, $w, 1)) . ' ON CONFLICT ' . conflict_target($table) . ' DO UPDATE SET ' . $self->keep($table) . ' RETURNING *';
		},
		'MERGE with an insertion' => sub {
			my ($table) = @_;
			my $new = $row->($table);
			my @columns = sort keys %$new;

			return "MERGE INTO $table->{name} USING (SELECT 1) s ON false WHEN NOT MATCHED THEN INSERT (" . join(', ', @columns) . ') OVERRIDING SYSTEM VALUE VALUES (' . join(', ', @$new{@columns}) . ')';
		});
}

# These would move all of the attacker's rows there.
sub moves
{
	my ($self, $w) = @_;

	return (
		'UPDATE of the parent' => sub {
			my @parent = parent_columns($_[0]) or return;

			return "UPDATE $_[0]{name} SET " . $self->assign($_[0], $w, @parent);
		},
		'UPDATE of whose a row is' => sub { return "UPDATE $_[0]{name} SET " . $self->assign($_[0], $w, @{ $_[0]{path} }) },
		'MERGE with an update of whose a row is' => sub {
			return "MERGE INTO $_[0]{name} USING (SELECT 1) s ON " . $self->is_any($_[0]) . ' WHEN MATCHED THEN UPDATE SET ' . $self->assign($_[0], $w, @{ $_[0]{path} });
		});
}

# A row in the attacker's own workspace with the key of somebody else's: unique keys reveal that it
# exists, and nothing else. With the expected SQLSTATE and command tag.
sub collisions
{
	my ($self) = @_;
	my $insert = sub {
		my ($table) = @_;
		my @key = $self->own_key($table) or return;

		return insert_row($table, $self->mixed_row($table, OTHER, @key));
	};

	return (
		'INSERT of a key' => [ '23505', sub { return $insert->(@_) } ],
		'INSERT of a key ON CONFLICT DO NOTHING' => [ '00000', sub { my $sql = $insert->(@_) // return; return "$sql ON CONFLICT DO NOTHING RETURNING *" } ],
		'INSERT of a key ON CONFLICT DO UPDATE' => [ '42501', sub {
				my $sql = $insert->(@_) // return;

				return "$sql ON CONFLICT " . conflict_target($_[0]) . ' DO UPDATE SET ' . $self->keep($_[0]) . ' RETURNING *';
		} ]);
}

# A row of the attacker's own that refers to somebody else's by a key that does not determine whose
# it is: foreign keys reveal that it exists, and nothing else.
sub second_links
{
	my ($self) = @_;

	return (
		'a reference' => sub {
			my ($child, $link, $parent) = @_;
			my %path = map { $_ => 1 } @{ $child->{path} };

			return if $child == $parent || !@{ $parent->{path} } || grep { $path{$_} } @{ $link->{columns} };
			return 'BEGIN; ' . insert_row($child, $self->mixed_row($child, OTHER, @{ $link->{columns} })),
			  "SELECT $parent->{name}.* FROM $child->{name} c JOIN $parent->{name} ON " . is_linked($link, 'c', $parent->{name}) . ' WHERE ' . $self->is_others($parent),
			  'ROLLBACK';
		});
}

# Commands that no privilege was granted for, and to which row-level security does not apply
sub refusals
{
	my ($self) = @_;

	return (
		'MERGE that reads nothing' => [ '42501', sub { return "MERGE INTO $_[0]{name} USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE" } ],
		'TRUNCATE' => [ '42501', sub { return "TRUNCATE $_[0]{name} CASCADE" } ],
		'COPY FROM' => [ '0A000', sub { return "\\copy $_[0]{name} FROM /dev/null" } ]);
}

# ---- what is allowed with one's own rows ----

sub own_writes
{
	my ($self, $k) = @_;

	return (
		'INSERT' => sub { return insert_row($_[0], $self->row($_[0], $self->{own}, $k)) . ' RETURNING *' },
		'UPDATE' => sub { return "UPDATE $_[0]{name} SET " . $self->keep($_[0]) . ' RETURNING *' },
		'UPDATE by key' => sub {
			my ($table) = @_;

			return "UPDATE $table->{name} SET " . $self->change($table, FRESH) . ' WHERE '
			  . join(' AND ', map { "$_ = " . $self->value_of($table, $_, $self->{own}, 2) } $self->{model}->key($table));
		},
		'UPDATE that reads nothing' => sub {
			my ($table) = @_;

			return "UPDATE $table->{name} SET " . $self->change($table, FRESH + 2) if $self->payload($table);
			return;
		},
		'INSERT ON CONFLICT DO NOTHING' => sub { return insert_row($_[0], $self->row($_[0], $self->{own}, 2)) . ' ON CONFLICT DO NOTHING' },
		'INSERT ON CONFLICT DO UPDATE' => sub {
			my ($table) = @_;

			return if !$table->{keys}[0];
			return insert_row($table, $self->row($table, $self->{own}, 2)) . ' ON CONFLICT ' . conflict_target($table) . ' DO UPDATE SET ' . $self->keep($table) . ' RETURNING *';
		},
		'MERGE' => sub {
			my ($table) = @_;

			return "MERGE INTO $table->{name} USING (SELECT 1) s ON " . $self->is_any($table) . ' WHEN MATCHED THEN UPDATE SET ' . $self->change($table, FRESH + 1);
		});
}

sub deletions
{
	my ($self) = @_;

	return (
		'DELETE by key' => sub {
			my ($table) = @_;

			return "DELETE FROM $table->{name} WHERE "
			  . join(' AND ', map { "$_ = " . $self->value_of($table, $_, $self->{own}, 3) } $self->{model}->key($table)) . ' RETURNING *';
		},
		'DELETE that reads nothing' => sub { return "DELETE FROM $_[0]{name}" });
}

1;
