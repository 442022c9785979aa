#
# attack_owner.pl: an ordinary owner of tables, whose code is to be executed by a superuser
#
# mallory owns a schema. Whatever can hold code in her tables calls a function of hers, which raises
# an error if a superuser executes it. A superuser then calls the linter, executes all its remedies,
# protects her tables in every way, and unprotects them.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use Test::More;

my $node = new_node('main', '');
my $setup = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE mallory LOGIN',
	'CREATE SCHEMA own AUTHORIZATION mallory');
my $mallory = connect_to($node, 'mallory',
	'SET search_path = own',
	# calls with constants alone are evaluated by the planner, and wherever PostgreSQL simplifies an
	# expression
	q{CREATE FUNCTION trap(place text, value int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
		BEGIN
			IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
				RAISE EXCEPTION 'executed as a superuser: %', place;
			END IF;
			RETURN value;
		END$$},
	q{CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM own.trap(TG_NAME, 1); RETURN coalesce(NEW, OLD); END$$},
	q{CREATE FUNCTION typed(text) RETURNS boolean LANGUAGE sql AS $$SELECT own.trap('type', 1) = 1$$},
	q{CREATE FUNCTION typed(uuid) RETURNS boolean LANGUAGE sql AS $$SELECT own.trap('type', 1) = 1$$},
	q{CREATE DOMAIN word AS text DEFAULT own.trap('domain default', 1)::text CHECK (own.trap('domain', 1) = 1)});

# The columns, constraints and so on of a table, and what is created for it
my $columns = q{word word, defaulted int DEFAULT trap('default', 1), CHECK (trap('check', 1) = 1), CHECK (trap('check of a row', defaulted) = 1)};
my $generated = q{, generated int GENERATED ALWAYS AS (trap('generated', 1)) STORED};

sub arm
{
	my ($table, $column) = @_;

	return (
		"CREATE INDEX ON $table (trap('index', $column))",
		"CREATE INDEX ON $table ($column) WHERE trap('predicate', 1) = 1",
		"CREATE STATISTICS of_$table ON (trap('statistics', $column)), $column FROM $table",
		"CREATE POLICY open ON $table USING (trap('policy', 1) = 1) WITH CHECK (trap('policy', 1) = 1)",
		"CREATE RULE rewritten AS ON UPDATE TO $table DO ALSO SELECT trap('rule', 1)",
		"CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON $table FOR EACH ROW EXECUTE FUNCTION fires()",
		"CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON $table FOR EACH ROW EXECUTE FUNCTION fires()",
		"CREATE TRIGGER before_all BEFORE UPDATE ON $table FOR EACH STATEMENT EXECUTE FUNCTION fires()",
		"CREATE TRIGGER after_all AFTER UPDATE ON $table FOR EACH STATEMENT EXECUTE FUNCTION fires()",
		"CREATE CONSTRAINT TRIGGER at_last AFTER UPDATE ON $table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fires()");
}

$mallory->query($_) foreach (
	"CREATE TABLE project (id int PRIMARY KEY, workspace_id uuid NOT NULL, $columns $generated)",
	"CREATE TABLE task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES project, $columns $generated)",
	"CREATE TABLE event (id int, project_id int NOT NULL REFERENCES project, $columns) PARTITION BY RANGE ((id + trap('partition', 1)))",
	'CREATE TABLE event_1 PARTITION OF event DEFAULT',
	"CREATE TABLE log (id int, workspace_id uuid NOT NULL, $columns) PARTITION BY RANGE ((id + trap('partition', 1)))",
	'CREATE TABLE log_1 PARTITION OF log DEFAULT',
	# a key whose check converts the value
	q{CREATE TYPE number AS ENUM ('1')},
	q{CREATE FUNCTION to_int(number) RETURNS int LANGUAGE sql AS $$SELECT own.trap('cast', 1)$$},
	'CREATE CAST (number AS int) WITH FUNCTION to_int AS IMPLICIT',
	"CREATE TABLE cast_task (id int PRIMARY KEY, project_id number NOT NULL REFERENCES project, $columns)",
	'CREATE TABLE note (id int PRIMARY KEY, workspace_id text CHECK (typed(workspace_id)))',
	'CREATE VIEW shown AS SELECT * FROM project WHERE trap(word, 1) = 1',
	(map { arm($_, 'id') } qw(project task cast_task)),
	(map { arm($_, 'id') } qw(log event)),
	"INSERT INTO project SELECT n, gen_random_uuid(), 'x' FROM generate_series(1, 3) n",
	"INSERT INTO task SELECT n, n, 'x' FROM generate_series(1, 3) n",
	"INSERT INTO event SELECT n, n, 'x' FROM generate_series(1, 3) n",
	"INSERT INTO log SELECT n, gen_random_uuid(), 'x' FROM generate_series(1, 3) n",
	"INSERT INTO cast_task VALUES (1, '1', 'x')",
	'INSERT INTO note SELECT 1, gen_random_uuid()');

# It is a trap.
refused_by_trap($_) foreach ('SELECT FROM own.project', q{UPDATE own.task SET word = 'y'},
	'ALTER TABLE own.note ALTER workspace_id TYPE uuid USING workspace_id::uuid');

sub refused_by_trap
{
	my ($sql) = @_;
	my $session = connect_to($node, undef);

	$session->attempt($sql);
	like($session->{error}, qr/executed as a superuser/, "a superuser would be caught by $sql");
	$session->quit;
	return;
}

# safe(STATEMENT...): a superuser can execute it, in a session that has cached nothing
sub safe
{
	foreach my $sql (@_)
	{
		my $session = connect_to($node, undef);
		my $answer = $session->attempt($sql);

		is($session->{error}, '', "as a superuser: $sql");
		$session->quit;
		return $answer if @_ == 1;
	}
	return;
}

safe('SELECT * FROM cnap_lint()', 'SELECT * FROM cnap_protected_tables()',
	q{SELECT * FROM cnap_protect_schema('own')}, q{SELECT * FROM cnap_protect_schema('own', child_column => 'ws')});

# ---- the remedies ----

my $remedies = q{SELECT remedy FROM cnap_lint() WHERE severity <> 'notice' AND remedy IS NOT NULL};
my %done;

for (my $round = 1; $round <= 5; $round++)
{
	my @remedies = grep { !$done{$_}++ } split /\n/, $setup->query($remedies);

	last if !@remedies;
	cmp_ok($round, '<', 5, 'the remedies come to an end');
	safe($_) foreach @remedies;
}
cmp_ok(scalar keys %done, '>', 3, 'there were some');
is($setup->query($remedies), '', 'and close what they were for');
is($setup->query(q{SELECT object, rule FROM cnap_lint() WHERE severity = 'error'}), '', 'every error is closed');

# ---- protecting and unprotecting ----

safe(q{SELECT * FROM cnap_unprotect_schema('own', true)},
	q{SELECT cnap_protect('own.project')}, q{SELECT cnap_protect('own.log')},
	q{SELECT cnap_protect_child('own.task', 'project_id')}, q{SELECT cnap_protect_child('own.event', 'project_id')},
	q{SELECT cnap_unprotect('own.task')}, q{SELECT cnap_unprotect('own.event')},
	q{SELECT cnap_protect_child('own.task', 'project_id', 'ws')}, q{SELECT cnap_protect_child('own.event', 'project_id', 'ws')},
	q{SELECT cnap_protect_child('own.cast_task', 'project_id', 'ws')},
	q{SELECT cnap_protect('own.project', write_permission => 'administer')},
	q{SELECT cnap_unprotect('own.task')}, q{SELECT cnap_unprotect('own.event')}, q{SELECT cnap_unprotect('own.cast_task')},
	q{SELECT cnap_unprotect('own.log')},
	q{SELECT * FROM cnap_protect_schema('own', true, child_column => 'workspace')},
	q{SELECT * FROM cnap_lint()}, q{SELECT * FROM cnap_protected_tables()},
	q{SELECT * FROM cnap_unprotect_schema('own', true)});

$node->stop;
done_testing();
