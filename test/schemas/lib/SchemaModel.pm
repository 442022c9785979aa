#
# SchemaModel.pm: what the catalogs say about the tables of a schema
#
# new(DATABASE, OPTIONS) reads them. A table is a hash of
#   name     quoted, as in SQL
#   columns  in order, hashes of name, type, base (the type below domains), typmod,
#            category, element, enum, notnull, generated, sequence (or identity), has_default
#   keys     unique indexes whose columns an INSERT ... ON CONFLICT can name, the primary key first:
#            lists of names of columns
#   unique   the columns of all unique indexes
#   links    foreign keys: hashes of columns, parent, parent_columns
#   path     the columns that say whose a row is: that of the workspace, and of the link that this
#            follows, or of one of the links; none, if the table is not protected
#
package SchemaModel;

use strict;
use warnings FATAL => 'all';

use SchemaDatabase qw(query_json);

use constant TABLES => q{
	SELECT c.oid::regclass::text AS name, c.oid::integer AS oid
	FROM pg_class c
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
	ORDER BY c.relname};

use constant COLUMNS => q{
	SELECT a.attrelid::integer AS oid, quote_ident(a.attname) AS name,
		format_type(a.atttypid, a.atttypmod) AS type, b.typname AS base,
		b.typcategory AS category, greatest(a.atttypmod, t.typtypmod) AS typmod,
		CASE WHEN b.typcategory = 'E' THEN
			(SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid)
		END AS enum,
		a.attnotnull OR t.typnotnull AS notnull, a.attgenerated <> '' AS generated,
		coalesce(pg_get_expr(d.adbin, d.adrelid) ~ '^nextval', false) OR a.attidentity <> '' AS sequence,
		a.atthasdef AS has_default
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
		JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
		AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY a.attrelid, a.attnum};

# Names of columns from their numbers
sub names
{
	my ($relation, $numbers) = @_;

	return qq{(SELECT array_agg(quote_ident(a.attname) ORDER BY n.i)
		FROM unnest($numbers) WITH ORDINALITY n (attnum, i)
			JOIN pg_attribute a ON a.attrelid = $relation AND a.attnum = n.attnum)};
}

use constant INDEXES => q{
	SELECT i.indrelid::integer AS oid,
		i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate AS plain,
		} . names('i.indrelid', 'i.indkey[0:i.indnkeyatts - 1]') . q{ AS columns
	FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
	WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
	ORDER BY i.indisprimary DESC, i.indexrelid};

use constant LINKS => q{
	SELECT c.conrelid::integer AS oid, c.confrelid::regclass::text AS parent,
		} . names('c.conrelid', 'c.conkey') . q{ AS columns,
		} . names('c.confrelid', 'c.confkey') . q{ AS parent_columns
	FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
	WHERE c.contype = 'f' AND r.relnamespace = 'public'::regnamespace
		AND c.confrelid <> 'cnap.workspace'::regclass
	ORDER BY c.conrelid, c.conname};

use constant PROTECTED => q{
	SELECT relation::oid::integer AS oid,
		CASE WHEN workspace_column IS NOT NULL THEN ARRAY[quote_ident(workspace_column)]
			ELSE (SELECT array_agg(quote_ident(n)) FROM unnest(parent_columns) n) END AS path
	FROM cnap_protected_tables()};

use constant VIEWS => q{
	SELECT c.oid::regclass::text AS name, pg_relation_is_updatable(c.oid, true) & 20 = 20 AS writable,
		(SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1) AS first
	FROM pg_class c
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
	ORDER BY c.relname};

# new(DATABASE, rows => ROWS): ROWS is the number of rows of each workspace in a table
sub new
{
	my ($class, $database, %options) = @_;
	my $self = bless { rows => 4, more_rows => {}, values => {}, %options }, $class;
	my %by_oid;

	for my $table (@{ query_json($database, TABLES) })
	{
		$by_oid{ $table->{oid} } = $self->{tables}{ $table->{name} } = $table;
		$table->{$_} = [] foreach qw(columns keys links path);
	}
	push @{ $by_oid{ $_->{oid} }{columns} }, $_ foreach @{ query_json($database, COLUMNS) };
	push @{ $by_oid{ $_->{oid} }{links} }, $_ foreach @{ query_json($database, LINKS) };
	for my $index (@{ query_json($database, INDEXES) })
	{
		my $table = $by_oid{ $index->{oid} };

		$table->{unique}{$_} = 1 foreach @{ $index->{columns} // [] };
		push @{ $table->{keys} }, $index->{columns} if $index->{plain};
	}
	for my $protected (@{ query_json($database, PROTECTED) })
	{
		$by_oid{ $protected->{oid} }{path} = $protected->{path} if $by_oid{ $protected->{oid} };
	}
	my $views = query_json($database, VIEWS);
	$self->{views} = [ map { $_->{name} } @$views ];
	$self->{writable_views} = [ map { [ $_->{name}, $_->{first} ] } grep { $_->{writable} } @$views ];
	follow_columns($_) foreach values %{ $self->{tables} };
	$self->sort_tables;
	return $self;
}

# A workspace column that is part of foreign keys follows their parents.
sub follow_columns
{
	my ($table) = @_;
	my ($column, @others) = @{ $table->{path} };

	return if !defined $column || @others;
	for my $link (@{ $table->{links} })
	{
		push @{ $table->{path} }, grep { $_ ne $column } @{ $link->{columns} } if $link->{columns}[-1] eq $column;
	}
	return;
}

# Sorts parents before their children, disregarding tables that refer to themselves.
sub sort_tables
{
	my ($self) = @_;
	my %state;
	my $visit;

	$self->{order} = [];
	$visit = sub {
		my ($table) = @_;

		return if ($state{ $table->{name} } // '') eq 'done';
		die "foreign keys of $table->{name} lead back to it" if $state{ $table->{name} };
		$state{ $table->{name} } = 'open';
		for my $link (@{ $table->{links} })
		{
			$visit->($self->{tables}{ $link->{parent} }) if $link->{parent} ne $table->{name};
		}
		$state{ $table->{name} } = 'done';
		push @{ $self->{order} }, $table;
	};
	$visit->($_) foreach map { $self->{tables}{$_} } sort keys %{ $self->{tables} };
	return;
}

# The tables with rows of workspaces, parents first; and those shared by all
sub protected_tables
{
	my ($self) = @_;

	return grep { @{ $_->{path} } } @{ $self->{order} };
}

sub shared_tables
{
	my ($self) = @_;

	return grep { !@{ $_->{path} } } @{ $self->{order} };
}

sub column
{
	my ($self, $table, $name) = @_;
	my ($column) = grep { $_->{name} eq $name } @{ $table->{columns} };

	return $column;
}

# The columns that identify a row, as far as the table has any
sub key
{
	my ($self, $table) = @_;

	return @{ $table->{keys}[0] // $table->{path} };
}

# The number of rows of each workspace in a table
sub count
{
	my ($self, $table) = @_;

	return $self->{more_rows}{ $table->{name} } // $self->{rows};
}

1;
