#
# arguments.pl: every function with random arguments, good and bad
#
# Each call is one of the functions that somebody can execute, with arguments from a pool of values
# for their types, as one of several roles and users; its effect is undone. It may fail with the
# SQLSTATEs alone that the reference lists for it, and with those that any function may raise. No call
# may end the server or be an internal error.
#
#   CNAP_ROUNDS  number of calls, in thousands
#   CNAP_SEED    seed of the random numbers, to repeat a run
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{CNAP_ROUNDS} // 2;
my $seed = $ENV{CNAP_SEED} // time;

# ---- what is documented ----

my %documented;
foreach my $line (split /\n/, slurp_file("$FindBin::RealBin/../../doc/reference.md"))
{
	my ($name, $cells) = $line =~ /^\| `(cnap_\w+)\(.*?`( \|.*)$/ or next;
	my ($errors) = $cells =~ /\|([^|]*)\|$/;

	$documented{$name}{$_} = 1 foreach $errors =~ /\b(\d[\dA-Z]{4})\b/g;
}
cmp_ok(scalar keys %documented, '>', 50, 'the reference lists functions');

# Any function: a role without EXECUTE, a null or invalid argument where the reference says so
my $left = 'SELECT count(*), (SELECT count(*) FROM cnap.organization), (SELECT count(*) FROM cnap.audit_log) FROM cnap.workspace';
my %general = map { $_ => 1 } qw(42501 22023);

# ---- the values ----

my %pool = (
	text => [ 'NULL', "''", "' '", "'gina'", "'ann'", "'carol'", "'mia'", "'nobody'", "'Ann'", "repeat('x', 255)", "repeat('x', 256)",
		"repeat('x', 70000)", "U&'a\\202Eb'", "E'a\\001b'", "E'a\\nb'", "'member'", "'admin'", "'owner'", "'access'", "'administer'",
		"'billing'", "'all'", "'links'", "'anyone'", "'%s%n'", "'{}'", "'null'", "'\$1'", "'a''b'", "'ä'", "'https://x.example/l.png'",
		"'https://u\@x.example'", "'javascript:x'", "'a\@b.example'", "'a-b'", "'A'", "'cnap_pat_x'", "'cnap_pat_' || repeat('a', 43)",
		"'deploy'", "'auditor'", "'1/2\@0/1'", "'table_unprotected'", "'app.deployment'", "'$W1'", "chr(1114111)", "repeat('é', 130)" ],
	uuid => [ 'NULL', "'$W1'", "'$W2'", "'$W3'", "'$ACME'", "'00000000-0000-0000-0000-000000000000'",
		"'ffffffff-ffff-ffff-ffff-ffffffffffff'", 'gen_random_uuid()', '(SELECT id FROM test.ids ORDER BY random() LIMIT 1)' ],
	boolean => [ 'NULL', 'true', 'false' ],
	integer => [ 'NULL', '0', '1', '-1', '2147483647', '-2147483648', '50' ],
	bigint => [ 'NULL', '0', '1', '-1', '9223372036854775807', '-9223372036854775808' ],
	interval => [ 'NULL', "'0'", "'1 day'", "'-1 day'", "'1 microsecond'", "'178000000 years'", "'-178000000 years'", "'1 mon -1 day'",
		"'2147483647 days'", "'1000 years'", "'1001 years'" ],
	'timestamp with time zone' => [ 'NULL', "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59'", 'now()',
		"now() + interval '1 hour'", "now() - interval '1 hour'" ],
	regclass => [ 'NULL', '0', '4294967295', "'app.deployment'", "'app.task'", "'app.seen'", "'app.parted'", "'app.part'", "'cnap.workspace'",
		"'cnap.audit_log'", "'pg_class'", "'pg_authid'", "'app.deployment_pkey'", "'app.counter'", "'app.copied'", "'information_schema.tables'",
		'(SELECT reltoastrelid FROM pg_class WHERE relname = \'deployment\')' ],
	regrole => [ 'NULL', '0', '4294967295', "'cnap_app'", "'plain'", "'bypass'", "'pg_monitor'", 'current_user::regrole' ],
	name => [ 'NULL', "''", "'workspace_id'", "'deployment_id'", "'id'", "'note'", "'nope'", "'app'", "'public'", "'cnap'", "'pg_catalog'",
		"'pg_toast'", "repeat('x', 63)", "'Odd \"name'", "'ctid'", "'xmin'", "'tableoid'" ],
	jsonb => [ 'NULL', "'{}'", "'[]'", "'1'", "'null'", "'{\"a\": 1}'", "jsonb_build_object('a', repeat('x', 70000))",
		"(repeat('[', 5000) || repeat(']', 5000))::jsonb" ],
	'text[]' => [ 'NULL', "'{}'", "'{access}'", "'{administer,billing}'", "'{NULL}'", "'{{access},{administer}}'", "'[5:6]={access,administer}'",
		"'{access,access}'", "'{auditor}'", "'{owner}'", "array_fill('access'::text, '{2000}')", "'{\"\"}'" ],
	'uuid[]' => [ 'NULL', "'{}'", "'{$W1}'", "'{$W1,$W2}'", "'{NULL}'", "'{{$W1}}'", "array_fill('$W1'::uuid, '{2000}')" ],
	'"char"' => [ 'NULL', "'r'", "''", "'\\377'" ],
	oid => [ 'NULL', '0', '4294967295', "'app.deployment'::regclass::oid", "'pg_class'::regclass::oid" ],
	regnamespace => [ 'NULL', '0', '4294967295', "'app'", "'pg_catalog'" ],
	'name[]' => [ 'NULL', "'{}'", "'{workspace_id}'", "'{workspace_id,id}'", "'{NULL}'", "'{\"\"}'", "'{nope}'" ],
	'regclass[]' => [ 'NULL', "'{}'", "'{app.task}'", "'{0}'", "'{4294967295}'", "'{pg_class,NULL}'" ],
	'regrole[]' => [ 'NULL', "'{}'", "'{cnap_app}'", "'{0}'" ],
	'bigint[]' => [ 'NULL', "'{}'", "'{1}'" ],
	'cnap.user_id' => [ 'NULL', "'gina'" ]);

# ---- a server ----

my $node = new_node('arguments', '', allows_streaming => 'logical');
populate($node, 'postgres');
$node->safe_psql('postgres', qq{
	CREATE ROLE plain LOGIN;
	CREATE ROLE owner LOGIN;
	CREATE ROLE bypass BYPASSRLS;
	ALTER ROLE cnap_app LOGIN;
	SELECT cnap_define_role('auditor', permissions => '{administer}'), cnap_define_permission('deploy', roles => '{auditor}');
	GRANT USAGE, CREATE ON SCHEMA app TO owner;
	ALTER TABLE app.deployment OWNER TO owner;
	SET ROLE owner;
	CREATE TABLE app.task (id int PRIMARY KEY, deployment_id int REFERENCES app.deployment, workspace_id uuid, note text);
	CREATE TABLE app.parted (id int, workspace_id uuid NOT NULL) PARTITION BY LIST (id);
	CREATE TABLE app.part PARTITION OF app.parted FOR VALUES IN (1);
	CREATE VIEW app.seen AS SELECT 1 AS id;
	CREATE MATERIALIZED VIEW app.copied AS SELECT 1 AS id;
	CREATE SEQUENCE app.counter;
	RESET ROLE;
	CREATE SCHEMA test;
	GRANT USAGE ON SCHEMA test TO PUBLIC;
	SET cnap.user_id = 'ann';
	SELECT FROM cnap_create_install_link('$ACME'), cnap_invite_to_organization('$ACME'), cnap_create_access_token('t');
	RESET cnap.user_id;
	CREATE TABLE test.ids AS SELECT id FROM cnap.install_link UNION ALL SELECT id FROM cnap.invitation UNION ALL SELECT id FROM cnap.access_token;
	GRANT SELECT ON test.ids TO PUBLIC;});

# The SQLSTATE and the message of a call, of which nothing remains
$node->safe_psql('postgres', q{
	CREATE FUNCTION test.try(role text, who text, call text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			PERFORM set_config('cnap.user_id', who, true);
			PERFORM set_config('role', role, true);
			EXECUTE call;
			RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ000';
		EXCEPTION WHEN OTHERS THEN
			RETURN 'state ' || SQLSTATE || ' ' || SQLERRM;
		END;
	END $$});

my @functions = map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', q{
	SELECT format('%I.%I', n.nspname, p.proname), p.proname, n.nspname = 'cnap',
		array_to_string(array(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t), ';')
	FROM pg_proc p
		JOIN pg_depend d ON (d.classid, d.objid, d.deptype) = ('pg_proc'::regclass, p.oid, 'e')
		JOIN pg_extension e ON (d.refclassid, d.refobjid) = ('pg_extension'::regclass, e.oid)
		JOIN pg_namespace n ON n.oid = p.pronamespace
	WHERE e.extname = 'cnap_org' AND p.prokind = 'f' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
		AND p.proname <> 'begin_update'
	ORDER BY 1, 4});

# Functions of the linter take what the catalogs contain, and others what only PostgreSQL can pass.
is(join(', ', map { "$_->[1]($_->[3])" } grep { $_->[2] eq 'f' && has_other_type($_) } @functions), '', 'there are values for all public functions');
@functions = grep { !has_other_type($_) } @functions;

sub has_other_type
{
	my ($function) = @_;
	return grep { !$pool{$_} } split /;/, $function->[3];
}

# ---- the calls ----

my $session = connect_to($node, undef, "SELECT setseed(0.5)", "SET statement_timeout = '60s'", 'SET client_min_messages = error');
my (%calls, %unexpected);
my $count = 0;
my $before = $node->safe_psql('postgres', $left);
srand $seed;

while ($count < 1000 * $rounds)
{
	my @batch;
	foreach (1 .. 100)
	{
		my ($function, $name, $internal, $types) = @{ $functions[ rand @functions ] };
		my $call = "SELECT * FROM $function(" . join(', ', map { my $values = $pool{$_}; "CAST($values->[ rand @$values ] AS $_)" } split /;/, $types) . ')';
		my $role = ('none', 'cnap_app', 'cnap_app', 'owner', 'plain')[ rand 5 ];
		my $who = ('', 'ann', 'mia', 'carol', 'dave', 'gus')[ rand 6 ];

		push @batch, [ $name, $internal, $role, $who, $call ];
	}
	my @states = grep { /^state / } split /^/, $session->attempt(join ";\n", map { "SELECT translate(test.try('$_->[2]', '$_->[3]', \$call\$$_->[4]\$call\$), E'\\n', ' ')" } @batch);
	last if $session->{sqlstate} ne '00000' && !ok(0, "calls of batch $count: $session->{error}");
	foreach my $call (@batch)
	{
		my ($name, $internal, $role, $who, $text) = @$call;
		my ($state, $message) = (shift @states // '?') =~ /^(?:state )?(\w{5}|\?) ?(.*)/;

		$calls{ $state eq 'ZZ000' ? 'succeeded' : $state }++;
		$count++;
		next if $state eq 'ZZ000' || $general{$state} || $documented{$name}{$state} || $internal eq 't' && $state !~ /^XX/;
		$unexpected{"$name $state"} //= "$message: as $role, user '$who': $text";
	}
}
note("$count calls with seed $seed: " . join ', ', map { "$_ $calls{$_}" } sort keys %calls);
is(join("\n", map { "$_: " . substr($unexpected{$_}, 0, 300) } sort keys %unexpected), '', 'only documented SQLSTATEs');
cmp_ok($calls{succeeded}, '>', $count / 20, 'some calls succeed');
is($node->safe_psql('postgres', $left), $before, 'nothing remains of them');
$session->quit;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|XX000|TRAP/, 'nor did anything break');
done_testing();
