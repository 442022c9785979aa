#
# attack_roles.pl: identities that belong to database roles, and code of other roles
#
# ALTER ROLE ... SET gives a role an identity at login, with the library preloaded and without.
# Only a superuser can give it to another role or change it, and it is removed together with the
# role. SECURITY DEFINER functions do not change the current user.
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

my $node = new_world('main', '');
my $admin = connect_to($node, undef);

my %sees = (
	nobody => $NOBODY,
	erin => $ERIN,
	mia => "mia sees one,two, reaches $W1,$W2",
	carol => "carol sees one, reaches $W1",
	dave => "dave sees two, reaches $W2");

sub logs_in_as
{
	my ($role, $user, $title, %options) = @_;
	my $session = eval { CnapTest::Session->new($node, user => $role, %options) };

	is($session ? state($session) : 'refused', $sees{$user} // $user, $title);
	$session->quit if $session;
	return;
}

# ---- at login ----

$admin->query("CREATE ROLE $_ LOGIN; GRANT plain TO $_") foreach qw(anna berta clara);
$admin->query(q{
	ALTER ROLE anna SET cnap.user_id = 'mia';
	ALTER ROLE berta SET cnap.user_id = 'mia';
	ALTER ROLE berta IN DATABASE postgres SET cnap.user_id = 'carol';
	ALTER ROLE clara IN DATABASE postgres SET cnap.user_id = 'dave';
	CREATE DATABASE other TEMPLATE template0});
$node->safe_psql('other', 'CREATE EXTENSION cnap_org');

my $settings = 'SELECT setrole::regrole, setdatabase <> 0, setconfig FROM pg_db_role_setting ORDER BY 1, 2';
my $given = $admin->query($settings);

foreach my $preload ('', 'session_preload_libraries', 'shared_preload_libraries')
{
	my $when = $preload ? "with $preload" : 'without the library preloaded';

	if ($preload)
	{
		$admin->quit;
		$node->append_conf('postgresql.conf', "$preload = 'cnap_org'");
		$node->restart;
		$admin = connect_to($node, undef);
	}
	logs_in_as('anna', 'mia', "ALTER ROLE SET, $when");
	logs_in_as('berta', 'carol', "ALTER ROLE IN DATABASE SET goes before it, $when");
	logs_in_as('clara', 'dave', "ALTER ROLE IN DATABASE SET alone, $when");
	logs_in_as('plain', 'nobody', "another role has none of these, $when");
	is($node->safe_psql('other', 'SELECT cnap_current_user()', extra_params => [ '-U', 'berta' ]), 'mia',
		"in another database, $when");
	is($node->safe_psql('other', q{SELECT coalesce(cnap_current_user(), 'nobody')}, extra_params => [ '-U', 'clara' ]),
		'nobody', "in another database without any, $when");

	# the role itself, or another one
	foreach my $load ('SELECT 1', 'SELECT cnap_current_user()')
	{
		my $anna = connect_to($node, 'anna', $load);
		foreach my $statement ("SET cnap.user_id = 'erin'", q{SELECT set_config('cnap.user_id', 'erin', true)},
			"ALTER ROLE anna SET cnap.user_id = 'erin'", "ALTER ROLE anna IN DATABASE postgres SET cnap.user_id = 'erin'",
			"ALTER ROLE plain SET cnap.user_id = 'mia'", 'ALTER ROLE berta RESET cnap.user_id', 'ALTER ROLE berta RESET ALL',
			'ALTER ROLE anna RESET ALL', 'ALTER ROLE anna IN DATABASE postgres RESET ALL',
			'RESET cnap.user_id', 'RESET ALL', 'DISCARD ALL', 'SET ROLE plain', 'SET ROLE berta', 'SET SESSION AUTHORIZATION berta')
		{
			$anna->attempt($statement);
			is(state($anna), $sees{mia}, "by the role: $statement, $when, after $load");
			$anna->attempt('RESET ROLE');
		}
		# having no user gives no access, and here it does not even last
		$anna->attempt('ALTER ROLE anna RESET cnap.user_id');
		is($admin->query($settings), $given, "no role has changed what is given to roles, $when, after $load");
		$anna->quit;
	}

	# options of the connection do not override it
	foreach my $options ('-c cnap.user_id=erin', '--cnap.user_id=erin', '-c CNAP.USER_ID=erin')
	{
		my $session = eval { CnapTest::Session->new($node, user => 'anna', connection => "options='$options'") };
		my $state = $session ? state($session) : 'refused';
		ok($state eq 'refused' || $state eq $NOBODY || $state eq $sees{mia}, "with $options, $when")
		  or diag($state);
	}
	my $wire = eval { CnapAttack::Wire->new($node, user => 'anna', 'cnap.user_id' => 'erin') };
	my $who = $wire && $wire->{sqlstate} eq '00000'
	  ? $wire->query('SELECT coalesce(cnap_current_user(), $$nobody$$)') : 'refused';
	like($who, qr/^(refused|nobody|mia)$/, "with the startup packet, $when");

	# a member of the role does not get it, nor does a role that becomes it by SET ROLE
	$admin->query('GRANT anna TO bare');
	my $session = connect_to($node, 'bare', 'SET ROLE anna');
	is(state($session), $NOBODY, "SET ROLE by a member, $when");
	$session->quit;
	$admin->query('REVOKE anna FROM bare');
	$session = connect_to($node, undef, 'SET SESSION AUTHORIZATION anna');
	is(state($session), $NOBODY, "SET SESSION AUTHORIZATION by a superuser, $when");
	$session->quit;
}

# an invalid user id means no user
$admin->query('ALTER ROLE clara IN DATABASE postgres RESET cnap.user_id');
foreach my $odd (q{' erin'}, q{'erin '}, q{repeat('x', 256)}, q{E'erin\n'}, q{''})
{
	$admin->attempt("DO \$\$BEGIN EXECUTE format('ALTER ROLE clara SET cnap.user_id = %L', $odd); END\$\$");
	my $session = eval { connect_to($node, 'clara') };
	my $state = $session ? state($session) : 'refused';
	like($state, qr/^(refused|\Q$NOBODY\E)$/, "a role's identity of $odd");
	$session->quit if $session;
}

# ---- when the role is dropped or renamed, or the identity is reset ----

{
	my $session = connect_to($node, 'anna');
	$admin->query('ALTER ROLE anna RESET cnap.user_id');
	logs_in_as('anna', 'nobody', 'taken back: for sessions that begin');
	is(state($session), $sees{mia}, 'taken back: a session that is open keeps it, as with any setting');
	$session->query('RESET ALL; DISCARD ALL');
	is(state($session), $sees{mia}, 'and goes back to it');
	$session->quit;

	$admin->query("ALTER ROLE anna SET cnap.user_id = 'mia'; ALTER ROLE anna RENAME TO anna2; CREATE ROLE anna LOGIN; GRANT plain TO anna");
	logs_in_as('anna2', 'mia', 'it goes with a role that is renamed');
	logs_in_as('anna', 'nobody', 'and not with its name');
	$admin->query('DROP ROLE berta; CREATE ROLE berta LOGIN; GRANT plain TO berta');
	logs_in_as('berta', 'nobody', 'it goes when the role is dropped');
	unlike($admin->query($settings), qr/carol/, 'from the catalog too');
}

# ---- a role that is no longer trusted ----

{
	$admin->query(q{CREATE ROLE former LOGIN; GRANT plain TO former; GRANT USAGE, CREATE ON SCHEMA app TO former; SELECT cnap_trust('former')});
	my $session = connect_to($node, 'former', q{ALTER ROLE former SET cnap.user_id = 'erin'},
		q{ALTER ROLE CURRENT_USER IN DATABASE postgres SET cnap.user_id = 'erin'}, q{ALTER ROLE former IN DATABASE other SET cnap.user_id = 'erin'},
		qq{CREATE FUNCTION app.of_former() RETURNS boolean LANGUAGE sql SECURITY DEFINER SET cnap.user_id = 'erin' AS 'SELECT cnap_can_access(''$W3''::uuid)'},
		qq{CREATE FUNCTION app.asks_about_erin() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT cnap_can_access(''erin'', ''$W3''::uuid)'},
		qq{CREATE VIEW app.about_erin AS SELECT cnap_can_access('erin', '$W3'::uuid)});
	logs_in_as('former', 'erin', '(a trusted role gives itself an identity at login)');
	$admin->query(q{SELECT cnap_distrust('former')});
	logs_in_as('former', 'nobody', 'which is taken with the trust');
	is($node->safe_psql('other', q{SELECT coalesce(cnap_current_user(), 'nobody')}, extra_params => [ '-U', 'former' ]), 'nobody', 'in every database');
	is($admin->query($settings) =~ /erin/, '', 'and from the catalog');
	foreach my $statement ('SELECT app.of_former()', 'SELECT app.asks_about_erin()', 'TABLE app.about_erin', "SET cnap.user_id = 'erin'",
		"ALTER ROLE former SET cnap.user_id = 'erin'", 'CREATE TABLE app.t (w uuid REFERENCES cnap.workspace)')
	{
		refused($session, "what it has made, or tries again: $statement", $statement, '42501');
	}
	$session->quit;
	$admin->query('DROP OWNED BY former; DROP ROLE former');
}

# ---- functions of other roles ----
#
# Whoever owns a SECURITY DEFINER function, the current user stays the same, and nobody becomes the
# system.

$admin->query(q{
	CREATE ROLE boss SUPERUSER;
	ALTER ROLE boss SET cnap.user_id = 'erin';
	CREATE ROLE bypass BYPASSRLS;
	CREATE SCHEMA f;
	GRANT USAGE ON SCHEMA f TO PUBLIC});
my @owners = qw(boss cnap_app anna2 bypass);
my $asks = q{SELECT coalesce(cnap_current_user(), 'nobody') || ' reaches ' || array_to_string(cnap_accessible_workspaces(), ',')};
my $deletes = "cnap_delete_workspace('$W3')";
foreach my $owner (@owners)
{
	my %functions = (
		"sql_$owner()" => [ 'text', "LANGUAGE sql AS \$\$ $asks \$\$" ],
		"plpgsql_$owner()" => [ 'text', "LANGUAGE plpgsql AS \$\$ BEGIN RETURN ($asks); END \$\$" ],
		"nested_$owner()" => [ 'text', "LANGUAGE sql SET search_path = pg_catalog, public AS \$\$ SELECT f.sql_boss() \$\$" ],
		"delete_$owner()" => [ 'void', "LANGUAGE plpgsql AS \$\$ BEGIN PERFORM $deletes; END \$\$" ]);

	foreach my $function (reverse sort keys %functions)
	{
		my ($result, $body) = @{ $functions{$function} };
		$admin->query("CREATE FUNCTION f.$function RETURNS $result SECURITY DEFINER $body;"
			. "ALTER FUNCTION f.$function OWNER TO $owner");
	}
}

my @callers = (
	[ 'plain', 'nobody', 'nobody reaches ', '28000' ],
	[ 'anna2', 'mia', "mia reaches $W1,$W2", '42704', ],
	[ 'cnap_app', 'mia', "mia reaches $W1,$W2", '42704', "SET cnap.user_id = 'mia'" ],
	[ 'cnap_app', 'nobody', 'nobody reaches ', '28000' ]);
foreach my $caller (@callers)
{
	my ($role, $user, $expected, $sqlstate, @first) = @$caller;
	my $session = connect_to($node, $role, @first);

	foreach my $owner (@owners)
	{
		foreach my $kind ('sql', 'plpgsql', 'nested')
		{
			is($session->query("SELECT f.${kind}_$owner()"), $expected,
				"a SECURITY DEFINER function ($kind) of $owner, called by $role as $user");
		}
		refused($session, "the same that deletes", "SELECT f.delete_$owner()", $sqlstate);
	}
	is(state($session), $sees{$user}, "$role as $user is afterwards who it was");
	$session->quit;
}

# in functions of other roles, the system has no user
{
	my $system = connect_to($node, undef);
	foreach my $owner (qw(cnap_app anna2 bypass))
	{
		is($system->query("SELECT f.sql_$owner()"), 'nobody reaches ', "a superuser in a function of $owner is nobody");
		refused($system, 'and not the system', "SELECT f.delete_$owner()", '28000');
	}
	$system->quit;
}

# A function that sets a user on purpose, owned by a role that is allowed to, does so until it
# ends.
$admin->query(qq{
	CREATE FUNCTION f.as_dave(fails boolean) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET cnap.user_id = 'dave'
	AS \$\$ BEGIN IF fails THEN RAISE 'x'; END IF; RETURN ($asks); END \$\$;
	ALTER FUNCTION f.as_dave(boolean) OWNER TO cnap_app;
	CREATE FUNCTION f.as_dave_by_invoker() RETURNS text LANGUAGE sql SET cnap.user_id = 'dave' AS \$\$ $asks \$\$;
	ALTER FUNCTION f.as_dave_by_invoker() OWNER TO cnap_app});
{
	my $session = connect_to($node, 'plain');
	is($session->query('SELECT f.as_dave(false)'), "dave reaches $W2", "a definer's own SET clause holds in the function");
	is(state($session), $NOBODY, 'and not behind it');
	$session->attempt('SELECT f.as_dave(true)');
	is(state($session), $NOBODY, 'nor behind its error');
	$session->query('BEGIN; SAVEPOINT s');
	$session->attempt('SELECT f.as_dave(true)');
	$session->query('ROLLBACK TO s');
	is(state($session), $NOBODY, 'nor behind the savepoint of its error');
	$session->query('COMMIT');
	$session->query('DO $$BEGIN PERFORM f.as_dave(true); EXCEPTION WHEN OTHERS THEN PERFORM cnap_current_user(); END$$');
	is(state($session), $NOBODY, 'nor behind its error in PL/pgSQL');
	$session->query("SELECT note, f.as_dave(false) FROM app.deployment");
	$session->query('BEGIN; DECLARE c CURSOR FOR SELECT f.as_dave(false), note, cnap_current_user() FROM app.deployment, generate_series(1, 3)');
	is($session->query('FETCH 2 FROM c') . state($session), $NOBODY, 'nor in the middle of a cursor');
	$session->query('COMMIT');
	refused($session, "without SECURITY DEFINER the caller would need the right", 'SELECT f.as_dave_by_invoker()', '42501');
	$session->quit;
}

# ---- triggers of tables that refer to ours ----
#
# Acts on workspaces and organizations cascade to tables of a role that may reference them. Their
# triggers run as whoever acts, or as the table's owner, but not as the owner of the extension.

{
	$admin->query(q{CREATE ROLE maker LOGIN; GRANT USAGE, CREATE ON SCHEMA f TO maker;
		SELECT cnap_trust('maker')});
	$admin->query("UPDATE cnap.organization SET slug = 'acme' WHERE id = '$ACME'");
	my $maker = connect_to($node, 'maker', q{
		CREATE FUNCTION f.fired() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			RAISE 'fired as %, % role', current_user,
				(SELECT CASE WHEN rolsuper THEN 'a mighty' ELSE 'an ordinary' END FROM pg_roles WHERE rolname = current_user);
		END $$});
	my @cascades = (
		[ 'uuid REFERENCES cnap.workspace ON DELETE CASCADE', 'DELETE', $W3, 'erin', $deletes ],
		[ 'uuid REFERENCES cnap.workspace ON DELETE SET NULL', 'UPDATE', $W3, 'erin', $deletes ],
		[ 'uuid REFERENCES cnap.organization ON DELETE CASCADE', 'DELETE', $ACME, 'ann', "cnap_delete_organization('$ACME')" ],
		[ 'text REFERENCES cnap.organization (slug) ON UPDATE CASCADE', 'UPDATE', 'acme', 'ann',
			"cnap_update_organization('$ACME', slug => 'acme2')" ]);
	my $actor = connect_to($node, 'cnap_app');
	foreach my $cascade (@cascades)
	{
		my ($column, $event, $key, $user, $act) = @$cascade;

		foreach my $kind ("TRIGGER fired AFTER $event ON f.t FOR EACH ROW", "TRIGGER fired AFTER $event ON f.t",
			"TRIGGER fired BEFORE $event ON f.t FOR EACH ROW", "TRIGGER fired BEFORE $event ON f.t",
			"CONSTRAINT TRIGGER fired AFTER $event ON f.t DEFERRABLE FOR EACH ROW",
			"CONSTRAINT TRIGGER fired AFTER $event ON f.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW")
		{
			$maker->query("CREATE TABLE f.t (key $column); INSERT INTO f.t VALUES ('$key'); CREATE $kind EXECUTE FUNCTION f.fired()");
			$actor->attempt("SET cnap.user_id = '$user'; SELECT $act");
			like($actor->{error}, qr/fired as (cnap_app|maker), an ordinary role/, "$column: $kind");
			$maker->query('DROP TABLE f.t');
		}
	}
	$_->quit foreach $maker, $actor;
	$admin->query("UPDATE cnap.organization SET slug = NULL WHERE id = '$ACME'; DROP OWNED BY maker; DROP ROLE maker");
}

# ---- code that a superuser executes unknowingly ----

$admin->query('CREATE SCHEMA traps AUTHORIZATION plain');
{
	my $session = connect_to($node, 'plain', qq{
		CREATE FUNCTION traps.trap(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
		AS \$\$ BEGIN PERFORM public.$deletes; RETURN \$1; EXCEPTION WHEN OTHERS THEN RETURN \$1; END \$\$;
		CREATE TABLE traps.t (a text CHECK (a <> ''), b text);
		INSERT INTO traps.t SELECT n, n FROM generate_series(1, 50) n;
		CREATE INDEX trap_index ON traps.t (traps.trap(a));
		CREATE STATISTICS traps.s ON traps.trap(a), b FROM traps.t;
		CREATE MATERIALIZED VIEW traps.m AS SELECT traps.trap(a) FROM traps.t});
	$session->quit;
}
is($admin->query("BEGIN; SELECT FROM traps.trap('x'); SELECT count(*) FROM cnap.workspace WHERE id = '$W3'; ROLLBACK"), 0,
	'(whoever calls such a function as the system has called it)');
foreach my $maintenance ('ANALYZE traps.t', 'VACUUM ANALYZE traps.t', 'REINDEX TABLE traps.t', 'REINDEX TABLE CONCURRENTLY traps.t',
	'CLUSTER traps.t USING trap_index', 'VACUUM FULL traps.t', 'REFRESH MATERIALIZED VIEW traps.m')
{
	my $system = connect_to($node, undef);
	$system->attempt($maintenance);
	is($system->query("SELECT count(*) FROM cnap.workspace WHERE id = '$W3'"), 1, "somebody's function in $maintenance is not the system");
	$system->quit;
}

$node->stop;
done_testing();
