#
# attack_roles.pl: identities that belong to database roles, and code of other roles
#
# cnap_set_role_user() says who a role is, with the library preloaded and without. Only a superuser can
# say or change it, and it is gone with the role. What ALTER ROLE ... SET says counts only for roles
# that are trusted. SECURITY DEFINER functions do not change the current user.
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
	mia => "mia sees one,two, reaches $W1,$W2,$ASSIGNED,$ACTIVATED",
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

# ---- whom a superuser has recorded ----

$admin->query("CREATE ROLE $_ LOGIN; GRANT plain TO $_") foreach qw(anna berta clara);
$admin->query(q{
	SELECT cnap_set_role_user('anna', 'mia');
	SELECT cnap_set_role_user('berta', 'carol');
	SELECT cnap_set_role_user('clara', 'dave');
	CREATE DATABASE other TEMPLATE template0});
$node->safe_psql('other', q{CREATE EXTENSION cnap_org; SELECT cnap_set_role_user('berta', 'mia')});

my $recorded = 'SELECT role, user_id FROM cnap.role_user ORDER BY user_id';
my $given = $admin->query($recorded);

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
	logs_in_as('anna', 'mia', "the role's user, $when");
	logs_in_as('clara', 'dave', "another role's user, $when");
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
			"SELECT cnap_set_role_user('anna', 'erin')", "SELECT cnap_set_role_user('anna', NULL)",
			"SELECT cnap_set_role_user('plain', 'mia')", "SET cnap.user_id = ''",
			"UPDATE cnap.role_user SET user_id = 'erin'", "INSERT INTO cnap.role_user VALUES ('plain', 'mia')",
			'ALTER ROLE anna RESET ALL', 'ALTER ROLE anna IN DATABASE postgres RESET ALL',
			'RESET cnap.user_id', 'RESET ALL', 'DISCARD ALL', 'SET ROLE plain', 'SET ROLE berta', 'SET SESSION AUTHORIZATION berta')
		{
			$anna->attempt($statement);
			is(state($anna), $sees{mia}, "by the role: $statement, $when, after $load");
			$anna->attempt('RESET ROLE');
		}
		is($admin->query($recorded), $given, "no role has changed what is recorded, $when, after $load");
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
	$session = connect_to($node, undef);
	foreach (1 .. 2)
	{
		$session->query('SET SESSION AUTHORIZATION anna');
		is(state($session), $sees{mia}, "SET SESSION AUTHORIZATION by a superuser, $when");
		$session->query('SET SESSION AUTHORIZATION clara');
		is(state($session), $sees{dave}, "and another one, $when");
		$session->query('SET SESSION AUTHORIZATION plain');
		is(state($session), $NOBODY, "and one who is nobody, $when");
	}
	$session->quit;
}

# from one source to another and back, without an assignment to a setting of ours
{
	my $superuser = getpwuid($<);
	$admin->query(qq{ALTER ROLE "$superuser" SET cnap.user_id = 'carol'});
	my $session = connect_to($node, undef, 'SELECT cnap_current_user()');
	foreach my $step ([ 'clara', 'dave' ], [ undef, 'carol' ], [ 'anna', 'mia' ], [ 'plain', 'nobody' ], [ undef, 'carol' ], [ 'clara', 'dave' ],
		[ undef, 'carol' ], [ 'clara', 'dave' ])
	{
		my ($role, $user) = @$step;
		$session->query(defined $role ? "SET SESSION AUTHORIZATION $role" : 'RESET SESSION AUTHORIZATION');
		is($session->query(q{SELECT coalesce(cnap_current_user(), 'nobody') || array_to_string(cnap_accessible_workspaces(), ',')}),
			$user . ($sees{$user} =~ /reaches (\S+)$/ && $1 ne 'nothing' ? $1 : ''), 'as ' . ($role // 'the superuser'));
	}
	$session->quit;
	$admin->query(qq{ALTER ROLE "$superuser" RESET cnap.user_id});
}

# other sources that are in force go before it; a setting that a gateway fills does not
{
	my $token = act_as($node, 'postgres', 'dave', q{SELECT cnap_create_access_token('a script')});
	my $anna = connect_to($node, 'anna', "BEGIN; SELECT cnap_authenticate('$token')");
	is(state($anna), $sees{dave}, 'a token goes before it');
	$anna->query('COMMIT');
	is(state($anna), $sees{mia}, 'until it ends');
	$admin->query(q{ALTER ROLE anna SET cnap.claims_setting = 'request.jwt.claims'});
	my $claimed = connect_to($node, 'anna', q(SET request.jwt.claims = '{"sub": "erin"}'));
	is(state($claimed), $sees{mia}, 'it goes before claims');
	$admin->query(q{ALTER ROLE anna RESET cnap.claims_setting; SELECT cnap_trust('anna')});
	$anna->query("SET cnap.user_id = 'carol'");
	is(state($anna), $sees{carol}, 'and the setting before it, in the session of a trusted role');
	$anna->query("SET cnap.user_id = ''");
	is(state($anna), $sees{mia}, 'until it is empty');
	$admin->query(q{SELECT cnap_distrust('anna')});
	$_->quit foreach $anna, $claimed;
}

# in parallel workers, too
{
	my $anna = connect_to($node, 'anna', 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;'
		  . ' SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off');
	$admin->query(q{CREATE TABLE app.many AS SELECT 1 AS one FROM generate_series(1, 1000);
		GRANT SELECT ON app.many TO PUBLIC; ALTER TABLE app.many SET (parallel_workers = 2)});
	my $query = 'SELECT cnap_current_user(), count(*) FROM app.many WHERE cnap_current_user() IS NOT NULL GROUP BY 1';
	like($anna->query("EXPLAIN $query"), qr/Gather/, '(a parallel query)');
	is($anna->query($query), 'mia|1000', 'in parallel workers');
	$anna->quit;
}

# an invalid user id, or role
refused($admin, "a role's user of $_", "SELECT cnap_set_role_user('clara', $_)", '22023')
  foreach q{' erin'}, q{'erin '}, q{repeat('x', 256)}, q{E'erin\n'}, q{''};
refused($admin, "a role that does not exist: $_", "SELECT cnap_set_role_user($_, 'erin')", '42704') foreach q{'nobody'}, '4000000000';
refused($admin, 'no role', "SELECT cnap_set_role_user(NULL, 'erin')", '22023');

# ---- when it changes, and when the role is dropped or renamed ----

{
	my $session = connect_to($node, 'anna');
	my $snapshot = connect_to($node, 'anna', 'BEGIN ISOLATION LEVEL REPEATABLE READ',
		'PREPARE sees AS SELECT cnap_current_user()', 'EXECUTE sees');
	is(state($session), $sees{mia}, 'a session that is open');
	$admin->query(q{SELECT cnap_set_role_user('anna', 'carol')});
	is(state($session), $sees{carol}, 'is the new user at its next check');
	is($snapshot->query('EXECUTE sees'), 'carol', 'also within a transaction');
	$admin->query(q{SELECT cnap_set_role_user('anna', NULL)});
	is(state($session), $NOBODY, 'and nobody once it is taken back');
	is($snapshot->query(q{EXECUTE sees}), '', 'also within a transaction');
	$session->query('RESET ALL; DISCARD ALL');
	is(state($session), $NOBODY, 'for good');

	# rolled back, also by the one who does it
	$admin->query(q{BEGIN; SELECT cnap_set_role_user('anna', 'erin'); SET LOCAL SESSION AUTHORIZATION anna});
	is($admin->query('SELECT cnap_current_user()'), 'erin', 'for oneself before the commit');
	is(state($session), $NOBODY, 'but not for others');
	$admin->query('ROLLBACK');
	is($admin->query(q{BEGIN; SET LOCAL SESSION AUTHORIZATION anna; SELECT cnap_current_user()}), '', 'and not after a rollback');
	$admin->query('ROLLBACK');
	is(state($session), $NOBODY, 'for nobody');

	# by direct statements
	$admin->query("INSERT INTO cnap.role_user VALUES ('anna', 'erin')");
	is(state($session), $sees{erin}, 'INSERT');
	$admin->query("UPDATE cnap.role_user SET user_id = 'mia' WHERE user_id = 'erin'");
	is(state($session), $sees{mia}, 'UPDATE');
	$admin->query('BEGIN; TRUNCATE cnap.role_user; ROLLBACK; BEGIN; SET LOCAL session_replication_role = replica;'
		  . " DELETE FROM cnap.role_user WHERE user_id = 'mia'; COMMIT");
	is(state($session), $NOBODY, 'DELETE, also where ordinary triggers do not fire');
	$_->quit foreach $session, $snapshot;

	$admin->query(q{SELECT cnap_set_role_user('anna', 'mia'); ALTER ROLE anna RENAME TO anna2; CREATE ROLE anna LOGIN; GRANT plain TO anna});
	logs_in_as('anna2', 'mia', 'it goes with a role that is renamed');
	logs_in_as('anna', 'nobody', 'and not with its name');
	my $number = $admin->query(q{SELECT 'berta'::regrole::oid});
	$admin->query('DROP ROLE berta; CREATE ROLE berta LOGIN; GRANT plain TO berta');
	logs_in_as('berta', 'nobody', 'it goes when the role is dropped, and a new one of that name does not inherit it');
	is($admin->query(q{SELECT rule, object, remedy FROM cnap_lint() WHERE rule ~ 'role_user'}),
		"role_user_left|$number|SELECT public.cnap_set_role_user('$number'::regrole, NULL::text);", 'the linter finds the rest');
	my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres'), '--data-only' ]);
	my ($rows) = $dump =~ /^COPY cnap\.role_user .*?\n(.*?)^\\\.$/ms;
	is(join(',', sort map { (split /\t/)[0] } split /\n/, $rows), 'anna2,clara', 'and a dump does not contain it, but the new name');
	$admin->query($admin->query(q{SELECT remedy FROM cnap_lint() WHERE rule = 'role_user_left'}));
	is($admin->query("SELECT count(*) FROM cnap.role_user WHERE role::oid = $number"), '0', 'until somebody removes it');
	is($admin->query(q{SELECT action, actor, subject, path, detail FROM cnap.audit_log
		WHERE action ~ 'set_user$' AND path !~ 'direct' ORDER BY id DESC LIMIT 1}),
		qq{role.unset_user||carol|by its privileges|{"role": "$number"}}, 'which the audit log tells');
	is($admin->query(q{SELECT string_agg(concat_ws(' ', action, subject, detail), ', ' ORDER BY id) FROM cnap.audit_log
		WHERE detail ->> 'role' = 'anna' AND path = 'by its privileges' AND action ~ '_user$'}),
		'role.set_user mia {"role": "anna"}, role.set_user carol {"was": "mia", "role": "anna"},'
		  . ' role.unset_user carol {"role": "anna"}, role.set_user mia {"role": "anna"}', 'as it does of all that was recorded');
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
	my $logged_in = connect_to($node, 'former');
	is(state($logged_in), $sees{erin}, '(with which a session begins)');
	$admin->query(q{SELECT cnap_distrust('former')});
	is(state($logged_in), $NOBODY, 'it ends with the trust, at once');
	$logged_in->quit;
	logs_in_as('former', 'nobody', 'which is taken with the trust');
	is($node->safe_psql('other', q{SELECT coalesce(cnap_current_user(), 'nobody')}, extra_params => [ '-U', 'former' ]), 'nobody', 'in every database');
	is($admin->query('SELECT count(*) FROM pg_db_role_setting'), 0, 'and from the catalog');

	foreach my $statement ('SELECT app.of_former()', 'SELECT app.asks_about_erin()', 'TABLE app.about_erin', "SET cnap.user_id = 'erin'",
		"ALTER ROLE former SET cnap.user_id = 'erin'", 'CREATE TABLE app.t (w uuid REFERENCES cnap.workspace)')
	{
		refused($session, "what it has made, or tries again: $statement", $statement, '42501');
	}
	$session->quit;
	$admin->query('DROP OWNED BY former; DROP ROLE former');
}

# A member of a trusted role, which nobody thinks of when the trust ends, and one who leaves it
foreach my $end (q{SELECT cnap_distrust('team')}, 'REVOKE team FROM former', 'ALTER ROLE former NOINHERIT', 'ALTER ROLE former NOSUPERUSER')
{
	$admin->query(q{CREATE ROLE team; CREATE ROLE former LOGIN; GRANT plain TO former; GRANT USAGE ON SCHEMA app TO former; GRANT SELECT ON app.deployment TO former});
	$admin->query($end =~ /SUPERUSER/ ? 'ALTER ROLE former SUPERUSER' : q{SELECT cnap_trust('team'); GRANT team TO former});
	my $session = connect_to($node, 'former', "ALTER ROLE former SET cnap.user_id = 'erin'");
	$session->quit;
	$session = connect_to($node, 'former');
	is($session->query('SELECT cnap_current_user()'), 'erin', "(before $end)");
	my $version = major_version($node);
	$admin->query($end =~ /NOINHERIT/ && $version >= 16 ? 'GRANT team TO former WITH INHERIT FALSE' : $end);
	is(state($session), $NOBODY, "an open session after $end");
	logs_in_as('former', 'nobody', "a login after $end");
	like($admin->query('SELECT rule, severity, remedy FROM cnap_lint()'),
		qr/^identity_ignored\|notice\|ALTER ROLE former RESET cnap.user_id;$/m, 'the linter tells');
	$session->quit;
	$admin->query('DROP OWNED BY former, team; DROP ROLE former, team');
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
	[ 'anna2', 'mia', "mia reaches $W1,$W2,$ASSIGNED,$ACTIVATED", '42704', ],
	[ 'cnap_app', 'mia', "mia reaches $W1,$W2,$ASSIGNED,$ACTIVATED", '42704', "SET cnap.user_id = 'mia'" ],
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
my @maintenance = ('ANALYZE traps.t', 'VACUUM ANALYZE traps.t', 'REINDEX TABLE traps.t', 'REINDEX TABLE CONCURRENTLY traps.t',
	'CLUSTER traps.t USING trap_index', 'VACUUM FULL traps.t', 'REFRESH MATERIALIZED VIEW traps.m');
foreach my $maintenance (@maintenance)
{
	my $system = connect_to($node, undef);
	$system->attempt($maintenance);
	is($system->query("SELECT count(*) FROM cnap.workspace WHERE id = '$W3'"), 1, "somebody's function in $maintenance is not the system");
	$system->quit;
}

# Nor is it whoever the session's user is, by whatever source, also through somebody's definer function
{
	my $superuser = getpwuid($<);
	my $erins = act_as($node, 'postgres', 'erin', q{SELECT cnap_create_access_token('a script')});
	my %sources = (
		'a setting' => "SET cnap.user_id = 'erin'",
		'a token' => "SELECT cnap_authenticate('$erins', is_local => false)",
		'a role' => "SELECT cnap_set_role_user('$superuser', 'erin')",
		'claims' => q{SET cnap.claims_setting = 'test.claims'; SET test.claims = '{"sub": "erin"}'});

	$admin->query(q{
		CREATE TABLE traps.seen (what text);
		ALTER TABLE traps.seen OWNER TO plain;
		CREATE FUNCTION f.as_superuser() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT public.cnap_current_user()';
		GRANT EXECUTE ON FUNCTION f.as_superuser() TO plain;
		GRANT USAGE ON SCHEMA f TO plain});
	$admin->query(q{
		SET ROLE plain;
		CREATE FUNCTION traps.attempt() RETURNS void LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO traps.seen SELECT concat_ws(' ', public.cnap_current_user(), f.as_superuser(), note) FROM app.deployment;
			INSERT INTO traps.seen VALUES ('ran'), (public.cnap_current_user()), (f.as_superuser()),
				(nullif(public.cnap_accessible_workspaces()::text, '{}'));
			INSERT INTO traps.seen VALUES (public.cnap_create_access_token('theirs'));
		EXCEPTION WHEN invalid_authorization_specification THEN
			INSERT INTO traps.seen VALUES (sqlerrm), (public.cnap_current_user()), (f.as_superuser()),
				(nullif(public.cnap_accessible_workspaces()::text, '{}'));
			INSERT INTO traps.seen SELECT note FROM app.deployment;
		END $$;
		CREATE OR REPLACE FUNCTION traps.trap(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
		BEGIN
			PERFORM traps.attempt();
			RETURN $1;
		END $$;
		RESET ROLE});
	foreach my $source (sort keys %sources)
	{
		foreach my $maintenance (@maintenance)
		{
			my $session = connect_to($node, undef, $sources{$source});

			$admin->query('TRUNCATE traps.seen');
			is($session->query('SELECT cnap_current_user(), bool_or(cnap_can_access(id)) FROM cnap.workspace'), 'erin|t',
				"(erin is the user by $source, whom a check has seen)");
			$session->attempt($maintenance);
			is($admin->query(q{SELECT coalesce(string_agg(DISTINCT what, ', '), 'nothing') FROM traps.seen}), 'no current user',
				"somebody's function in $maintenance is nobody by $source");
			is($session->query('SELECT cnap_current_user()'), 'erin', 'who maintains is who it was');
			$session->quit;
		}
		$admin->query("SELECT cnap_set_role_user('$superuser', NULL)");
	}
}

# What a role does itself in the same ways, it does as the current user.
{
	my $session = connect_to($node, 'plain', 'CREATE MATERIALIZED VIEW traps.own AS SELECT note, cnap_current_user() FROM app.deployment');
	is($session->query('TABLE traps.own'), '', 'a materialized view without a user has nothing');
	$session->quit;
	$admin->query(q{SELECT cnap_set_role_user('anna', 'mia')});
	$session = connect_to($node, 'anna', q{SET ROLE plain; REFRESH MATERIALIZED VIEW traps.own});
	is($session->query(q{SELECT string_agg(DISTINCT cnap_current_user, ',') FROM traps.own}), 'mia', 'one that its owner refreshes has what the user sees');
	$session->query('RESET ROLE');
	$session->quit;
	$session = connect_to($node, undef, q{SET cnap.user_id = 'mia'; REFRESH MATERIALIZED VIEW traps.own});
	is($session->query('TABLE traps.own'), '', 'one that somebody else refreshes has nothing');
	$admin->query(q{CREATE MATERIALIZED VIEW traps.made AS SELECT cnap_create_workspace('made') WITH NO DATA; ALTER MATERIALIZED VIEW traps.made OWNER TO plain});
	$session->attempt('REFRESH MATERIALIZED VIEW traps.made');
	like($session->{error}, qr/28000: no current user.*HINT:  Let the owner execute the command/s, 'and the error says who should');
	$session->quit;
}

$node->stop;
done_testing();
