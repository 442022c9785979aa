#
# attack_privileges.pl: roles that try to use what they have no privileges for
#
# Every public function called by a role without privileges, with arguments that are valid, null,
# extreme or large; every internal function, by SQL, by the protocol's function call and as a
# trigger; every table. At the end the tables must be unchanged.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use PostgreSQL::Test::Utils;
use Test::More;

# autovacuum writes to pg_class
my $node = new_world('main', 'autovacuum = off');
my $admin = connect_to($node, undef, 'CREATE SCHEMA own; GRANT ALL ON SCHEMA own TO bare, plain, cnap_app');

# The contents of the extension's tables, and all privileges, policies and settings of roles
sub everything
{
	my @tables = split /\n/, $admin->query(q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r'});
	my %catalog = (
		pg_proc => 'proacl IS NOT NULL',
		pg_class => q{relacl IS NOT NULL AND relpersistence <> 't'},
		pg_namespace => 'nspacl IS NOT NULL',
		pg_parameter_acl => 'true',
		pg_policy => 'true',
		pg_db_role_setting => 'true',
		pg_auth_members => 'true',
		pg_roles => 'true');
	my @digests = ((map { "SELECT '$_', count(*) || ' ' || sum(hash_record_extended(t, 0)) FROM $_ t" } @tables),
		map { "SELECT '$_', md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $_ t WHERE $catalog{$_}" } sort keys %catalog);

	return { map { split /\|/, $_, 2 } split /\n/, $admin->query(join ' UNION ALL ', @digests) };
}

my $before = everything();

sub nothing_has_changed
{
	my ($attempt) = @_;
	my $now = everything();

	is(join(' ', grep { $now->{$_} ne $before->{$_} } sort keys %$now), '', $attempt);
	return;
}

# ---- every public function, by a role without privileges, and by one without a user ----

my $someone = { calls($node, role => "'admin'", regrole => "'bare'") };
my @roles = ('bare', 'plain', 'cnap_app');

# The functions that these can call with any result: those about the catalogs, executed with the
# caller's privileges, and those about the session itself.
my $harmless = qr/^cnap_(cache_stats|position|wait|roles|protected_tables|lint|protect_schema|unprotect_schema|uuid)\b/;

# functions about any user, and the one that forgets any user, are for trusted roles
my %is_of_trusted = map { $_ => 1 } split /\n/, $admin->query(q{
	SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'cnap\_%' AND has_function_privilege('cnap_app', oid, 'EXECUTE')
		AND NOT has_function_privilege('bare', oid, 'EXECUTE')});

foreach my $role (@roles)
{
	my $session = connect_to($node, $role);
	foreach my $signature (sort keys %$someone)
	{
		next if $signature =~ $harmless || ($role eq 'cnap_app' && $is_of_trusted{$signature});

		my $got = $session->attempt("BEGIN; $someone->{$signature}");
		my $sqlstate = $session->{sqlstate};
		$session->attempt('COMMIT');
		ok($sqlstate =~ /^(28000|42501)$/ || ($sqlstate eq '00000' && $got =~ /^(f|\{\}|)$/), "$role, without a user: $signature")
		  or diag("$sqlstate $got");
	}
	$session->quit;
}
nothing_has_changed('nothing has changed');

# ---- arguments ----

my %odd = (
	'null' => { map { $_ => 'NULL' } qw(uuid text name role permission jsonb bool timestamptz interval int8 int4 regclass regrole user_id organization
		  new_owner successor slug logo management_email billing_email email) },
	'empty' => { (map { $_ => q{''} } qw(text user_id new_owner successor slug logo management_email billing_email email)), jsonb => q{'null'}, name => q{''} },
	'blank' => { map { $_ => q{E' \t\n'} } qw(text user_id new_owner successor slug logo management_email billing_email email) },
	'extreme' => { timestamptz => q{'infinity'}, interval => q{'178000000 years'}, int8 => '-9223372036854775808', int4 => '2147483647',
		regclass => '4294967295::oid', regrole => '4294967295::oid' },
	'extreme the other way' => { timestamptz => q{'-infinity'}, interval => q{'-178000000 years'}, int8 => '9223372036854775807', int4 => '-2147483648',
		regclass => '0::oid', regrole => '0::oid' },
	'1 MB' => { (map { $_ => q{repeat('x', 1000000)} } qw(text user_id new_owner successor slug logo management_email billing_email email)),
		jsonb => q{jsonb_build_object('x', repeat('x', 1000000))}, name => q{repeat('x', 1000000)} },
	'quotes' => { map { $_ => q{$$'"; DROP TABLE cnap.workspace; --\\$$} } qw(text user_id new_owner successor slug logo management_email billing_email email name) },
	'deep' => { jsonb => q{(repeat('{"x":', 3000) || '1' || repeat('}', 3000))} },
	'other kinds' => { jsonb => q{'[1]'}, regclass => q{'pg_class'}, regrole => q{'pg_database_owner'}, name => q{'ctid'} });

foreach my $kind (sort keys %odd)
{
	my %calls = calls($node, %{ $odd{$kind} });
	my @said;

	foreach my $user ('', 'carol', 'ann')
	{
		my $session = connect_to($node, 'plain');
		my $trusted = connect_to($node, 'cnap_app', "SET cnap.user_id = '$user'");
		foreach my $signature (sort keys %calls)
		{
			foreach my $who ($user eq '' ? ($session, $trusted) : $trusted)
			{
				$who->query('BEGIN');
				$who->attempt($calls{$signature});
				push @said, "$signature: $who->{sqlstate} " . substr($who->{error}, 0, 200)
				  if $who->{sqlstate} =~ /^(XX|58|5[347]|08)/ || length $who->{error} > 3000;
				$who->query('ROLLBACK');
			}
		}
		$_->quit foreach $session, $trusted;
	}
	is("@said", '', "every function with arguments that are $kind: no internal error, and none as long as they are");
}
nothing_has_changed('nothing has changed');

# ---- functions that are not public ----

my @internal = map { [ split /\|/ ] } split /\n/, $admin->query(q{
	SELECT oid, oid::regprocedure, prorettype::regtype, pronargs FROM pg_proc
	WHERE pronamespace = 'cnap'::regnamespace ORDER BY 2});
my @trusted_alone = map { [ split /\|/ ] } split /\n/, $admin->query(q{
	SELECT oid, oid::regprocedure, prorettype::regtype, pronargs FROM pg_proc
	WHERE proname LIKE 'cnap\_%' AND NOT has_function_privilege('bare', oid, 'EXECUTE') ORDER BY 2});
cmp_ok(scalar(@internal), '>', 20, '(there are internal functions)');
# Open to everybody are functions that policies, index conditions and triggers of the application's
# tables call, and functions in SQL that read the catalogs with the caller's privileges.
my $open = qr/^cnap\.(reachable\(text\)|at_first\(|never\(|parent_visible\(|fill_workspace\(|policies\(|protection(s|_reasons|_plan)\(|privileges\(|published_tables\(|is_trusted\(|lint_)/;
my $open_to_trusted = qr/^cnap(\.reachable\(|\.row_|_)(?!.*trust)/;
is($admin->query(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = prolang
	WHERE pronamespace = 'cnap'::regnamespace AND (prosecdef OR (proname LIKE 'lint%' AND lanname NOT IN ('sql', 'plpgsql') AND proname NOT IN ('lint_open_alternative', 'lint_former_roles', 'lint_freshness', 'lint_nodes', 'lint_origin_version', 'lint_planned', 'lint_shard', 'lint_wanted')))}),
	'', 'no internal function is a SECURITY DEFINER, and those of cnap_lint() have no rights but the caller\'s');

my %sample = (text => q{'x'}, uuid => "'$W1'", bigint => '1', integer => '1', boolean => 'true', interval => q{'1 day'},
	'timestamp with time zone' => 'now()', oid => '1', regclass => q{'pg_class'}, name => q{'x'}, jsonb => q{'{}'}, 'text[]' => q{'{x}'});
foreach my $role (@roles)
{
	my $session = connect_to($node, $role, 'CREATE TEMP TABLE t (id uuid, user_id text)');
	my $wire = CnapAttack::Wire->new($node, user => $role);

	foreach my $function (@internal, @trusted_alone)
	{
		my ($oid, $signature, $kind, $nargs) = @$function;
		my ($name, $types) = $signature =~ /^(.*?)\((.*)\)$/;
		my $arguments = join ', ', map { defined $sample{$_} ? "$sample{$_}::$_" : "NULL::$_" } split /,/, $types;

		next if $signature =~ $open || ($role eq 'cnap_app' && $signature =~ $open_to_trusted);
		$wire->call($oid, ('x') x $nargs);
		# (PostgreSQL refuses set-returning functions before it checks privileges)
		like($wire->{sqlstate}, qr/^(42501|0A000)$/, "$role: $signature by the protocol's function call");
		if ($kind eq 'trigger')
		{
			refused($session, "$role: $signature as a trigger of one's own",
				"CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION $signature", '42501');
			refused($session, "$role: $signature as an event trigger", "CREATE EVENT TRIGGER t ON sql_drop EXECUTE FUNCTION $signature", '42501');
		}
		elsif ($kind eq 'event_trigger')
		{
			refused($session, "$role: $signature in SQL", "SELECT $name()", '42501');
			refused($session, "$role: $signature as an event trigger", "CREATE EVENT TRIGGER t ON sql_drop EXECUTE FUNCTION $signature", '42501');
		}
		elsif ($types eq 'internal')
		{
			refused($session, "$role: $signature as planner support",
				"CREATE FUNCTION own.f(uuid) RETURNS boolean LANGUAGE sql SUPPORT $name AS 'SELECT true'", '42501');
		}
		else
		{
			refused($session, "$role: $signature in SQL", "SELECT $name($arguments)", '42501');
			refused($session, "$role: $signature in FROM", "SELECT * FROM $name($arguments)", '42501');
		}
	}
	$session->quit;
}

# with EXECUTE granted by mistake, functions for superusers check that themselves
$admin->query('GRANT EXECUTE ON FUNCTION cnap_trust(regrole), cnap_distrust(regrole) TO bare');
{
	my $session = connect_to($node, 'bare');
	refused($session, 'cnap_trust() of oneself, with EXECUTE', q{SELECT cnap_trust('bare')}, '42501');
	refused($session, 'cnap_distrust() of another, with EXECUTE', q{SELECT cnap_distrust('cnap_app')}, '42501');
	$session->quit;
}
$admin->query('REVOKE EXECUTE ON FUNCTION cnap_trust(regrole), cnap_distrust(regrole) FROM bare');

# ---- what a trusted role cannot pass on ----

{
	my $session = connect_to($node, 'cnap_app');
	foreach my $statement ('GRANT SET ON PARAMETER cnap.user_id TO bare', 'GRANT EXECUTE ON FUNCTION cnap_can_access(text, uuid) TO bare',
		'GRANT REFERENCES ON cnap.workspace TO bare', 'GRANT USAGE ON SCHEMA cnap TO bare WITH GRANT OPTION', 'GRANT cnap_app TO bare',
		q{ALTER ROLE bare SET cnap.user_id = 'erin'}, q{ALTER ROLE plain SET cnap.user_id = 'erin'}, q{SELECT cnap_trust('bare')})
	{
		$session->attempt($statement);
		nothing_has_changed("a trusted role: $statement");
	}
	$session->quit;
}

# ---- tables ----

my @tables = split /\n/, $admin->query(q{
	SELECT oid::regclass, relkind FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind IN ('r', 'v', 'p') ORDER BY 1});
foreach my $role (@roles)
{
	my $session = connect_to($node, $role, $role eq 'cnap_app' ? q{SET cnap.user_id = 'carol'} : 'SELECT 1');
	foreach (@tables)
	{
		my ($table, $kind) = split /\|/;
		# (some of these statements are not supported for views)
		my $error = $kind eq 'v' ? qr/^(42501|42809|42703|55000)$/ : qr/^42501$/;
		my @open = grep { $session->attempt("BEGIN; $_"); my $sqlstate = $session->{sqlstate}; $session->attempt('ROLLBACK'); $sqlstate !~ $error }
		  map { sprintf $_, $table } ('SELECT * FROM %s', 'SELECT count(*) FROM %s', 'SELECT ctid FROM %s', 'SELECT 1 FROM %s', 'TABLE %s',
			'SELECT FROM %s FOR SHARE', 'INSERT INTO %s DEFAULT VALUES', 'DELETE FROM %s', 'DELETE FROM %s WHERE false', 'TRUNCATE %s CASCADE',
			'COPY %s TO STDOUT', 'COPY %s FROM STDIN', 'LOCK %s IN ACCESS SHARE MODE', 'LOCK %s', 'DROP TABLE %s',
			'CREATE TABLE own.t (LIKE %s INCLUDING ALL); TABLE %1$s', 'CREATE VIEW own.v AS TABLE %s; TABLE own.v', 'EXPLAIN SELECT * FROM %s',
			'CREATE TRIGGER t BEFORE INSERT ON %s FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger()',
			'GRANT SELECT ON %s TO PUBLIC; TABLE %1$s', 'ALTER TABLE %s OWNER TO CURRENT_USER', 'COMMENT ON TABLE %s IS NULL');
		is("@open", '', "$role: $table");
	}
	$session->quit;
}
nothing_has_changed('nothing has changed');

# ---- notifications ----

foreach my $load ('SELECT 1', 'SELECT cnap_current_user()')
{
	foreach my $role (@roles)
	{
		my $session = connect_to($node, $role, $load);
		$session->attempt($_) foreach 'SET cnap.notify = on', q{SELECT set_config('cnap.notify', 'on', false)}, 'ALTER ROLE CURRENT_USER SET cnap.notify = on';
		$session->query('SELECT cnap_current_user()');
		is($session->query('SHOW cnap.notify'), 'off', "$role: switching notifications on, after $load");
		$session->quit;
	}
}

nothing_has_changed('nothing has changed');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP: /, 'and no backend has crashed');

$node->stop;
done_testing();
