# Whoever tells what protects a table tells the same: cnap_protected_tables(), the plan of
# cnap_protect_schema() and cnap_lint(), about tables with columns, keys, partitions, protections and
# damage at random. And what the linter and the plan offer is accepted, and helps.
#
# CNAP_STEPS is the number of schemas, with some fifteen tables each; CNAP_SEED other ones.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapTest;
use Test::More;

my $SCHEMAS = $ENV{CNAP_STEPS} || 70;
my $SEED = $ENV{CNAP_SEED} // 16;

my $node = new_node('agree', "log_statement = none\nfsync = off\nmax_locks_per_transaction = 1024");
my $root = connect_to($node, undef);
note "CNAP_SEED=$SEED";
srand $SEED;

# a foreign-data wrapper without a handler, for partitions that cannot have policies
$root->query(<<'END');
CREATE EXTENSION cnap_org;
SELECT cnap_define_permission(p) FROM unnest('{deploy,audit,gone}'::text[]) p;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
-- executes a statement, and undoes it if it fails
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
END

sub one_of { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }

# ---- the tables ----

# Each table: name, keys (of the primary key), ws (name of the workspace column), fks, kind
my @statements;

sub make_schema
{
	my ($schema) = @_;
	my @tables;

	push @statements, "CREATE SCHEMA $schema";
	foreach my $n (0 .. 7)
	{
		my %table = (name => "$schema.t$n", fks => []);
		my @heads = grep { $_->{kind} eq 'r' } @tables;
		my $inherits = @heads && chance(0.1) ? one_of(@heads) : undef;
		my (@columns, @constraints);

		$table{kind} = !$inherits && chance(0.15) ? 'p' : 'r';
		$table{keys} = chance(0.2) ? [ 'id', 'part' ] : ['id'];
		# the linter guesses the name of the column, but the plan has to be told, or to find the key
		if ($inherits)
		{
			@table{qw(keys ws)} = @$inherits{qw(keys ws)};
		}
		else
		{
			push @columns, map { "$_ int NOT NULL" } @{ $table{keys} };
			$table{ws} = one_of(('workspace_id') x 3, 'tenant', (undef) x 4);
			push @columns, join ' ', $table{ws}, one_of(('uuid') x 9, 'text'), one_of('', 'NOT NULL')
			  if defined $table{ws};
			push @constraints, "FOREIGN KEY ($table{ws}) REFERENCES cnap.workspace"
			  if defined $table{ws} && $columns[-1] =~ /uuid/ && ($table{ws} eq 'tenant' || chance(0.5));
		}
		push @constraints, 'PRIMARY KEY (' . join(', ', @{ $table{keys} }) . ')';
		foreach my $parent (grep { chance(0.35) } @tables)
		{
			my $not_null = one_of('', 'NOT NULL');
			my $name = 'to_' . $parent->{name} =~ s/.*\.//r;
			my @own = map { "${name}_$_" } @{ $parent->{keys} };

			push @columns, map { "$_ int $not_null" } @own;
			push @{ $table{fks} }, { parent => $parent, columns => \@own };
			push @constraints,
			  'FOREIGN KEY (' . join(', ', @own) . ") REFERENCES $parent->{name} (" . join(', ', @{ $parent->{keys} }) . ')'
			  for 1 .. one_of((1) x 9, 2);
		}
		# two keys with the same columns, of which none identifies either
		if (@{ $table{fks} } && chance(0.1))
		{
			my $other = one_of(@tables);
			my @own = @{ $table{fks}[0]{columns} };
			push @constraints, 'FOREIGN KEY (' . join(', ', @own) . ") REFERENCES $other->{name}"
			  if @own == @{ $other->{keys} };
		}
		push @statements, "CREATE TABLE $table{name} (" . join(', ', @columns, @constraints) . ')'
		  . ($inherits ? " INHERITS ($inherits->{name})" : '')
		  . ($table{kind} eq 'p' ? ' PARTITION BY LIST (id)' : '');
		if ($table{kind} eq 'p')
		{
			push @statements, "CREATE TABLE $table{name}_$_ PARTITION OF $table{name} FOR VALUES IN ($_)" for 1, 2;
			$table{foreign} = chance(0.1);
		}
		push @tables, \%table;
	}
	return @tables;
}

# ---- protection, and damage ----

sub protect
{
	my ($schema, @tables) = @_;
	my $permission = sub { one_of('NULL', "'access'", "'deploy'", "'audit'", "'administer'") };

	foreach my $table (@tables)
	{
		push @statements, "CREATE POLICY mine ON $table->{name} USING (true)" if chance(0.1);
		if (defined $table->{ws} && chance(0.7))
		{
			push @statements,
			  "SELECT cnap_protect('$table->{name}', '$table->{ws}', " . $permission->() . ', ' . $permission->() . ')';
		}
		elsif (@{ $table->{fks} } && chance(0.8))
		{
			my $key = one_of(@{ $table->{fks} });
			push @statements, "SELECT cnap_protect_child('$table->{name}', '"
			  . one_of(@{ $key->{columns} }) . "', " . one_of(('NULL') x 3, "'workspace_id'") . ')';
		}
	}
	push @statements, "SELECT cnap_protect_schema('$schema', true)" if chance(0.2);
	return;
}

sub damage
{
	my ($table, @tables) = @_;
	my $name = $table->{name};
	my $part = $table->{kind} eq 'p' ? "${name}_1" : $name;
	my $command = one_of(qw(select insert update delete));
	my $clause = $command eq 'insert' ? 'WITH CHECK' : 'USING';
	my $policy = "cnap_${command}_" . one_of('restrictive', 'restrictive', 'permissive');
	my $ws = $table->{ws} // 'workspace_id';
	my $parent = @{ $table->{fks} } ? one_of(@{ $table->{fks} }) : undef;
	my $other = one_of(@tables);

	return one_of(
		"DROP POLICY $policy ON $part",
		"DROP POLICY $policy ON $name",
		"ALTER POLICY $policy ON $part $clause (true)",
		"ALTER POLICY $policy ON $name $clause (cnap_can_access($ws))",
		"ALTER POLICY $policy ON $name $clause (cnap_has_permission($ws, '" . one_of(qw(deploy audit gone)) . "'))",
		"ALTER POLICY $policy ON $name RENAME TO other",
		"ALTER TABLE $part DISABLE ROW LEVEL SECURITY",
		"ALTER TABLE $name NO FORCE ROW LEVEL SECURITY",
		"CREATE POLICY more ON $name USING (true)",
		"DROP POLICY mine ON $name",
		"CREATE TABLE ${name}_3 PARTITION OF $name FOR VALUES IN (3)",
		"CREATE TABLE ${name}_h () INHERITS ($name)",
		"ALTER TABLE $name INHERIT $other->{name}",
		"SELECT cnap_protect('$part', read_permission => 'audit')",
		"SELECT cnap_unprotect('$part')",
		"SELECT cnap_unprotect('$name')",
		defined $parent ? ("ALTER TABLE $name DROP CONSTRAINT " . join('_', $name =~ s/.*\.//r, @{ $parent->{columns} }, 'fkey')) x 2 : (),
		"SELECT cnap_protect('$other->{name}', write_permission => 'deploy')");
}

foreach my $n (1 .. $SCHEMAS)
{
	my @tables = make_schema("s$n");

	protect("s$n", @tables);
	push @statements, 'SET cnap.guard = off';
	push @statements, map { damage($_, @tables) } grep { chance(0.25) } @tables;
	push @statements, map { "CREATE FOREIGN TABLE $_->{name}_f PARTITION OF $_->{name} FOR VALUES IN (9) SERVER nowhere" }
	  grep { $_->{foreign} } @tables;
	push @statements, 'RESET cnap.guard';
}
# SET and RESET hold for the session
my %outcomes;
foreach my $statement (@statements)
{
	my $outcome = $statement =~ /^(RE)?SET/ ? $root->query($statement) || 'done'
	  : $root->query('SELECT attempt($cnap$' . $statement . '$cnap$)');
	$outcomes{ ($statement =~ /^(\w+ \w+)/)[0] . ': ' . ($outcome =~ /^(\w+)/)[0] }++;
}
$root->query(q{DELETE FROM cnap.permission_definition WHERE name = 'gone'});
note "$outcomes{$_} $_" foreach sort keys %outcomes;

# ---- what each of them says ----

$root->query(<<'END');
CREATE TABLE listed AS SELECT * FROM cnap_protected_tables();
CREATE TABLE found AS
	SELECT row_number() OVER () AS n, severity, rule, object, remedy, to_regclass(object)::oid AS relation
	FROM cnap_lint() WHERE object ~ '^s\d';
CREATE TABLE planned AS
	SELECT p.*, n.nspname AS schema
	FROM pg_namespace n, cnap_protect_schema(n.nspname) p WHERE n.nspname ~ '^s\d';
-- what breaks the protection of a table
CREATE TABLE broken AS
	SELECT DISTINCT relation FROM found
	WHERE severity = 'error' AND rule IN ('row_security_disabled', 'row_security_not_forced', 'policy_altered', 'policy_missing',
		'permission_undefined', 'policy_disagreement', 'parent_unprotected', 'parent_disagreement', 'partition_unprotected',
		'partition_disagreement', 'ancestor_unprotected', 'table_unprotected', 'child_unprotected')
	UNION SELECT oid FROM pg_class WHERE relkind = 'f';
-- the tables on which the protection of a table depends: relatives by inheritance, and parents by policy
CREATE TABLE kin AS
	WITH RECURSIVE below (relation, heir) AS (
		SELECT oid, oid FROM pg_class WHERE relnamespace::regnamespace::text ~ '^s\d' AND relkind IN ('r', 'p', 'f')
		UNION SELECT relation, inhrelid FROM below JOIN pg_inherits ON inhparent = heir
	), family (relation, other) AS (
		SELECT relation, heir FROM below UNION SELECT heir, relation FROM below
	), reached (relation, other) AS (
		SELECT relation, other FROM family
		UNION
		SELECT r.relation, f.other
		FROM reached r JOIN listed l ON l.relation = r.relation AND l.workspace_column IS NULL AND r.relation = r.other
			JOIN family f ON f.relation = l.parent
	) SELECT * FROM reached;
-- and the parents' parents
CREATE TABLE depends AS
	WITH RECURSIVE up (relation, ancestor) AS (
		SELECT relation, relation FROM listed
		UNION SELECT u.relation, l.parent FROM up u JOIN listed l ON l.relation = u.ancestor
		WHERE l.workspace_column IS NULL AND l.parent IS NOT NULL
	) SELECT DISTINCT u.relation::oid, k.other FROM up u JOIN kin k ON k.relation = u.ancestor;
END

# compares two answers: a query for the differences, of which there must be none
sub agree
{
	my ($name, $total, $differences) = @_;
	my $number = $root->query($total);
	my $found = $root->query($differences);

	cmp_ok($number, '>', 0, "$name: $number");
	is($found, '', $name) or diag(join "\n", grep { defined } (split /\n/, $found)[ 0 .. 9 ]);
	return;
}

agree('tables that are enforced, of which the linter finds nothing that breaks it', 'SELECT count(*) FROM listed WHERE enforced',
	'SELECT l.relation, b.relation::regclass FROM listed l JOIN depends d USING (relation) JOIN broken b ON b.relation = d.other WHERE enforced');
agree('tables that are not, of which it does', 'SELECT count(*) FROM listed WHERE NOT enforced',
	'SELECT l.relation FROM listed l WHERE NOT enforced AND NOT EXISTS (
		SELECT FROM depends d JOIN broken b ON b.relation = d.other WHERE d.relation = l.relation)');
agree('statements for what is protected, by the linter and by the plan',
	q{SELECT count(*) FROM found f JOIN planned p USING (relation) WHERE f.remedy ~ 'cnap_protect' AND p.statement IS NOT NULL
		AND f.rule !~ '^(table|child)_unprotected$'},
	q{SELECT f.rule, f.object, f.remedy, p.statement FROM found f JOIN planned p USING (relation)
		WHERE f.remedy ~ 'cnap_protect' AND f.rule ~ '^(policy|permission|parent)' AND f.remedy <> p.statement});
agree('tables for which the linter has a statement, and the plan as well',
	q{SELECT count(DISTINCT relation) FROM found JOIN planned USING (relation) WHERE remedy ~ 'cnap_protect'},
	q{SELECT f.rule, f.object, f.remedy, p.reason FROM found f JOIN planned p USING (relation)
		WHERE f.remedy ~ 'cnap_protect' AND p.statement IS NULL});
agree('tables for which the plan has a statement, and the linter a finding',
	'SELECT count(*) FROM planned WHERE statement IS NOT NULL',
	q{SELECT p.relation, p.statement FROM planned p WHERE p.statement IS NOT NULL AND NOT EXISTS (
		SELECT FROM kin JOIN found f ON f.relation = kin.other WHERE kin.relation = p.relation AND f.rule ~ '_unprotected$|^p|^row_|^column_type')});

# ---- what they offer ----

# whether it is accepted, by itself, in the order in which it is offered
agree('statements of the linter are accepted', q{SELECT count(DISTINCT remedy) FROM found WHERE remedy ~ 'cnap_protect'}, <<'END');
BEGIN;
SELECT object, outcome, remedy
FROM (SELECT n, object, remedy, attempt(remedy) AS outcome FROM (SELECT * FROM found WHERE remedy ~ 'cnap_protect|ROW LEVEL' ORDER BY n) f) a
WHERE outcome <> 'done' ORDER BY n;
CREATE TEMP TABLE left_over AS SELECT rule, object FROM cnap_lint();
END
agree('and close what they are for', 'SELECT count(*) FROM left_over', <<'END');
SELECT f.rule, f.object, f.remedy FROM found f JOIN left_over l USING (rule, object) WHERE f.remedy ~ 'cnap_protect|ROW LEVEL';
END
$root->query('ROLLBACK');
agree('the plan is executed', 'SELECT count(*) FROM planned WHERE statement IS NOT NULL', <<'END');
BEGIN;
SELECT nspname, outcome
FROM (SELECT nspname, attempt(format('SELECT cnap_protect_schema(%L, true)', nspname)) AS outcome
	FROM pg_namespace WHERE nspname ~ '^s\d' ORDER BY nspname) e
WHERE outcome <> 'done';
CREATE TEMP TABLE afterwards AS SELECT * FROM cnap_protected_tables();
END
agree('and protects', 'SELECT count(*) FROM afterwards WHERE enforced', <<'END');
SELECT p.relation, p.statement FROM planned p LEFT JOIN afterwards a USING (relation)
WHERE p.statement IS NOT NULL AND a.enforced IS NOT TRUE;
END
$root->query('ROLLBACK');

$root->quit;
$node->stop;
done_testing();
