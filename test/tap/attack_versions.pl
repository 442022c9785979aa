# Attempts with what PostgreSQL 16 to 19 have brought: new commands and clauses, privileges and
# options of memberships. mia sees the workspace $W1, but not $W3, whose rows say UNSEEN. What
# PostgreSQL does not know yet is skipped.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use CnapAttack;
use CnapModel;
use CnapTest;
use Test::More;

# REPACK (CONCURRENTLY) decodes the WAL
my $node = new_world('main', "wal_level = replica\nmax_wal_senders = 4");
my $version = major_version($node);
my $admin = connect_to($node, undef, qq{
	CREATE ROLE dev LOGIN;
	CREATE ROLE mia LOGIN;
	SELECT cnap_set_role_user('mia', 'mia');
	SELECT cnap_trust('dev');
	GRANT ALL ON SCHEMA app TO dev;
	GRANT CREATE ON DATABASE postgres TO dev;
	GRANT USAGE ON SCHEMA app TO mia;
	SET ROLE dev;
	CREATE TABLE app.item (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, note text, n int);
	INSERT INTO app.item SELECT id, CASE id % 2 WHEN 0 THEN '$W1' ELSE '$W3' END::uuid,
			CASE id % 2 WHEN 0 THEN 'seen ' ELSE 'UNSEEN ' END || id, id
		FROM generate_series(1, 10) id;
	CREATE TABLE app.divided (LIKE app.item) PARTITION BY RANGE (id);
	CREATE TABLE app.divided_1 PARTITION OF app.divided FOR VALUES FROM (0) TO (5);
	CREATE TABLE app.divided_2 PARTITION OF app.divided DEFAULT;
	INSERT INTO app.divided TABLE app.item;
	SELECT cnap_protect(t) FROM unnest('{app.item, app.divided}'::regclass[]) t;
	GRANT SELECT, INSERT, UPDATE, DELETE ON app.item, app.divided TO mia;
	RESET ROLE});
my $mia = connect_to($node, 'mia');

# shows(ATTEMPT, STATEMENT, SQLSTATE, ROWS): a statement of mia's, which is rolled back, ends like
# that, and shows so many rows, but nothing of the others'
sub shows
{
	my ($attempt, $statement, $sqlstate, $rows) = @_;

	$mia->query('BEGIN');
	my $output = $mia->attempt($statement);
	my ($got, $error) = ($mia->{sqlstate}, $mia->{error});
	$mia->query('ROLLBACK');
	is($got, $sqlstate, $attempt);
	is(scalar(split /\n/, $output), $rows // 0, "$attempt: how many rows");
	unlike($output . $error, qr/UNSEEN/, "$attempt: nothing of the others'");
	return;
}

# findings(RULE): what the linter finds by a rule, a line for each
sub findings
{
	my ($rule) = @_;

	return $admin->query("SELECT object || ': ' || finding FROM cnap_lint() WHERE rule = '$rule' ORDER BY 1");
}

# close_with(RULE): executes the remedies
sub close_with
{
	my ($rule) = @_;

	$admin->query($admin->query("SELECT string_agg(remedy, ' ') FROM cnap_lint() WHERE rule = '$rule'"));
	return;
}

shows('SELECT', 'TABLE app.item', '00000', 5);

# ---- PostgreSQL 16: options of memberships, and CREATEROLE that is limited ----

SKIP: {
	skip 'before PostgreSQL 16', 1 if $version < 16;

	$admin->query(q{
		CREATE ROLE weak LOGIN;
		GRANT plain TO weak;
		GRANT cnap_app TO weak WITH INHERIT FALSE, SET FALSE});
	attempt_all('a member without SET and INHERIT', sub { connect_to($node, 'weak') },
		'SET' => q{SET cnap.user_id = 'erin'},
		'SET ROLE' => [ 'SET ROLE cnap_app', q{SET cnap.user_id = 'erin'} ],
		'SET, the library being loaded' => [ 'SELECT cnap_current_user()', q{SET cnap.user_id = 'erin'} ],
		'passing it on' => [ 'GRANT cnap_app TO weak WITH INHERIT TRUE', q{SET cnap.user_id = 'erin'} ]);

	$admin->query('CREATE ROLE creator LOGIN CREATEROLE');
	my $creator = connect_to($node, 'creator');
	refused($creator, 'CREATEROLE: GRANT of a trusted role', 'GRANT cnap_app TO creator', '42501');
	refused($creator, 'CREATEROLE: an identity for another role', q{ALTER ROLE mia SET cnap.user_id = 'erin'}, '42501');
	refused($creator, 'CREATEROLE: an identity for a role of its own',
		q{CREATE ROLE made; ALTER ROLE made SET cnap.user_id = 'erin'}, '42501');
	$creator->query('CREATE ROLE created');
	$admin->query(q{SELECT cnap_trust('created')});
	is(findings('role_may_be_trusted'), 'creator: can grant itself created, which is trusted, and so act as any user',
		'the linter finds who has created a role that was trusted then');
	$creator->query('GRANT created TO creator WITH SET TRUE');
	is(findings('role_may_be_trusted'), '', 'but not a member of one');
	is($creator->query(q{SET ROLE created; SET cnap.user_id = 'erin'; SELECT cnap_current_user()}), 'erin', '(which has the same privilege)');
	$creator->query('RESET ALL; RESET ROLE; REVOKE created FROM creator GRANTED BY creator');
	close_with('role_may_be_trusted');
	refused($creator, 'the remedy takes that away', 'GRANT created TO creator WITH SET TRUE', '42501');

	# likewise of other roles that matter
	$admin->query(q{
		CREATE ROLE granter LOGIN;
		CREATE ROLE bypass BYPASSRLS;
		CREATE ROLE owner;
		GRANT cnap_app, bypass, owner, pg_read_all_data TO granter WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
		CREATE ROLE via;
		GRANT via TO weak WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
		GRANT owner TO via WITH INHERIT TRUE, SET FALSE;
		GRANT owner TO mia WITH INHERIT FALSE, SET FALSE;
		ALTER TABLE app.item OWNER TO owner});
	my $granter = connect_to($node, 'granter', 'SELECT cnap_current_user()');
	refused($granter, 'a member with the ADMIN OPTION alone', q{SET cnap.user_id = 'erin'}, '42501');
	foreach my $finding (
		[ 'role_may_be_trusted', 'granter: can grant itself cnap_app, which is trusted, and so act as any user' ],
		[ 'role_may_bypass', 'granter: can grant itself bypass, which bypasses row-level security' ],
		[ 'role_owns', "granter: can grant itself owner, which owns protected tables and can disable row-level security\n"
			  . 'via: can disable row-level security as a member of owner, which owns protected tables' ],
		[ 'role_accesses_all', 'granter: can read all tables and views once it has granted itself pg_read_all_data,'
			  . ' including those of the extension, and views of owners that bypass row-level security' ])
	{
		my ($rule, $expected) = @$finding;

		is(findings($rule), $expected, "$rule: the linter finds members with the ADMIN OPTION alone");
		close_with($rule);
		is(findings($rule), '', "$rule: the remedy closes it");
	}
	refused($granter, "GRANT $_ afterwards", "GRANT $_ TO granter", '42501') foreach qw(cnap_app bypass owner);
	$admin->query('ALTER TABLE app.item OWNER TO dev');
	$_->quit foreach $creator, $granter;
}

SKIP: {
	skip 'since PostgreSQL 16', 1 if $version >= 16;

	my $creator = connect_to($node, undef, 'CREATE ROLE creator LOGIN CREATEROLE', 'SET ROLE creator');
	is(findings('role_may_be_trusted'), 'creator: can grant itself any role that is not a superuser, trusted ones included', 'CREATEROLE');
	$creator->query('GRANT cnap_app TO creator');
	is($creator->query(q{SET cnap.user_id = 'erin'; SELECT cnap_current_user()}), 'erin', '(so it is)');
	$creator->query('RESET cnap.user_id; REVOKE cnap_app FROM creator');
	close_with('role_may_be_trusted');
	refused($creator, 'the remedy takes that away', 'GRANT cnap_app TO creator', '42501');
	$creator->quit;
}

# ---- PostgreSQL 17: more of MERGE and COPY, and the privilege MAINTAIN ----

SKIP: {
	skip 'before PostgreSQL 17', 1 if $version < 17;

	my $without_match = 'MERGE INTO app.item t USING (SELECT 100 AS i) s ON t.id = s.i WHEN NOT MATCHED BY SOURCE';
	shows('MERGE that deletes what has no match', "$without_match THEN DELETE RETURNING t.*", '00000', 5);
	shows('MERGE that changes what has no match',
		"$without_match AND t.note ~ 'UNSEEN' THEN UPDATE SET n = 0 RETURNING t.*", '00000', 0);
	shows('MERGE that moves what has no match',
		"$without_match THEN UPDATE SET workspace_id = '$W3' RETURNING t.*", '42501');
	shows('MERGE that returns what it changes', 'MERGE INTO app.item t USING generate_series(1, 10) s (i) ON t.id = s.i'
		  . ' WHEN MATCHED THEN UPDATE SET n = 0 RETURNING merge_action(), t.*', '00000', 5);
	shows("MERGE that meets the key of another's row", 'MERGE INTO app.item t USING (SELECT 1 AS i) s ON t.id = s.i'
		  . " WHEN NOT MATCHED THEN INSERT VALUES (s.i, '$W1', 'mine') RETURNING t.*", '23505');
	shows('COPY that ignores errors', 'COPY app.item FROM STDIN WITH (ON_ERROR ignore)', '0A000');

	$admin->query(q{
		CREATE ROLE keeper LOGIN;
		GRANT pg_maintain TO keeper;
		GRANT USAGE ON SCHEMA app, cnap TO keeper;
		CREATE MATERIALIZED VIEW app.summary AS SELECT note FROM app.item;
		ALTER MATERIALIZED VIEW app.summary OWNER TO dev});
	my $keeper = connect_to($node, 'keeper');
	my $asked = "SELECT cnap_can_access('keeper', '$W3')";
	my $app = connect_to($node, 'cnap_app');
	my $all = q{SELECT count(*), count(*) FILTER (WHERE note ~ 'UNSEEN') FROM app.item};
	foreach my $command ('VACUUM (FULL, ANALYZE)', 'REINDEX TABLE', $version >= 19 ? ('REPACK', 'REPACK (CONCURRENTLY)') : ())
	{
		foreach my $table ('app.item', 'cnap.workspace', 'cnap.workspace_member', 'cnap.organization_member')
		{
			is($app->query($asked), 'f', '(the session has an answer)');
			$keeper->query("$command $table");
			$admin->query("INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES ('$W3', 'keeper', 'member')");
			is($app->query($asked), 't', "a grant after $command of $table");
			$admin->query("DELETE FROM cnap.workspace_member WHERE user_id = 'keeper'");
			is($app->query($asked), 'f', "a revocation after $command of $table");
		}
		is($admin->query($all), '10|5', "$command by who sees no row loses none");
		shows("SELECT after $command", 'TABLE app.item', '00000', 5);
	}
	refused($keeper, 'SELECT by who maintains', 'TABLE app.item', '42501');
	$keeper->query('REFRESH MATERIALIZED VIEW app.summary');
	is($admin->query('SELECT count(*) FROM app.summary'), '0', 'REFRESH by who maintains, and has no user, finds nothing');
	$admin->query('DROP MATERIALIZED VIEW app.summary');
	$_->quit foreach $keeper, $app;
}

# ---- PostgreSQL 18: old and new rows, virtual columns, keys that are not enforced, or of periods ----

SKIP: {
	skip 'before PostgreSQL 18', 1 if $version < 18;

	shows('UPDATE that returns old rows', 'UPDATE app.item SET n = 0 RETURNING old.*, new.*', '00000', 5);
	shows('DELETE that returns old rows', 'DELETE FROM app.item RETURNING old.*, new.*', '00000', 5);
	shows('UPDATE that moves rows, and returns new ones', "UPDATE app.item SET workspace_id = '$W3' RETURNING new.*", '42501');
	shows('MERGE that returns old rows', 'MERGE INTO app.item t USING generate_series(1, 10) s (i) ON t.id = s.i'
		  . ' WHEN MATCHED THEN DELETE RETURNING old.*, new.*', '00000', 5);
	my $update = q{ON CONFLICT (id) DO UPDATE SET note = 'mine' RETURNING old.*, new.*};
	shows("ON CONFLICT DO UPDATE that returns another's old row", "INSERT INTO app.item VALUES (1, '$W1', 'mine') $update", '42501');
	shows('ON CONFLICT DO UPDATE that returns an old row', "INSERT INTO app.item VALUES (2, '$W1', 'mine') $update", '00000', 1);

	$admin->query(q{
		SET ROLE dev;
		CREATE TABLE app.virtual (id int, tenant uuid, note text, workspace_id uuid GENERATED ALWAYS AS (tenant) VIRTUAL,
			twice text GENERATED ALWAYS AS (note || note) VIRTUAL);
		RESET ROLE;
		INSERT INTO app.virtual SELECT id, workspace_id, note FROM app.item;
		SET ROLE dev;
		SELECT cnap_protect('app.virtual');
		GRANT SELECT, INSERT, UPDATE, DELETE ON app.virtual TO mia;
		RESET ROLE});
	shows('a virtual workspace column', 'TABLE app.virtual', '00000', 5);
	my $advice;
	$node->psql('postgres', q{SELECT cnap_protect('app.virtual')}, stderr => \$advice);
	is($advice, '', 'no index is advised for a virtual column');
	is($admin->query(q{SELECT remedy FROM cnap_lint() WHERE rule = 'index_missing' AND object = 'app.virtual'}),
		'', 'nor by the linter');
	shows('UPDATE of what a workspace column is made of', "UPDATE app.virtual SET tenant = '$W3'", '42501');
	shows('INSERT of what a workspace column is made of', "INSERT INTO app.virtual VALUES (11, '$W3')", '42501');
	shows('RETURNING of virtual columns', q{UPDATE app.virtual SET note = 'mine' RETURNING old.twice, new.twice}, '00000', 5);

	my $dev = connect_to($node, 'dev', q{
		CREATE TABLE app.loose (id int, item_id int NOT NULL REFERENCES app.item NOT ENFORCED, note text);
		CREATE TABLE app.kept (id int, item_id int NOT NULL REFERENCES app.item, note text);
		CREATE TABLE app.period (id int4range, workspace_id uuid, valid int4range, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
		CREATE TABLE app.of_period (id int4range, valid int4range, FOREIGN KEY (id, PERIOD valid) REFERENCES app.period);
		SELECT cnap_protect('app.period')});
	refused($dev, 'a parent by a key that is not enforced', q{SELECT cnap_protect_child('app.loose', 'item_id')}, '55000');
	refused($dev, 'the same with a column', q{SELECT cnap_protect_child('app.loose', 'item_id', 'workspace_id')}, '55000');
	refused($dev, 'a parent by a key of periods', q{SELECT cnap_protect_child('app.of_period', 'id')}, '55000');
	$dev->query(q{
		CREATE SCHEMA more;
		CREATE TABLE more.virtual (id int PRIMARY KEY, tenant uuid NOT NULL, workspace_id uuid GENERATED ALWAYS AS (tenant) VIRTUAL NOT NULL);
		CREATE TABLE more.child (id int PRIMARY KEY, virtual_id int NOT NULL REFERENCES more.virtual)});
	is($dev->query(q{SELECT relation, protection, columns, reason FROM cnap_protect_schema('more', execute => true, child_column => 'workspace_id')}),
		'more.virtual|column|{workspace_id}|column workspace_id has no foreign key to cnap.workspace, so it can name a'
		  . " workspace that does not exist, and rows remain when one is deleted\nmore.child|parent|{virtual_id}|column workspace_id cannot be used: the parent has"
		  . ' no workspace column, or one that can be null or is virtual', 'the plan for a schema follows no virtual column');
	refused($dev, 'nor can a column', q{SELECT cnap_protect_child('more.child', 'virtual_id', 'workspace_id')}, '0A000');
	$dev->query(q{
		CREATE TABLE more.single (id int, item_id int NOT NULL REFERENCES app.item, workspace_id uuid CONSTRAINT known NOT NULL NO INHERIT);
		SELECT cnap_protect_child('more.single', 'item_id', 'workspace_id')});
	is($admin->query(q{SELECT convalidated FROM pg_constraint WHERE conname = 'known' AND conrelid = 'more.single'::regclass}), 't',
		'a NOT NULL of the column is left alone');
	my $found = sub {
		return $dev->query(qq{SELECT coalesce(string_agg(rule, ' ' ORDER BY rule), 'nothing') FROM cnap_lint()
			WHERE object = '$_[0]' AND rule <> 'index_missing'});
	};
	$admin->query(qq{
		SET ROLE dev;
		CREATE TABLE app.doubtful (id int PRIMARY KEY, workspace_id uuid);
		CREATE TABLE app.below (id int, doubtful_id int NOT NULL REFERENCES app.doubtful);
		CREATE TABLE app.orphan (id int, item_id int REFERENCES app.item);
		RESET ROLE;
		INSERT INTO app.doubtful VALUES (1, NULL), (2, '$W1');
		INSERT INTO app.below VALUES (1, 1), (2, 2);
		INSERT INTO app.orphan VALUES (1, NULL), (2, 2);
		SET ROLE dev;
		ALTER TABLE app.doubtful ADD CONSTRAINT known NOT NULL workspace_id NOT VALID;
		ALTER TABLE app.orphan ADD CONSTRAINT known NOT NULL item_id NOT VALID;
		SELECT cnap_protect('app.doubtful');
		RESET ROLE});
	my $below = q{SELECT cnap_protect_child('app.below', 'doubtful_id', 'workspace_id')};
	refused($dev, 'a parent whose NOT NULL is not valid', $below, '55000');
	$dev->attempt($below);
	like($dev->{error}, qr/HINT:  ALTER TABLE app\.doubtful ALTER COLUMN workspace_id SET NOT NULL;/, 'what makes it valid');
	$admin->query("UPDATE app.doubtful SET workspace_id = '$W3' WHERE id = 1");
	$dev->query("SET cnap.user_id = 'mia'; ALTER TABLE app.doubtful ALTER COLUMN workspace_id SET NOT NULL; $below");
	is($dev->query('SELECT id, workspace_id FROM app.below'), "2|$W1", 'does so');
	$dev->query(q{SELECT cnap_protect_child('app.orphan', 'item_id', 'workspace_id')});
	is($dev->query('SELECT id, workspace_id FROM app.orphan'), "2|$W1", 'a key whose NOT NULL is not valid');
	is($admin->query('SELECT id FROM app.orphan WHERE workspace_id IS NULL'), '1', 'leaves the column null');
	is($found->('app.loose'), 'child_unprotected', 'the linter knows that the table has a parent');

	is($found->('app.of_period'), 'child_unprotected', 'likewise of a key of periods');
	is($dev->query(q{SELECT count(remedy) FROM cnap_lint() WHERE object = 'app.of_period'}), '0', 'but knows no remedy');

	my $protect = q{SELECT cnap_protect_child('app.kept', 'item_id', 'workspace_id')};
	$dev->query($protect);
	is($found->('app.kept'), 'nothing', '(a workspace column is kept)');
	my $unenforced = 'ALTER TABLE app.kept ALTER CONSTRAINT cnap_kept_fkey NOT ENFORCED';
	refused($dev, 'a key of a protected table that shall no longer be enforced', $unenforced, '55000');
	$admin->query("SET cnap.guard = off; $unenforced; RESET cnap.guard");
	is($found->('app.kept'), 'column_not_kept column_without_key', 'a key that is no longer enforced does not keep it');
	$dev->query($protect);
	is($found->('app.kept'), 'nothing', 'until the table is protected again');
	is($dev->query(q{SELECT string_agg(conname || ' ' || conenforced, ',' ORDER BY conname) FROM pg_constraint
			WHERE conrelid = 'app.kept'::regclass AND contype = 'f'}),
		'cnap_kept_fkey true,kept_item_id_fkey true', 'by a key in place of that one');
	$dev->query(q{SELECT cnap_protect_child('app.kept', 'item_id')});
	is($found->('app.kept'), 'nothing', '(a table is protected through its parent)');
	$unenforced = 'ALTER TABLE app.kept ALTER CONSTRAINT kept_item_id_fkey NOT ENFORCED';
	refused($dev, 'the key to the parent that shall no longer be enforced', $unenforced, '55000');
	$admin->query("SET cnap.guard = off; $unenforced; RESET cnap.guard");
	is($found->('app.kept'), 'parent_without_key', 'the linter finds that its key is no longer enforced');
	$dev->quit;
}

# ---- PostgreSQL 19: ON CONFLICT DO SELECT, more of COPY, and grantors ----

SKIP: {
	skip 'before PostgreSQL 19', 1 if $version < 19;

	foreach my $lock ('', 'FOR UPDATE')
	{
		my $select = "ON CONFLICT (id) DO SELECT $lock RETURNING *";
		shows("ON CONFLICT DO SELECT $lock of another's row", "INSERT INTO app.item VALUES (1, '$W1', 'mine') $select", '42501');
		shows("ON CONFLICT DO SELECT $lock", "INSERT INTO app.item VALUES (2, '$W1', 'mine') $select", '00000', 1);
	}
	shows('COPY of all partitions', 'COPY app.divided TO STDOUT', '00000', 5);
	shows('COPY as JSON', 'COPY app.item TO STDOUT (FORMAT json)', '00000', 5);
	shows('COPY as JSON of all partitions', 'COPY app.divided TO STDOUT (FORMAT json, FORCE_ARRAY)', '00000', 7);

	# what a superuser has granted in another name than the owner's
	$admin->query(q{
		CREATE ROLE dba SUPERUSER;
		GRANT SET ON PARAMETER cnap.user_id TO dba WITH GRANT OPTION;
		GRANT TRUNCATE ON app.item TO dba WITH GRANT OPTION});
	my $grant = q{
		GRANT SET ON PARAMETER cnap.user_id TO plain GRANTED BY dba;
		GRANT TRUNCATE ON app.item TO plain GRANTED BY dba};
	my $remedies = q{SELECT string_agg(remedy, ' ' ORDER BY rule) FROM cnap_lint() WHERE rule IN ('identity_grant', 'table_grant')};
	my $can = q{SELECT has_parameter_privilege('plain', 'cnap.user_id', 'SET') || ' ' || has_table_privilege('plain', 'app.item', 'TRUNCATE')};

	$admin->query($grant);
	is($admin->query($can), 'true true', '(a role has privileges from another superuser)');
	$admin->query($admin->query($remedies));
	is($admin->query($can), 'false false', 'the remedies of the linter take them');
	is($admin->query($remedies), '', 'and are all');
	$admin->query('GRANT TRUNCATE ON app.item TO dba WITH GRANT OPTION');
	$admin->query($grant);
	$admin->query(q{SELECT cnap_distrust('plain')});
	is($admin->query($can), 'false true', 'cnap_distrust() takes what trust consists of');

	# nor does one escape the linter whose grantor has lost it
	$admin->query("$grant; REVOKE SET ON PARAMETER cnap.user_id FROM dba CASCADE");
	is($admin->query($can), 'true true', '(a grant whose grantor has it no longer)');
	is($admin->query(q{SELECT object FROM cnap_lint() WHERE rule = 'identity_grant'}), 'plain', 'is found');
	$admin->query('ALTER ROLE dba NOSUPERUSER');
	is($admin->query(q{SELECT object FROM cnap_lint() WHERE rule = 'identity_grant'}), 'plain', 'also where the grantor is no superuser');
}

# ---- property graphs: their elements are read as the current user, also in a view ----

SKIP: {
	skip 'no property graphs', 1 if $admin->query(q{SELECT to_regclass('pg_catalog.pg_propgraph_element')}) eq '';

	$admin->query(qq{
		SET ROLE dev;
		CREATE TABLE app.link (id int PRIMARY KEY, workspace_id uuid NOT NULL, a int NOT NULL REFERENCES app.item, b int NOT NULL REFERENCES app.item);
		INSERT INTO app.link SELECT id, '$W1', id, id % 10 + 1 FROM generate_series(1, 10) id;
		INSERT INTO app.link VALUES (11, '$W1', 2, 4), (12, '$W3', 4, 6);
		SELECT cnap_protect('app.link');
		CREATE PROPERTY GRAPH app.net
			VERTEX TABLES (app.item KEY (id) PROPERTIES (id, note))
			EDGE TABLES (app.link KEY (id) SOURCE KEY (a) REFERENCES item (id) DESTINATION KEY (b) REFERENCES item (id) PROPERTIES (a, b));
		GRANT SELECT ON app.net, app.link TO mia;
		RESET ROLE;
		CREATE VIEW app.walk AS SELECT * FROM GRAPH_TABLE (app.net MATCH (n IS item) COLUMNS (n.note AS note));
		GRANT SELECT ON app.walk TO mia});
	my $all = 'SELECT note FROM GRAPH_TABLE (app.net MATCH (n IS item) COLUMNS (n.note AS note))';

	shows('a graph', $all, '00000', 5);
	shows('a path in a graph', 'SELECT * FROM GRAPH_TABLE (app.net MATCH (n IS item)-[e IS link]->(m IS item) COLUMNS (n.note AS note, m.note AS other))', '00000', 1);
	shows('a condition in a graph', 'SELECT * FROM GRAPH_TABLE (app.net MATCH (n IS item WHERE n.id = 1) COLUMNS (n.note AS note))', '00000');
	shows("a superuser's view of a graph", 'TABLE app.walk', '00000', 5);
	is(findings('view_bypasses'), '', 'which bypasses nothing');

	# what executes it as somebody else does
	$admin->query(qq{
		CREATE MATERIALIZED VIEW app.walked AS $all;
		GRANT SELECT ON app.walked TO mia;
		CREATE FUNCTION app.walking() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC $all; END;
		CREATE FUNCTION app.walker() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT id::text FROM GRAPH_TABLE (app.net MATCH (n) COLUMNS (n.id AS id))'});
	is($mia->query('SELECT (SELECT count(*) FROM app.walked), (SELECT count(*) FROM app.walking()), (SELECT count(*) FROM app.walker())'),
		'10|10|10', '(what a superuser reads in a graph)');
	is(findings('materialized_view'), 'app.walked: mia can read the protected rows stored in it, from app.net, and row-level security does not apply to materialized views', 'a materialized view is found');
	is(findings('function_bypasses'), 'app.walking(): accesses app.net as postgres, which bypasses row-level security, for PUBLIC', 'and a function');
	is(findings('function_may_bypass'), 'app.walker(): mentions app.net and is executed as postgres, which bypasses row-level security, by PUBLIC', 'and one whose body is a string');
	close_with($_) foreach qw(materialized_view function_bypasses function_may_bypass);
	shows('a materialized view of a graph', 'TABLE app.walked', '42501');
	shows('a function that reads a graph', 'SELECT app.walking()', '00000', 5);
}

# ---- FOR PORTION OF: the rest of a row is a new row ----

SKIP: {
	skip 'no FOR PORTION OF', 1 if $admin->query(q{SELECT FROM pg_get_keywords() WHERE word = 'portion'}) eq '';

	$admin->query(qq{
		CREATE EXTENSION btree_gist;
		SET ROLE dev;
		CREATE TABLE app.rent (id int, workspace_id uuid NOT NULL, note text, during int4range NOT NULL, PRIMARY KEY (id, during WITHOUT OVERLAPS));
		INSERT INTO app.rent SELECT id, workspace_id, note, '[0, 100)' FROM app.item;
		CREATE TABLE app.bill (id int PRIMARY KEY, item_id int NOT NULL REFERENCES app.item, note text, during int4range NOT NULL);
		CREATE TABLE app.account (LIKE app.bill, FOREIGN KEY (item_id) REFERENCES app.item);
		INSERT INTO app.bill SELECT id, id, note, '[0, 100)' FROM app.item;
		INSERT INTO app.account TABLE app.bill;
		SELECT cnap_protect('app.rent'), cnap_protect_child('app.bill', 'item_id'), cnap_protect_child('app.account', 'item_id', 'workspace_id');
		ALTER TABLE app.bill DROP CONSTRAINT bill_pkey;
		GRANT SELECT, INSERT, UPDATE, DELETE ON app.rent, app.bill, app.account TO mia;
		RESET ROLE});
	foreach my $table (qw(rent bill account))
	{
		my $portion = 'FOR PORTION OF during FROM 10 TO 20';
		my $digest = "SELECT md5(string_agg(r::text, ',' ORDER BY r::text)) FROM app.$table r WHERE note LIKE 'UNSEEN%'";
		my $hidden = $admin->query($digest);

		shows("UPDATE of a part in $table", "UPDATE app.$table $portion SET note = 'mine' RETURNING note", '00000', 5);
		shows("and the rest in $table", "WITH u AS (UPDATE app.$table $portion SET note = 'mine' RETURNING note) SELECT count(*) FROM u; TABLE app.$table", '00000', 1 + 3 * 5);
		shows("DELETE of a part in $table", "DELETE FROM app.$table $portion WHERE id = 2; SELECT * FROM app.$table WHERE id = 2", '00000', 2);
		shows("UPDATE of a part of another's row in $table", "UPDATE app.$table $portion SET note = 'mine' WHERE id = 1 RETURNING *", '00000');
		shows("DELETE of a part of another's row in $table", "DELETE FROM app.$table $portion WHERE id = 1 RETURNING *", '00000');
		$mia->query("UPDATE app.$table $portion SET note = 'mine'; DELETE FROM app.$table FOR PORTION OF during FROM 50 TO 60");
		is($admin->query($digest), $hidden, "rows of others in $table are as they were");
		is($admin->query("SELECT string_agg(DISTINCT workspace_id::text, ' ') FROM app.$table WHERE note NOT LIKE 'UNSEEN%'"), $W1, "and all parts are in the workspace in $table")

		  if $table ne 'bill';
	}
	shows('a part is moved', "UPDATE app.rent FOR PORTION OF during FROM 2 TO 3 SET workspace_id = '$W3' WHERE id = 2", '42501');
	shows("a part is moved to another's parent", 'UPDATE app.bill FOR PORTION OF during FROM 2 TO 3 SET item_id = 1 WHERE id = 2', '42501');
	shows('likewise by a column', 'UPDATE app.account FOR PORTION OF during FROM 2 TO 3 SET item_id = 1 WHERE id = 2', '42501');

	# the rest is inserted, which its policies decide about
	$admin->query('CREATE POLICY complete ON app.rent AS RESTRICTIVE FOR INSERT WITH CHECK (false)');
	shows('the rest is not accepted', q{UPDATE app.rent FOR PORTION OF during FROM 2 TO 3 SET note = 'mine' WHERE id = 2}, '42501');
	shows('where there is none, it is', q{UPDATE app.rent SET note = 'mine' WHERE id = 2 RETURNING note}, '00000', 4);
}

$mia->quit;
$admin->quit;
$node->stop;
done_testing();
