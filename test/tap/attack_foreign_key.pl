#
# attack_foreign_key.pl: foreign keys to the extension's tables whose check would execute a function
# of the attacker's as the owner of these tables
#
# The attacker is an application server's role, which has the privilege REFERENCES, owns a type with
# a cast to the type of the key, and tries every command that creates a foreign key or changes the
# type of its columns, each in a session that has not loaded the library.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

my $node = new_world('main', '');
my $admin = connect_to($node, undef,
	'CREATE SCHEMA own AUTHORIZATION cnap_app',
	'GRANT CREATE ON DATABASE postgres TO cnap_app',
	'CREATE FOREIGN DATA WRAPPER far',
	'CREATE SERVER far FOREIGN DATA WRAPPER far',
	'GRANT USAGE ON FOREIGN SERVER far TO cnap_app',
	'GRANT SET ON PARAMETER session_replication_role TO cnap_app');
my $version = major_version($node);

# A type whose cast makes the attacker a superuser, if a superuser executes it
sub trojan
{
	my ($type, $target) = @_;

	return (
		"CREATE TYPE own.$type AS (x text)",
		"CREATE FUNCTION own.open(own.$type) RETURNS $target LANGUAGE plpgsql AS \$\$
			BEGIN
				IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
					ALTER ROLE cnap_app SUPERUSER;
				END IF;
				RETURN (\$1).x::$target;
			END\$\$",
		"CREATE FUNCTION own.$type($target) RETURNS own.$type LANGUAGE sql AS 'SELECT ROW(\$1::text)::own.$type'",
		"CREATE CAST (own.$type AS $target) WITH FUNCTION own.open(own.$type) AS IMPLICIT",
		"CREATE CAST ($target AS own.$type) WITH FUNCTION own.$type($target) AS ASSIGNMENT");
}

# What a session has done before does not load the library for the next one.
my $builder = connect_to($node, 'cnap_app', trojan('trojan', 'uuid'), trojan('word', 'text'),
	'CREATE DOMAIN own.masked AS own.trojan',
	'CREATE DOMAIN own.twice AS own.masked',
	'CREATE DOMAIN own.plain AS uuid',
	'CREATE TYPE own.row AS (ws own.trojan)',
	'CREATE TABLE own.source (ws own.trojan)',
	'CREATE TABLE own.parts (ws own.trojan, n int) PARTITION BY LIST (n)',
	'CREATE TABLE own.bare (ws own.trojan)');

# A type without a cast function, which its owner could exchange for one with it
$admin->query($_) foreach (
	'CREATE TYPE own.alike',
	q{CREATE FUNCTION own.alike_in(cstring) RETURNS own.alike LANGUAGE internal IMMUTABLE STRICT AS 'uuid_in'},
	q{CREATE FUNCTION own.alike_out(own.alike) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'uuid_out'},
	'CREATE TYPE own.alike (INPUT = own.alike_in, OUTPUT = own.alike_out, INTERNALLENGTH = 16, ALIGNMENT = char)',
	'CREATE CAST (own.alike AS uuid) WITHOUT FUNCTION AS IMPLICIT',
	'ALTER TYPE own.alike OWNER TO cnap_app');

my $key = 'FOREIGN KEY (ws) REFERENCES cnap.workspace';
my @attempts = (
	'CREATE TABLE' => [], "CREATE TABLE own.t (ws own.trojan REFERENCES cnap.workspace)",
	'of an organization' => [], 'CREATE TABLE own.t (ws own.trojan REFERENCES cnap.organization)',
	'of its slug' => [], 'CREATE TABLE own.t (ws own.word REFERENCES cnap.organization (slug))',
	'with a built-in cast' => [], 'CREATE TABLE own.t (ws name REFERENCES cnap.organization (slug))',
	'with a domain' => [], 'CREATE TABLE own.t (ws own.twice REFERENCES cnap.workspace)',
	'with a cast that calls no function' => [], 'CREATE TABLE own.t (ws own.alike REFERENCES cnap.workspace)',
	'DEFERRABLE' => [], 'CREATE TABLE own.t (ws own.trojan REFERENCES cnap.workspace DEFERRABLE INITIALLY DEFERRED)',
	'LIKE' => [], "CREATE TABLE own.t (LIKE own.source, $key)",
	'INHERITS' => [], "CREATE TABLE own.t ($key) INHERITS (own.source)",
	'OF' => [], 'CREATE TABLE own.t OF own.row (ws WITH OPTIONS REFERENCES cnap.workspace)',
	'PARTITION OF' => [], "CREATE TABLE own.t PARTITION OF own.parts ($key) DEFAULT",
	'a partitioned table' => [], "CREATE TABLE own.t (ws own.trojan, n int, $key) PARTITION BY LIST (n)",
	'CREATE SCHEMA' => [], 'CREATE SCHEMA more CREATE TABLE t (ws own.trojan REFERENCES cnap.workspace)',
	'ALTER TABLE ADD' => [], "ALTER TABLE own.bare ADD $key",
	'NOT VALID' => [], "ALTER TABLE own.bare ADD $key NOT VALID",
	'ADD COLUMN' => [], 'ALTER TABLE own.bare ADD ws2 own.trojan REFERENCES cnap.workspace',
	'ALTER COLUMN TYPE' =>
	  ["CREATE TABLE own.t (ws uuid, $key)"], 'ALTER TABLE own.t ALTER ws TYPE own.trojan',
	'to a domain' =>
	  ["CREATE TABLE own.t (ws uuid, $key)"], 'ALTER TABLE own.t ALTER ws TYPE own.masked',
	'from a domain' =>
	  ["CREATE TABLE own.t (ws own.plain, $key)"], 'ALTER TABLE own.t ALTER ws TYPE own.trojan',
	'of a parent' =>
	  [ 'CREATE TABLE own.top (ws uuid)', "CREATE TABLE own.t ($key) INHERITS (own.top)" ],
	'ALTER TABLE own.top ALTER ws TYPE own.trojan',
	'of a partitioned table' =>
	  [ "CREATE TABLE own.t (ws uuid, n int, $key) PARTITION BY LIST (n)", 'CREATE TABLE own.t_1 PARTITION OF own.t DEFAULT' ],
	'ALTER TABLE own.t ALTER ws TYPE own.trojan',
	'of a partition with the key' =>
	  [ "CREATE TABLE own.t (ws uuid, n int) PARTITION BY LIST (n)", "CREATE TABLE own.t_1 PARTITION OF own.t ($key) DEFAULT" ],
	'ALTER TABLE own.t ALTER ws TYPE own.trojan',
	'of an attached partition' =>
	  [ "CREATE TABLE own.t (ws uuid, n int) PARTITION BY LIST (n)", "CREATE TABLE own.t_1 (ws uuid, n int, $key)",
		'ALTER TABLE own.t ATTACH PARTITION own.t_1 DEFAULT' ],
	'ALTER TABLE own.t ALTER ws TYPE own.trojan',
	'of a parent that inherits' =>
	  [ "CREATE TABLE own.t (ws uuid, $key)", 'CREATE TABLE own.top (ws uuid)', 'ALTER TABLE own.t INHERIT own.top' ],
	'ALTER TABLE own.top ALTER ws TYPE own.trojan',
	'ALTER TYPE ... CASCADE' =>
	  [ 'CREATE TYPE own.row2 AS (ws uuid)', 'CREATE TABLE own.t OF own.row2 (ws WITH OPTIONS REFERENCES cnap.workspace)' ],
	'ALTER TYPE own.row2 ALTER ATTRIBUTE ws TYPE own.trojan CASCADE',
	'ALTER TYPE after OF' =>
	  [ 'CREATE TYPE own.row2 AS (ws uuid)', "CREATE TABLE own.t (ws uuid, $key)", 'ALTER TABLE own.t OF own.row2' ],
	'ALTER TYPE own.row2 ALTER ATTRIBUTE ws TYPE own.trojan CASCADE',
	'ALTER FOREIGN TABLE' =>
	  [ 'CREATE FOREIGN TABLE own.top (ws uuid) SERVER far', "CREATE TABLE own.t ($key) INHERITS (own.top)" ],
	'ALTER FOREIGN TABLE own.top ALTER ws TYPE own.trojan',
	'of one table alone' =>
	  ["CREATE TABLE own.t (ws uuid, $key)"],
	'ALTER TABLE ONLY own.t ALTER ws TYPE own.trojan',
	'a DO block' => [], 'DO $$BEGIN CREATE TABLE own.t (ws own.trojan REFERENCES cnap.workspace); END$$',
	'a DO block of one that alters a type' =>
	  [ 'CREATE TYPE own.row2 AS (ws uuid)', 'CREATE TABLE own.t OF own.row2 (ws WITH OPTIONS REFERENCES cnap.workspace)' ],
	q{DO $$BEGIN EXECUTE 'ALTER TYPE own.row2 ALTER ATTRIBUTE ws TYPE own.trojan CASCADE'; END$$},
	'a function' =>
	  [ q{CREATE FUNCTION own.make() RETURNS void LANGUAGE sql
		AS 'CREATE TABLE own.t (ws own.trojan REFERENCES cnap.workspace)'} ],
	'SELECT own.make()');

# NOT ENFORCED came with PostgreSQL 18: the key exists without its triggers, and gets them later.
push @attempts, 'NOT ENFORCED' => [], "ALTER TABLE own.bare ADD $key NOT ENFORCED" if $version >= 18;

while (my ($attempt, $before, $statement) = splice @attempts, 0, 3)
{
	foreach my $mode ('origin', 'replica')
	{
		my $session = connect_to($node, 'cnap_app', "SET session_replication_role = $mode");

		$builder->query($_) foreach @$before;

		# PostgreSQL 18 refuses by itself what has no collation and refers to what has one
		my $uncollatable = $attempt eq 'of its slug' && $version >= 18;
		refused($session, "$mode: $attempt", $statement, $uncollatable ? 'XX000' : '42804');
		$session->quit;
		$builder->attempt("DROP $_ CASCADE")
		  foreach 'TABLE own.t', 'TABLE own.top', 'FOREIGN TABLE own.top', 'TYPE own.row2', 'FUNCTION own.make';
	}
}

# ---- what is not refused ----

$builder->query($_) foreach (
	"CREATE TABLE own.direct (ws uuid, $key)",
	"CREATE TABLE own.domain (ws own.plain, $key)",
	'CREATE TABLE own.slug (ws varchar REFERENCES cnap.organization (slug))');
$admin->query("UPDATE cnap.organization SET slug = 'acme'");
is($builder->attempt("INSERT INTO own.$_ RETURNING ws"), (split / /)[-1] =~ tr/')(//dr, "accepted: $_")
  foreach ("direct VALUES ('$W1')", "domain VALUES ('$W1')", "slug VALUES ('acme')");
is(($builder->attempt("INSERT INTO own.domain VALUES ('$ACME')"), $builder->{sqlstate})[1], '23503', 'and checked');

# Keys between other tables are nobody's business here.
$builder->query($_) foreach ('CREATE TABLE own.parent (id uuid PRIMARY KEY)',
	'CREATE TABLE own.other (id own.trojan REFERENCES own.parent)', 'DROP TABLE own.other');

# Without the library, a command that does not need it still loads it.
is($admin->query(q{SELECT count(*) FROM pg_event_trigger WHERE evtname = 'cnap_guard' AND evttags IS NULL
	AND evtenabled = 'A' AND evtevent = 'ddl_command_start'}), '1', 'the event trigger lists no commands, and fires always');

# ---- if a superuser has turned the guard off, the linter finds the key ----

my $found = q{SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'foreign_key_cast' ORDER BY object};

is($admin->query($found), '', 'no such key has come about');
# each of them loads the library
$admin->query("ALTER EVENT TRIGGER $_ DISABLE") foreach qw(cnap_guard cnap_ddl_start cnap_ddl_end);
my $careless = connect_to($node, 'cnap_app');
$careless->query($_) foreach ("CREATE TABLE own.t (ws own.masked, n int, $key) PARTITION BY LIST (n)",
	'CREATE TABLE own.t_1 PARTITION OF own.t DEFAULT',
	'CREATE TABLE own."Bin" (ws own.alike REFERENCES cnap.workspace)',
	'CREATE TABLE own.name (ws name REFERENCES cnap.organization (slug))');
$admin->query("ALTER EVENT TRIGGER $_ ENABLE ALWAYS") foreach qw(cnap_guard cnap_ddl_start cnap_ddl_end);
is($admin->query($found), <<'END' =~ s/\n\z//r, 'such keys are found');
own."Bin"|foreign key "Bin_ws_fkey" converts column ws from own.alike to uuid, with a cast that is executed as the owner of cnap.workspace|ALTER TABLE own."Bin" DROP CONSTRAINT "Bin_ws_fkey";
own.name|foreign key name_ws_fkey converts column ws from name to text, with a cast that is executed as the owner of cnap.organization|ALTER TABLE own.name DROP CONSTRAINT name_ws_fkey;
own.t|foreign key t_ws_fkey converts column ws from own.masked to uuid, with a cast that is executed as the owner of cnap.workspace|ALTER TABLE own.t DROP CONSTRAINT t_ws_fkey;
END
$admin->query($_) foreach split /\n/, $admin->query(q{SELECT remedy FROM cnap_lint() WHERE rule = 'foreign_key_cast'});
is($admin->query($found), '', 'and their remedies drop them');
is($admin->query(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'cnap_app'}), 'f', 'the attacker is no superuser');

$node->stop;
done_testing();
