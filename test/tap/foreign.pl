# A foreign partition that is added to a protected table: what the policies of that do for its rows,
# and what the linter says
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapModel;
use CnapTest;
use Test::More;

my $node = new_node('main', '');
populate($node, 'postgres');

plan skip_all => 'postgres_fdw is not installed'
  unless $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'});

my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', <<"END");
CREATE EXTENSION postgres_fdw;
CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER itself OPTIONS (user 'postgres', password_required 'false');
CREATE SCHEMA archive;
CREATE TABLE archive.event (workspace_id uuid, year integer);
INSERT INTO archive.event VALUES ('$W1', 2020), ('$W2', 2020);
CREATE TABLE app.event (workspace_id uuid, year integer) PARTITION BY LIST (year);
CREATE INDEX ON app.event (workspace_id);
CREATE TABLE app.event_2021 PARTITION OF app.event FOR VALUES IN (2021);
SELECT cnap_protect('app.event');
GRANT USAGE ON SCHEMA app TO cnap_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.event TO cnap_app;
INSERT INTO app.event VALUES ('$W1', 2021), ('$W2', 2021);
END

# One that can be written to is refused, however it is added; one that cannot is none of our business.
my $columns = '(workspace_id uuid, year integer)';
my $options = "SERVER itself OPTIONS (schema_name 'archive', table_name 'event'";
my $part = 'PARTITION OF app.event FOR VALUES IN (2020)';
foreach my $sql (
	"CREATE FOREIGN TABLE app.event_2020 $part $options)",
	"CREATE FOREIGN TABLE app.event_2020 $part $options, updatable 'true')",
	"CREATE FOREIGN TABLE app.event_2020 $columns $options); ALTER TABLE app.event ATTACH PARTITION app.event_2020 FOR VALUES IN (2020)",
	"CREATE TABLE app.plain $columns; SELECT cnap_protect('app.plain'); CREATE FOREIGN TABLE app.event_2020 () INHERITS (app.plain) $options)")
{
	my (undef, undef, $error) = $node->psql('postgres', "BEGIN; $sql");
	like($error, qr/less protected.*rows that are written to the foreign table "event_2020"/s, "refused: $sql");
}
foreach my $sql ("CREATE FOREIGN TABLE app.event_2020 $part $options, updatable 'false')",
	"CREATE FOREIGN TABLE app.event_2020 $columns $options); CREATE TABLE app.other $columns PARTITION BY LIST (year); "
	. 'ALTER TABLE app.other ATTACH PARTITION app.event_2020 FOR VALUES IN (2020)')
{
	is($node->psql('postgres', "BEGIN; $sql; ROLLBACK"), 0, "accepted: $sql");
}
$node->safe_psql('postgres', "SET cnap.guard = off; CREATE FOREIGN TABLE app.event_2020 $part $options)");

# The findings about its hierarchy, and the statements that close them.
sub findings
{
	return $node->safe_psql('postgres', q{SELECT rule, remedy FROM cnap_lint() WHERE object ~ '^app\.event' AND severity <> 'notice' ORDER BY 1});
}

is(act_as($node, 'postgres', 'carol', 'SELECT workspace_id, year FROM app.event ORDER BY year'), "$W1|2020\n$W1|2021",
	'a query of the protected table shows the visible rows of the foreign one');
is(refused_as($node, 'postgres', 'carol', "INSERT INTO app.event VALUES ('$W2', 2020)"), 'not at all',
	'but PostgreSQL does not check what is written to that');
is(findings(), "foreign_partition|ALTER FOREIGN TABLE app.event_2020 OPTIONS (ADD updatable 'false');",
	'the linter says that it can be written');
$node->safe_psql('postgres', q{SET cnap.guard = off; ALTER FOREIGN TABLE app.event_2020 OPTIONS (ADD updatable 'true')});
is(findings(), "foreign_partition|ALTER FOREIGN TABLE app.event_2020 OPTIONS (SET updatable 'false');", 'also if that is explicit');

$node->safe_psql('postgres', (split /\|/, findings())[1]);
is(findings(), '', 'which its remedy ends');
foreach my $sql (q{SET updatable 'true'}, 'DROP updatable')
{
	my (undef, undef, $error) = $node->psql('postgres', "ALTER FOREIGN TABLE app.event_2020 OPTIONS ($sql)");
	like($error, qr/"event" is protected.*rows that are written to the foreign table "event_2020"/s, "refused: $sql");
}
foreach my $sql (q{OPTIONS (ADD fetch_size '50')}, q{ALTER year SET NOT NULL}, 'RENAME TO event_old', 'SET SCHEMA archive')
{
	is($node->psql('postgres', "BEGIN; ALTER FOREIGN TABLE app.event_2020 $sql; ROLLBACK"), 0, "accepted: $sql");
}
foreach my $sql ("INSERT INTO app.event VALUES ('$W2', 2020)", "UPDATE app.event SET workspace_id = '$W2'",
	'DELETE FROM app.event')
{
	is(refused_as($node, 'postgres', 'carol', $sql), '55000', "refused: $sql");
}
is(act_as($node, 'postgres', 'carol', 'SELECT workspace_id, year FROM app.event ORDER BY year'), "$W1|2020\n$W1|2021",
	'and its rows can still be read');

# ---- a foreign table that reads the same database in somebody else's name ----

my $loopback = q{SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'foreign_loopback'};

$node->safe_psql('postgres', q{
	CREATE SCHEMA far;
	CREATE FOREIGN TABLE far.deployment (id int, note text) SERVER itself OPTIONS (schema_name 'app');
	CREATE FOREIGN TABLE far.other (id int, note text) SERVER itself OPTIONS (schema_name 'app', table_name 'no_such_table')});
is($node->safe_psql('postgres', $loopback), '', 'a foreign table that only its owner can read');
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA far TO cnap_app; GRANT SELECT ON far.deployment, far.other TO cnap_app');
is(act_as($node, 'postgres', 'carol', 'SELECT count(*) FROM far.deployment'), '3', 'shows others everything');
is($node->safe_psql('postgres', $loopback),
	'far.deployment|appears to read app.deployment as the user of a user mapping, whose rows other roles see'
	  . '|REVOKE SELECT ON TABLE far.deployment FROM cnap_app CASCADE;', 'the linter says so');
$node->safe_psql('postgres', (split /\|/, $node->safe_psql('postgres', $loopback))[2]);
is($node->safe_psql('postgres', $loopback), '', 'which its remedy ends');

$node->stop;
done_testing();
