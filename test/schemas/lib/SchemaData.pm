#
# SchemaData.pm: rows for any schema
#
# Each value is a function of table, column, workspace (a number) and row (another number, from 1),
# so that no row has to be looked up to refer to it: row n of a table refers to row n of each
# parent, in the same workspace, and to the previous row of the table itself. That also satisfies
# keys with several columns, and keys that share columns. Tables shared by all workspaces are
# filled with rows of no workspace, unless the application comes with some.
#
package SchemaData;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use SchemaDatabase qw(execute query_json);

our @EXPORT_OK = qw(value row_values insert_row fill find_orphans);

# Two rows of different workspaces, or with different numbers, never get the same integer.
use constant STRIDE => 1000;

my %by_type = (
	bool => '(%k %% 2 = 0)',
	int2 => '(%n %% 30000)::int2',
	int4 => '%n',
	int8 => '%n',
	oid => '(%n)::oid',
	numeric => '%n',
	float4 => '%n',
	float8 => '%n',
	date => "('2024-01-01'::date + %k)",
	time => "('00:00'::time + %k * interval '1 second')",
	timestamp => "('2024-01-01'::timestamp + %k * interval '1 hour' + %w * interval '1 second')",
	timestamptz => "('2024-01-01'::timestamptz + %k * interval '1 hour' + %w * interval '1 second')",
	interval => "(%n * interval '1 second')",
	uuid => 'md5(%n::text)::uuid',
	bytea => "convert_to(%t, 'UTF8')",
	json => 'json_build_object(%t, %n)',
	jsonb => 'jsonb_build_object(%t, %n)',
	inet => "('10.0.0.0'::inet + %n)",
	bit => '(%n)::bit(%m)',
	varbit => '(%n)::bit(%m)');

# The number of a row in a table with fewer rows
sub within
{
	my ($k, $count) = @_;

	return ($k - 1) % $count + 1 if $k =~ /^\d+$/;
	return "(($k - 1) % $count + 1)";
}

sub text_value
{
	my ($column, $w, $k) = @_;
	my $text = "(($w)::text || '.' || ($k)::text || '.$column->{name}')";
	my $length = $column->{typmod} >= 4 ? $column->{typmod} - 4 : 0;

	return $text if $length == 0;
	return "right(to_hex(($w) * @{[STRIDE]} + $k), $length)" if $length < 7;
	return "left($text, $length)";
}

# A value that depends only on the type, or null if there is none for it
sub plain_value
{
	my ($model, $table, $column, $w, $k) = @_;
	my $template = $model->{values}{"$table->{name}.$column->{name}"};
	my %parts = (
		w => "($w)", k => "($k)", n => "(($w) * @{[STRIDE]} + $k)", m => $column->{typmod},
		t => "(($w)::text || '.' || ($k)::text)");

	if (!defined $template)
	{
		return text_value($column, $w, $k) if $column->{base} =~ /^(?:text|varchar|bpchar|citext|name)$/;
		return "'{}'" if $column->{category} eq 'A';
		return "(enum_range(null::$column->{type}))[($k) % @{[scalar @{ $column->{enum} }]} + 1]" if $column->{enum};
		$template = $by_type{ $column->{base} } // return;
	}
	return $template =~ s/%([wknmt%])/$1 eq '%' ? '%' : $parts{$1}/ger;
}

# The value of a column that refers to a table without workspaces
sub shared_value
{
	my ($parent, $parent_column, $k) = @_;
	my $key = join ', ', @{ $parent->{keys}[0] };

	return "(SELECT $parent_column FROM $parent->{name} ORDER BY $key OFFSET ($k) % (SELECT count(*) FROM $parent->{name}) LIMIT 1)";
}

# value(MODEL, TABLE, COLUMN, WORKSPACE, ROW): an expression; workspace and row are expressions, too
sub value
{
	my ($model, $table, $column, $w, $k) = @_;

	return "lpad(($w)::text, 32, '0')::uuid" if $column->{name} eq 'workspace_id';
	for my $link (@{ $table->{links} })
	{
		my ($i) = grep { $link->{columns}[$_] eq $column->{name} } 0 .. $#{ $link->{columns} };
		next if !defined $i;
		my $parent = $model->{tables}{ $link->{parent} };
		my $parent_column = $model->column($parent, $link->{parent_columns}[$i]);

		if ($parent == $table)
		{
			my $own = value($model, $table, $parent_column, $w, $k);

			return $own if $column->{notnull};
			return "CASE WHEN $k > 1 THEN " . value($model, $table, $parent_column, $w, "($k - 1)") . ' END';
		}
		return shared_value($parent, $parent_column->{name}, $k) if !@{ $parent->{path} };
		my $row = $model->count($parent) < $model->count($table) ? within($k, $model->count($parent)) : $k;
		return value($model, $parent, $parent_column, $w, $row);
	}
	return plain_value($model, $table, $column, $w, $k);
}

# row_values(MODEL, TABLE, CODE): a row as a hash of expressions; the code returns for each column
# the workspace and row that its value comes from
sub row_values
{
	my ($model, $table, $choose) = @_;
	my %row;

	for my $column (@{ $table->{columns} })
	{
		next if $column->{generated};
		my $value = value($model, $table, $column, $choose->($column->{name}));
		next if !defined $value && ($column->{has_default} || !$column->{notnull});
		defined $value or die "no value of type $column->{type} for $table->{name}.$column->{name}";
		$row{ $column->{name} } = $value;
	}
	return \%row;
}

# insert_row(TABLE, ROW, FROM): the statement that inserts a row, or one for each row of FROM
sub insert_row
{
	my ($table, $row, $from) = @_;
	my @columns = sort keys %$row;

	return sprintf 'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE %s %s', $table->{name}, join(', ', @columns),
	  defined $from ? 'SELECT' : 'VALUES',
	  defined $from ? join(', ', @$row{@columns}) . " $from" : '(' . join(', ', @$row{@columns}) . ')';
}

# fill(MODEL, DATABASE, WORKSPACES): creates the rows of these workspaces, and those shared by all
sub fill
{
	my ($model, $database, @workspaces) = @_;
	my $sql = "SET session_replication_role = replica;\n";
	my $list = join ', ', @workspaces;

	for my $table ($model->shared_tables)
	{
		my $row = row_values($model, $table, sub { return (0, 'k') });

		$sql .= insert_row($table, $row, "FROM generate_series(1, $model->{rows}) k WHERE NOT EXISTS (SELECT FROM $table->{name})") . ";\n";
	}
	for my $table ($model->protected_tables)
	{
		my $row = row_values($model, $table, sub { return qw(w k) });
		my $rows = $model->count($table);

		$sql .= insert_row($table, $row, "FROM unnest('{$list}'::int[]) w, generate_series(1, $rows) k ORDER BY k, w") . ";\n";
	}
	$sql .= "SET session_replication_role = origin;\n";
	$sql .= "SELECT setval(s.seqrelid, 900000) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace = 'public'::regnamespace;\n";
	execute($database, undef, $sql);
	return;
}

# find_orphans(MODEL, DATABASE): the foreign keys that are not satisfied
sub find_orphans
{
	my ($model, $database) = @_;
	my @queries;

	for my $table (@{ $model->{order} })
	{
		for my $link (@{ $table->{links} })
		{
			my @pairs = map { "p.$link->{parent_columns}[$_] = c.$link->{columns}[$_]" } 0 .. $#{ $link->{columns} };
			my @not_null = map { "c.$_ IS NOT NULL" } @{ $link->{columns} };

			push @queries, sprintf "SELECT '%s -> %s' AS key WHERE EXISTS (SELECT FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s))",
			  "$table->{name} (@{ $link->{columns} })", $link->{parent}, $table->{name}, join(' AND ', @not_null),
			  $link->{parent}, join(' AND ', @pairs);
		}
	}
	return map { $_->{key} } @{ query_json($database, join ' UNION ALL ', @queries) };
}

1;
