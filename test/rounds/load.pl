#
# load.pl: what a day's load, without its pauses, leaves behind
#
# Each round, five sessions that stay connected make two thousand changes by the public functions, as
# users who may and users who may not, each in a transaction of its own, and read as other users
# meanwhile, while autovacuum runs. At ten changes a second, a day has 432 rounds. The functions must
# not run into deadlocks, nor end with a SQLSTATE that the reference does not have for them; what
# sessions keep in memory, with a cache that is soon full, and what the tables take on disk must not
# grow with the rounds; and in the end the answers of sessions that have seen it all are those of the
# rules, written as plain SQL.
#
#   CNAP_ROUNDS  number of rounds
#   CNAP_SEED    seed of the random numbers
#
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../tap";

use CnapTest;
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{CNAP_ROUNDS} // 8;
my $seed = $ENV{CNAP_SEED} // time;
my $changes = 400;
my $sessions = 5;

my $node = new_node('load', <<'END');
log_statement = none
log_min_duration_statement = -1
autovacuum_naptime = 1s
autovacuum_vacuum_threshold = 200
autovacuum_vacuum_cost_delay = 0
cnap.cache_size = 1MB
deadlock_timeout = 200ms
END

$node->safe_psql('postgres', q{
	CREATE EXTENSION cnap_org;
	CREATE ROLE app LOGIN;
	SELECT cnap_trust('app');
	CREATE TABLE doc (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE);
	CREATE INDEX ON doc (workspace_id);
	SELECT cnap_protect('doc');
	GRANT SELECT, INSERT, DELETE ON doc TO app;
	INSERT INTO cnap.workspace (name, owner_id) SELECT 'W', 'u' || n % 60 FROM generate_series(1, 150) n;
	-- people with more workspaces than the planner reads at once (CNAP_SMALL_SET), who come and go elsewhere
	INSERT INTO cnap.workspace (name, owner_id) SELECT 'L', 'boss' FROM generate_series(1, 600);
	INSERT INTO cnap.workspace_member (workspace_id, user_id) SELECT id, 'v' || n FROM cnap.workspace, generate_series(0, 3) n WHERE name = 'L';
	INSERT INTO doc (workspace_id) SELECT id FROM cnap.workspace, generate_series(1, CASE name WHEN 'W' THEN 10 ELSE 1 END);
	WITH o AS (INSERT INTO cnap.organization (name) SELECT 'O' FROM generate_series(1, 40) RETURNING id)
	INSERT INTO cnap.organization_member (organization_id, user_id, role) SELECT id, 'u' || row_number() OVER (), 'owner' FROM o;

	CREATE SCHEMA test;
	CREATE TABLE test.outcome (function text, sqlstate text, times bigint, PRIMARY KEY (function, sqlstate));
	CREATE FUNCTION test.one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT choices[1 + floor(random() * cardinality(choices))::int]';
	CREATE FUNCTION test.person() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'u' || floor(random() * 60)::int $$;
	CREATE FUNCTION test.large_person() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'v' || floor(random() * 4)::int $$;

	-- the call, by that user, or by the system; its result, or null if it was refused
	CREATE FUNCTION test.attempt(who text, call text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
		state text := '00000';
	BEGIN
		PERFORM set_config('cnap.user_id', coalesce(who, ''), true);
		BEGIN
			EXECUTE 'SELECT ' || call INTO result;
		EXCEPTION WHEN OTHERS THEN
			state := SQLSTATE;
			IF state = '40P01' OR state LIKE 'XX%' THEN
				RAISE;
			END IF;
		END;
		PERFORM set_config('test.outcomes', coalesce(current_setting('test.outcomes', true), '') || split_part(call, '(', 1) || ' ' || state || E'\n', false);
		RETURN result;
	END $$;

	-- a change, or two of which the second needs the result of the first
	CREATE PROCEDURE test.change() LANGUAGE plpgsql AS $$
	DECLARE
		kind int := floor(random() * 24);
		w cnap.workspace;
		o uuid;
		boss text;				-- of the organization
		who text := test.person();
		other text := test.person();
		member text;
		token text;
	BEGIN
		SELECT * INTO w FROM cnap.workspace WHERE name = 'W' ORDER BY random() LIMIT 1;
		SELECT id INTO o FROM cnap.organization ORDER BY random() LIMIT 1;
		SELECT user_id INTO boss FROM cnap.organization_member WHERE organization_id = o AND role = 'owner' ORDER BY random() LIMIT 1;
		SELECT user_id INTO member FROM cnap.workspace_member WHERE workspace_id = w.id ORDER BY random() LIMIT 1;
		member := coalesce(member, other);
		COMMIT;
		IF random() < 0.85 THEN
			who := w.owner_id;
		END IF;
		IF random() < 0.2 AND kind <> 23 THEN
			other := test.large_person();
		END IF;
		CASE kind
			WHEN 0 THEN
				PERFORM test.attempt(other, 'cnap_create_workspace(''W'')');
			WHEN 1 THEN
				IF (SELECT count(*) FROM cnap.workspace WHERE name = 'W') > 150 THEN
					PERFORM test.attempt(who, format('cnap_delete_workspace(%L)', w.id));
				END IF;
			WHEN 2 THEN
				IF (SELECT count(*) FROM cnap.organization) < 40 THEN
					PERFORM test.attempt(other, 'cnap_create_organization(''O'')');
				ELSE
					PERFORM test.attempt(boss, format('cnap_delete_organization(%L)', o));
				END IF;
			WHEN 3, 4 THEN
				PERFORM test.attempt(who, format('cnap_add_workspace_member(%L, %L, %L)', w.id, other, test.one_of('member', 'admin')));
			WHEN 5, 6 THEN
				PERFORM test.attempt(who, format('cnap_remove_workspace_member(%L, %L)', w.id, member));
			WHEN 7 THEN
				PERFORM test.attempt(who, format('cnap_set_workspace_role(%L, %L, %L)', w.id, member, test.one_of('member', 'admin')));
			WHEN 8 THEN
				PERFORM test.attempt(member, format('cnap_leave_workspace(%L)', w.id));
			WHEN 9 THEN
				PERFORM test.attempt(who, format('cnap_transfer_workspace(%L, %L)', w.id, member));
			WHEN 10, 11 THEN
				PERFORM test.attempt(who, format('cnap_grant_management(%L, %L, %L, now() + %L::interval, %L)', w.id, o, test.one_of('member', 'admin'),
					test.one_of('1 hour', '50 ms', NULL), test.one_of('all', 'all', 'assigned', 'activated')));
			WHEN 12 THEN
				PERFORM test.attempt(who, format('cnap_revoke_management(%L)', w.id));
			WHEN 13, 14 THEN
				PERFORM test.attempt(boss, format('cnap_add_organization_member(%L, %L, %L)', o, other, test.one_of('member', 'member', 'admin', 'owner')));
			WHEN 15, 16 THEN
				PERFORM test.attempt(boss, format('cnap_remove_organization_member(%L, %L)', o, other));
			WHEN 17 THEN
				PERFORM test.attempt(boss, format('cnap_set_organization_role(%L, %L, %L)', o, other, test.one_of('member', 'admin', 'owner')));
			WHEN 18 THEN
				token := test.attempt(who, format('cnap_invite_to_workspace(%L, ''member'')', w.id));
				COMMIT;
				PERFORM test.attempt(other, format('cnap_accept_invitation(%L)', token)) WHERE token IS NOT NULL;
			WHEN 19 THEN
				token := test.attempt(boss, format('cnap_invite_to_organization(%L)', o));
				COMMIT;
				PERFORM test.attempt(other, format('%s(%L)', test.one_of('cnap_accept_invitation', 'cnap_decline_invitation'), token)) WHERE token IS NOT NULL;
			WHEN 20 THEN
				token := test.attempt(boss, format('cnap_create_install_link(%L, max_uses => 1)', o));
				COMMIT;
				PERFORM test.attempt(who, format('cnap_redeem_install_link(%L, %L)', token, w.id)) WHERE token IS NOT NULL;
			WHEN 21 THEN
				token := test.attempt(other, 'cnap_create_access_token(''T'', now() + interval ''1 hour'')');
				COMMIT;
				PERFORM test.attempt(NULL, format('cnap_authenticate(%L)', token)) WHERE token IS NOT NULL;
			WHEN 22 THEN
				SELECT user_id INTO member FROM cnap.organization_member WHERE organization_id = w.managed_by ORDER BY random() LIMIT 1;
				SELECT user_id INTO boss FROM cnap.organization_member WHERE organization_id = w.managed_by AND role = 'owner' ORDER BY random() LIMIT 1;
				COMMIT;
				IF w.managed_access = 'activated' THEN
					PERFORM test.attempt(member, format('cnap_activate_management(%L, ''ticket'', interval ''1 minute'')', w.id));
				ELSIF member IS NOT NULL THEN
					PERFORM test.attempt(boss, format('cnap_assign_manager(%L, %L)', w.id, member));
				END IF;
			WHEN 23 THEN
				IF random() < 0.2 THEN
					PERFORM test.attempt(NULL, format('cnap_forget_user(%L, %L)', other, test.person()));
				END IF;
		END CASE;
	END $$;

	-- what the session has counted
	CREATE FUNCTION test.count_outcomes() RETURNS void LANGUAGE sql AS $$
		INSERT INTO test.outcome AS o SELECT split_part(line, ' ', 1), split_part(line, ' ', 2), count(*)
		FROM regexp_split_to_table(current_setting('test.outcomes', true), E'\n') line WHERE line <> '' GROUP BY 1, 2 ORDER BY 1, 2
		ON CONFLICT (function, sqlstate) DO UPDATE SET times = o.times + EXCLUDED.times;
		SELECT set_config('test.outcomes', '', false);
	$$;

	-- the pairs about which the checks and the rules differ
	CREATE FUNCTION test.differences() RETURNS bigint LANGUAGE sql VOLATILE AS $$
		SELECT count(*) FROM (SELECT 'u' || n FROM generate_series(0, 59) n UNION ALL SELECT 'v' || n FROM generate_series(0, 3) n) p (u), cnap.workspace w
		WHERE cnap_can_access(u, w.id) <> (w.owner_id = u
			OR EXISTS (SELECT FROM cnap.workspace_member m WHERE (m.workspace_id, m.user_id) = (w.id, u))
			OR (EXISTS (SELECT FROM cnap.organization_member m WHERE (m.organization_id, m.user_id) = (w.managed_by, u))
				AND coalesce(w.managed_until, 'infinity') > clock_timestamp()
				AND (w.managed_access = 'all' OR EXISTS (SELECT FROM cnap.assignment a
					WHERE (a.workspace_id, a.user_id) = (w.id, u) AND coalesce(a.until, 'infinity') > clock_timestamp()))))
	$$;
});

my $admin = connect_to($node, undef);
my @writers = map { connect_to($node, undef, 'SELECT setseed(' . ($seed * 7 + $_) % 1000 / 1000 . ')') } 1 .. $sessions;
my @processes = map { $_->query('SELECT pg_backend_pid()') } @writers;
my $reading = q{SET ROLE app; SELECT set_config('cnap.user_id', test.person(), false) \\g /dev/null
	SELECT count(*) FROM doc \\g /dev/null
	SELECT count(*) FROM cnap_workspaces() \\g /dev/null
	SELECT set_config('cnap.user_id', test.large_person(), false) \\g /dev/null
	SELECT count(*) FROM doc \\g /dev/null
	RESET ROLE; SET cnap.user_id = ''};
my $script = join ";\n", map { ('CALL test.change()', $_ % 10 ? () : $reading) } 1 .. $changes;
my $sizes = q{SELECT (sum(pg_total_relation_size(oid)) / 1024)::int FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r'};

$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA test TO app; GRANT EXECUTE ON FUNCTION test.person(), test.large_person() TO app');

# The most kilobytes that a session keeps for itself, and those of all tables
my (@memory, @disk);
my $failed = 0;

foreach my $round (1 .. $rounds)
{
	$_->begin($script) foreach @writers;
	foreach my $writer (@writers)
	{
		$writer->finish;
		$failed += complaint("round $round: $writer->{error}") if $writer->{error} ne '';
		$writer->query('SELECT test.count_outcomes()');
	}
	$admin->query(q{SELECT cnap_prune_audit('1 second')});
	push @memory, max map { slurp_file("/proc/$_/status") =~ /^RssAnon:\s*(\d+) kB/m } @processes;
	push @disk, $admin->query($sizes);
}
is($failed, 0, 'no function fails in another way than by what the reference says');
is($admin->query(q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'}), '0', 'there were no deadlocks');

# the SQLSTATEs of each function in the reference; 40001 belongs to all
my %documented;
foreach (slurp_file('doc/reference.md') =~ /^\| (`cnap_.*) \|$/mg)
{
	my ($signature, undef, undef, $errors) = split / \| /, $_;
	$documented{ $signature =~ /^`(cnap_\w+)/ ? $1 : '' } .= ' ' . ($errors // '');
}
my @undocumented = grep {
	my ($function, $sqlstate) = split /\|/;
	$sqlstate !~ /^(00000|40001)$/ && $documented{$function} !~ /$sqlstate/
} split /\n/, $admin->query('SELECT function, sqlstate FROM test.outcome');
is("@undocumented", '', 'nor with a SQLSTATE that the reference does not have');
is(join(' ', map { $_->query('SELECT test.differences()') } @writers), join(' ', map { 0 } @writers), 'the answers of all sessions are those of the rules');

note("$rounds rounds with seed $seed: " . $admin->query(q{SELECT sum(times) || ' calls, of which ' || sum(times) FILTER (WHERE sqlstate = '00000') || ' made a change' FROM test.outcome}));
note("kilobytes of the largest session after each tenth of the rounds: @memory[map { int($_ * $#memory / 10) } 0 .. 10]");
note("kilobytes of all tables: @disk[map { int($_ * $#disk / 10) } 0 .. 10]");
cmp_ok($admin->query(q{SELECT count(*) FROM test.outcome WHERE sqlstate = '00000'}), '>', 15, 'functions of all kinds were called');

SKIP:
{
	skip 'too few rounds to see what grows', 2 if $rounds < 20;

	# the last quarter beside the second one
	my $quarter = int($rounds / 4);
	cmp_ok(max(@memory[ -$quarter .. -1 ]), '<', 1.2 * max(@memory[ $quarter .. 2 * $quarter - 1 ]), 'no session keeps more and more');
	cmp_ok(max(@disk[ -$quarter .. -1 ]), '<', 1.5 * max(@disk[ $quarter .. 2 * $quarter - 1 ]), 'nor do tables grow');
}

$_->quit foreach $admin, @writers;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|XX000|terminated by signal/, 'no internal errors');
done_testing();
