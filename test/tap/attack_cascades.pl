#
# attack_cascades.pl: an ordinary owner of tables that refer to what a superuser deletes or changes
#
# Triggers and rules of mallory's, and what they do, call a function of hers, which raises an error if a
# superuser executes it. Each way of coming to that is tried with a workspace of its own.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapTest;
use Test::More;

my $node = new_node('main', '');
my $setup = connect_to($node, undef, 'CREATE EXTENSION cnap_org', 'CREATE ROLE mallory LOGIN', 'CREATE ROLE carol LOGIN',
	'CREATE SCHEMA own AUTHORIZATION mallory', 'CREATE SCHEMA other AUTHORIZATION carol',
	q{SELECT cnap_trust(r) FROM unnest('{mallory, carol}'::regrole[]) r},
	'CREATE TABLE fired (place text, by name)', 'GRANT INSERT ON fired TO public',
	q{CREATE FUNCTION wrapped(kind text, id uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN EXECUTE format('SELECT cnap_delete_%s(%L)', kind, id); END$$});
my $mallory = connect_to($node, 'mallory',
	'SET search_path = own',
	q{CREATE FUNCTION trap(place text) RETURNS int LANGUAGE plpgsql AS $$
		BEGIN
			IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
				RAISE EXCEPTION 'executed as a superuser: %', place;
			END IF;
			INSERT INTO public.fired VALUES (place, current_user);
			RETURN 1;
		END$$},
	q{CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM own.trap(TG_NAME); RETURN coalesce(OLD, NEW); END$$},
	# what a trigger of hers does
	'CREATE TABLE queue (id int)',
	'CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON queue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fires()',
	q{CREATE FUNCTION enqueues() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO own.queue VALUES (1); RETURN OLD; END$$},
	q{CREATE FUNCTION becomes() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN SET SESSION AUTHORIZATION DEFAULT; PERFORM own.trap(TG_NAME); RETURN OLD; END$$},
	q{CREATE FUNCTION enqueued() RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO own.queue VALUES (1); RETURN true; END$$},
	'CREATE TYPE boxed AS (id uuid)',
	q{CREATE FUNCTION unbox(boxed) RETURNS uuid LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO own.queue VALUES (1); RETURN $1.id; END$$},
	'CREATE CAST (boxed AS uuid) WITH FUNCTION unbox AS IMPLICIT', 'GRANT USAGE ON SCHEMA own TO carol');
my $number = 0;

# case_of(NAME, EXPECTED, STATEMENT...): with what mallory has created by the statements, a superuser deletes
# the workspace or organization that :id stands for. The error must match what is expected, if any.
sub case_of
{
	my ($name, $expected, @statements) = @_;
	my $kind = "@statements" =~ /cnap\.organization/ ? 'organization' : 'workspace';

	foreach my $statement ("SELECT cnap_delete_$kind(:id)", "SELECT public.wrapped('$kind', :id)")
	{
		my $id = sprintf '%08d-0000-4000-8000-000000000000', ++$number;
		my $session = connect_to($node, undef);
		my $table = "c$number";

		$session->query(qq{INSERT INTO cnap.$kind (id, name, } . ($kind eq 'workspace' ? 'owner_id, ' : '') .
			  qq{created_at) VALUES ('$id', 'x', } . ($kind eq 'workspace' ? q{'olga', } : '') . q{'2024-01-01')});
		foreach my $sql (@statements)
		{
			my $sent = $sql =~ s/:id/'$id'/gr =~ s/\{t\}/$table/gr;

			if ($sent =~ s/^carol: //)
			{
				connect_to($node, 'carol', $sent)->quit;
			}
			elsif ($sent =~ s/^superuser: //)
			{
				$session->query($sent);
			}
			else
			{
				$mallory->query($sent);
			}
		}
		$session->query('TRUNCATE fired');
		my $delete = $statement =~ s/:id/'$id'/r;
		$session->attempt($delete);
		like($session->{error}, $expected, "$name: $delete");
		$session->query(q{DO $$ DECLARE t regclass; BEGIN
			FOR t IN SELECT oid FROM pg_class WHERE relname ~ '^c[0-9]' AND relkind IN ('r', 'p') AND NOT relispartition LOOP
				EXECUTE format('DROP TABLE %s CASCADE', t);
			END LOOP; END $$});
		$session->quit;
	}
	return;
}

# who_fired(): the triggers that were executed by the last case, and as whom
sub who_fired
{
	return $setup->query(q{SELECT string_agg(DISTINCT place || ' ' || by, ', ' ORDER BY place || ' ' || by) FROM fired}) // '';
}

my $none = qr/^$/;
my $has_roles = major_version($node) >= 18;
my $restricted = $has_roles ? $none : qr/security-restricted operation/;
my $reference = 'uuid REFERENCES cnap.workspace ON DELETE CASCADE';
my @table = ("CREATE TABLE {t} (w $reference)", 'INSERT INTO {t} VALUES (:id)');
my $after = 'CREATE TRIGGER x_after AFTER DELETE OR UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION fires()';
my $before = $after =~ s/after/before/gir;

# ---- whose code it is executes it ----

case_of('AFTER trigger', $none, @table, $after);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('BEFORE trigger', $none, @table, $before);
is(who_fired(), 'x_before mallory', 'as its owner');
case_of('statement trigger', $none, @table, $after =~ s/ROW/STATEMENT/r);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('of an organization', $none, 'CREATE TABLE {t} (o uuid REFERENCES cnap.organization ON DELETE CASCADE)',
	'INSERT INTO {t} VALUES (:id)', $after);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('SET NULL', $none, 'CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON DELETE SET NULL)', 'INSERT INTO {t} VALUES (:id)',
	$after);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('second level', $none, "CREATE TABLE {t}_up (id int PRIMARY KEY, w $reference)",
	'CREATE TABLE {t} (up int REFERENCES {t}_up ON DELETE CASCADE)', 'INSERT INTO {t}_up VALUES (1, :id)',
	'INSERT INTO {t} VALUES (1)', $after);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('SET DEFAULT', $none, 'CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON DELETE SET DEFAULT)', 'INSERT INTO {t} VALUES (:id)',
	$after);
is(who_fired(), 'x_after mallory', 'as its owner');
foreach my $action ('CASCADE', 'SET NULL', 'SET DEFAULT')
{
	case_of("updated at the second level, $action", $none,
		'CREATE TABLE {t}_up (w uuid UNIQUE REFERENCES cnap.workspace ON DELETE SET NULL, id int)',
		"CREATE TABLE {t} (w uuid REFERENCES {t}_up (w) ON UPDATE $action)", 'INSERT INTO {t}_up VALUES (:id)',
		'INSERT INTO {t} VALUES (:id)', $after);
	is(who_fired(), 'x_after mallory', 'as its owner');
}
case_of('of a table that is first known to lose rows, and then to be updated', $none,
	"CREATE TABLE {t}_mid (w $reference, other uuid UNIQUE)", "CREATE TABLE {t}_up (w $reference UNIQUE)",
	'ALTER TABLE {t}_mid ADD FOREIGN KEY (other) REFERENCES {t}_up (w) ON DELETE SET NULL',
	'CREATE TABLE {t} (w uuid REFERENCES {t}_mid (other) ON UPDATE CASCADE)', 'INSERT INTO {t}_up VALUES (:id)',
	'INSERT INTO {t}_mid (other) VALUES (:id)', 'INSERT INTO {t} VALUES (:id)', $after);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('partition', $none, "CREATE TABLE {t}_all (w $reference) PARTITION BY LIST (w)",
	'CREATE TABLE {t} PARTITION OF {t}_all DEFAULT', 'INSERT INTO {t} VALUES (:id)', $after);
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('rule', $none, @table, 'CREATE TABLE {t}_old (w uuid)', $after =~ s/\{t\}/{t}_old/r =~ s/DELETE/INSERT/r,
	'CREATE RULE also AS ON DELETE TO {t} DO ALSO INSERT INTO {t}_old VALUES (OLD.w)');
is(who_fired(), 'x_after mallory', 'as its owner');
case_of('becoming the superuser again', qr/cannot set parameter "session_authorization"/, @table, $after =~ s/fires/becomes/r);
case_of('disabled trigger', $none, @table, $after, 'ALTER TABLE {t} DISABLE TRIGGER x_after');
is(who_fired(), '', 'not at all');

# a trigger that comes while the superuser looks for them
{
	my $id = sprintf '%08d-0000-4000-8000-000000000000', ++$number;
	my $superuser = connect_to($node, undef, "INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$id', 'x', 'olga')", 'TRUNCATE fired');

	$mallory->query($_ =~ s/:id/'$id'/r =~ s/\{t\}/late/gr) foreach @table, 'BEGIN', $after;
	$superuser->begin("SELECT cnap_delete_workspace('$id')");
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'own.late'::regclass AND NOT granted});
	$mallory->query('COMMIT');
	$superuser->finish;
	is($superuser->{error}, '', 'a trigger that comes meanwhile');
	is(who_fired(), 'x_after mallory', 'as its owner');
	$mallory->query('DROP TABLE late');
	$superuser->quit;
}

# ---- and leaves no settings in the superuser's session ----

foreach my $trigger ($before, $after)
{
	my $id = $setup->query(q{SELECT cnap_create_workspace('x', owner => 'olga')});
	my $superuser = connect_to($node, undef);

	$mallory->query($_ =~ s/:id/'$id'/r =~ s/\{t\}/settings/gr) foreach @table,
	  q{CREATE OR REPLACE FUNCTION sets() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN SET search_path = own; SET cnap.user_id = 'mallory'; PERFORM own.trap(TG_NAME); RETURN OLD; END $$};
	$mallory->query($trigger =~ s/fires/sets/r =~ s/\{t\}/settings/r);
	$setup->query('TRUNCATE fired');
	$superuser->query("SELECT cnap_delete_workspace('$id')");
	isnt(who_fired(), '', 'a trigger that makes settings is executed');
	is($superuser->query(q{SELECT current_setting('search_path') || ', ' || coalesce(public.cnap_current_user(), 'nobody')}),
		'"$user", public, nobody', 'and the settings end with it');
	$mallory->query('DROP TABLE settings');
	$superuser->quit;
}

# ---- a key that is changed ----

{
	my $superuser = connect_to($node, undef);
	my $id = $superuser->query(q{SELECT cnap_create_organization('Acme', 'acme', owner => 'olga')});
	my $slug = 0;
	# rename(EXPECTED, NAME): the superuser gives the organization another slug
	my $rename = sub {
		my ($expected, $name) = @_;

		$superuser->query('TRUNCATE fired');
		$superuser->attempt(sprintf "SELECT cnap_update_organization('%s', slug => 'acme-%d')", $id, ++$slug);
		like($superuser->{error}, $expected, $name);
		return;
	};

	$mallory->query($_ =~ s/\{t\}/slugs/gr) foreach 'CREATE TABLE {t} (s text REFERENCES cnap.organization (slug) ON UPDATE CASCADE)',
	  q{INSERT INTO {t} VALUES ('acme')}, $after;
	connect_to($node, 'carol', 'CREATE TABLE other.t (o uuid REFERENCES cnap.organization ON DELETE CASCADE)',
		'CREATE TRIGGER x_carol AFTER DELETE ON other.t FOR EACH ROW EXECUTE FUNCTION own.fires()')->quit;
	$rename->($none, 'a new slug, which is cascaded');
	is(who_fired(), 'x_after mallory', 'as its owner');
	$mallory->query('CREATE TRIGGER x_queue AFTER UPDATE ON slugs FOR EACH ROW EXECUTE FUNCTION enqueues()');
	$rename->($restricted, 'a new slug, and a deferred trigger');
	$superuser->query('TRUNCATE fired');
	$superuser->attempt("SELECT cnap_update_organization('$id', name => 'Acme Corporation')");
	is($superuser->{error}, '', 'a new name');
	is(who_fired(), '', 'is cascaded to nobody');
	$mallory->query('DROP TABLE slugs');
	$superuser->query('DROP TABLE other.t');
	$superuser->quit;
}

# ---- nothing is put off until the superuser commits ----

case_of('deferred trigger', $restricted, @table, 'CREATE CONSTRAINT TRIGGER x_deferred AFTER DELETE ON {t}
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fires()');
case_of('deferred by a BEFORE trigger', $restricted, @table, $before =~ s/fires/enqueues/r);
case_of('deferred by an AFTER trigger', $restricted, @table, $after =~ s/fires/enqueues/r);
case_of('deferred by a cast', $has_roles ? qr/violates foreign key constraint/ : $restricted,
	"CREATE TABLE {t}_up (w uuid PRIMARY KEY REFERENCES cnap.workspace ON DELETE CASCADE)",
	'CREATE TABLE {t} (w boxed REFERENCES {t}_up)', 'INSERT INTO {t}_up VALUES (:id)', 'INSERT INTO {t} VALUES (ROW(:id))');
case_of('deferred by an expression', $restricted, 'CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON DELETE SET NULL,
	CHECK (w IS NOT NULL OR own.enqueued()))', 'INSERT INTO {t} VALUES (:id)');
case_of('deferred by an expression, behind a table of the superuser', $restricted,
	'superuser: CREATE TABLE public.{t}_up (w uuid UNIQUE REFERENCES cnap.workspace ON DELETE SET NULL); GRANT REFERENCES ON public.{t}_up TO mallory',
	'CREATE TABLE {t} (w uuid REFERENCES public.{t}_up (w) ON UPDATE SET NULL, CHECK (w IS NOT NULL OR own.enqueued()))',
	'superuser: INSERT INTO public.{t}_up VALUES (:id)', 'INSERT INTO {t} VALUES (:id)');
# the planner calls what is declared immutable
$mallory->query(q{CREATE FUNCTION constant() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END'});
my @swap = (
	'CREATE OR REPLACE FUNCTION constant() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN own.enqueued(); END $$');
my @swap_back = map { s/own.enqueued\(\)/true/r } @swap;
foreach my $planned (
	[ 'predicate of an index', 'CREATE INDEX ON {t} (w) WHERE own.constant()' ],
	[ 'expression of an index', 'CREATE INDEX ON {t} ((own.constant()))' ],
	[ 'predicate of an exclusion constraint', 'ALTER TABLE {t} ADD EXCLUDE USING btree (w WITH =) WHERE (own.constant())' ],
	[ 'statistics', 'CREATE STATISTICS {t}_s ON (own.constant()), w FROM {t}' ])
{
	foreach my $action ('CASCADE', 'NO ACTION')
	{
		case_of("deferred by the $planned->[0], $action", $restricted, @swap_back,
			"CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON DELETE $action)", $planned->[1], @swap);
	}
}
foreach my $action ('CASCADE', 'NO ACTION')
{
	case_of("deferred by the CHECK of a partition, $action", $restricted, @swap_back,
		"CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON DELETE $action) PARTITION BY LIST (w)",
		'CREATE TABLE {t}_part PARTITION OF {t} (CHECK (w IS NOT NULL OR own.constant())) DEFAULT', @swap);
	case_of("deferred by the key of a partitioned table, $action", $restricted, @swap_back,
		"CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON DELETE $action, b boolean) PARTITION BY LIST ((b AND own.constant()))",
		'CREATE TABLE {t}_part PARTITION OF {t} DEFAULT', @swap);
}
$mallory->query(@swap_back);
# but a foreign key is
case_of('deferred foreign key', $none, 'CREATE TABLE {t} (w uuid REFERENCES cnap.workspace DEFERRABLE INITIALLY DEFERRED)');
case_of('deferred foreign key that holds', qr/violates foreign key constraint/,
	'CREATE TABLE {t} (w uuid REFERENCES cnap.workspace DEFERRABLE INITIALLY DEFERRED)', 'INSERT INTO {t} VALUES (:id)');

# ---- several owners ----

my @of_carol = (
	"carol: CREATE TABLE other.{t} (w $reference)",
	'carol: INSERT INTO other.{t} VALUES (:id)',
	'carol: CREATE TRIGGER x_carol AFTER DELETE ON other.{t} FOR EACH ROW EXECUTE FUNCTION own.fires()');

case_of('tables of two owners', $has_roles ? $none : qr/triggers of several roles would be fired for a superuser/, @table, $after,
	@of_carol);

# the deletion of an organization changes workspaces, but not what refers to them
{
	my @refers = ('CREATE TABLE {t} (w uuid REFERENCES cnap.workspace ON UPDATE CASCADE)',
		'CREATE TRIGGER x_never AFTER UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION own.fires()');
	my $superuser = connect_to($node, undef);

	$mallory->query(s/\{t\}/referring/r) foreach @refers;
	connect_to($node, 'carol', map { s/\{t\}/other.referring/r } @refers)->quit;
	my $id = $superuser->query(q{SELECT cnap_create_organization('Acme', owner => 'olga')});
	$superuser->attempt("SELECT cnap_delete_organization('$id')");
	is($superuser->{error}, '', 'tables of two owners that refer to workspaces, and the deletion of an organization');
	$superuser->quit;
}

# a trigger that writes down who deletes, in the same way whichever role deletes for the user
$mallory->query($_)
  foreach ('CREATE TABLE deleted (who text)', 'GRANT INSERT ON deleted TO PUBLIC',
	'CREATE TABLE noted (w uuid REFERENCES cnap.workspace ON DELETE CASCADE)',
	q{CREATE FUNCTION notes() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO own.deleted VALUES (public.cnap_current_user()); RETURN OLD; END$$},
	'CREATE TRIGGER x AFTER DELETE ON noted FOR EACH ROW EXECUTE FUNCTION notes()');
foreach my $role (undef, 'carol')
{
	my $session = connect_to($node, $role, q{SET cnap.user_id = 'olga'});
	my $id = $session->query(q{SELECT cnap_create_workspace('Noted')});

	$mallory->query("INSERT INTO noted VALUES ('$id')");
	$session->query("SELECT cnap_delete_workspace('$id')");
	is($mallory->query('DELETE FROM deleted RETURNING who'), 'olga',
		'a trigger sees for whom ' . ($role // 'a superuser') . ' deletes');
	$session->quit;
}

$node->stop;
done_testing();
