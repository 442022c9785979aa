#
# CnapModel.pm: a database, users who act on it, and all the answers that it gives
#
# populate() creates the extension, an organization, workspaces, and an application with a
# protected table. act_as(), refused_as() and seen_by() are what a user does; answers() and
# table_rows() are for comparing databases, and so is the query $PRIVILEGES.
#
package CnapModel;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(populate act_as refused_as seen_by answers table_rows grant_by_default $PRIVILEGES $ACME $W1 $W2 $W3 $ASSIGNED $ACTIVATED);

our $ACME = '00000000-0000-4000-8000-0000000000a1';
our $W1 = '00000000-0000-4000-8000-000000000001';
our $W2 = '00000000-0000-4000-8000-000000000002';
our $W3 = '00000000-0000-4000-8000-000000000003';
our $ASSIGNED = '00000000-0000-4000-8000-000000000004';
our $ACTIVATED = '00000000-0000-4000-8000-000000000005';

# All privileges on the extension's objects of others than their owner. Whether the types of tables and of
# arrays are members of an extension depends on the version, and on whether pg_upgrade has made them.
our $PRIVILEGES = q{SELECT pg_describe_object(d.classid, d.objid, 0),
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable
	FROM pg_extension e
		JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
		JOIN (SELECT 'pg_namespace'::regclass, oid, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace
			UNION ALL SELECT 'pg_type'::regclass, oid, typowner, coalesce(typacl, acldefault('T', typowner)) FROM pg_type
				WHERE typcategory <> 'A' AND typrelid NOT IN (SELECT oid FROM pg_class WHERE relkind <> 'c')
			UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
			UNION ALL SELECT 'pg_class'::regclass, oid, relowner, relacl FROM pg_class) o (classid, objid, owner, acl)
		USING (classid, objid)
		CROSS JOIN aclexplode(o.acl) a
	WHERE e.extname = 'cnap_org' AND a.grantee <> o.owner
	ORDER BY pg_describe_object(d.classid, d.objid, 0) COLLATE "C", a.grantee::regrole::text COLLATE "C", a.privilege_type};

# Grants a role all privileges on all objects that will be created in a database, and none to PUBLIC
sub grant_by_default
{
	my ($node, $db, $role) = @_;
	$node->safe_psql($db, join '; ', map {
			("ALTER DEFAULT PRIVILEGES GRANT ALL ON $_ TO $role WITH GRANT OPTION",
				"ALTER DEFAULT PRIVILEGES REVOKE ALL ON $_ FROM PUBLIC")
	} qw(TABLES SEQUENCES FUNCTIONS TYPES SCHEMAS));
	return;
}

# Creates the extension in a database, and the role cnap_app, which an application server uses.
sub add_extension
{
	my ($node, $db) = @_;
	$node->safe_psql($db, q{
		CREATE EXTENSION cnap_org;
		DO $$ BEGIN CREATE ROLE cnap_app; EXCEPTION WHEN duplicate_object THEN END $$;
		SELECT cnap_trust('cnap_app');});
}

sub as_person
{
	my ($person, $sql) = @_;
	$person =~ s/'/''/g;
	return "SET ROLE cnap_app; SET cnap.user_id = '$person'; $sql";
}

# Executes statements on behalf of a user, and returns what psql prints.
sub act_as
{
	my ($node, $db, $person, $sql) = @_;
	return $node->safe_psql($db, as_person($person, $sql));
}

# The SQLSTATE with which a statement on behalf of a user is refused.
sub refused_as
{
	my ($node, $db, $person, $sql) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql($db, "\\set VERBOSITY sqlstate\n" . as_person($person, $sql));
	return $stderr =~ /ERROR:  (\w{5})/ ? $1 : "not at all";
}

# The rows of the table app.deployment that a user sees
sub seen_by
{
	my ($node, $db, $person) = @_;
	return act_as($node, $db, $person,
		"SELECT coalesce(string_agg(note, ',' ORDER BY id), 'none') FROM app.deployment");
}

# Every answer about every user and workspace
sub answers
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, q{
		SELECT p.user_id, w.id, cnap_can_access(p.user_id, w.id), cnap_workspace_role(p.user_id, w.id),
			array(SELECT permission FROM (SELECT DISTINCT permission FROM cnap_roles()) r (permission)
				WHERE cnap_has_permission(p.user_id, w.id, permission) ORDER BY permission),
			cnap_accessible_workspaces(p.user_id),
			array(SELECT e::text FROM cnap_explain_access(p.user_id, w.id) e)
		FROM (SELECT owner_id AS user_id FROM cnap.workspace
			UNION SELECT user_id FROM cnap.workspace_member
			UNION SELECT user_id FROM cnap.organization_member) p, cnap.workspace w
		ORDER BY p.user_id COLLATE "C", w.id});
}

# All rows of a table of the extension, with all their columns
sub table_rows
{
	my ($node, $db, $table) = @_;
	return $node->safe_psql($db,
		qq{SET timezone = 'UTC'; SELECT t::text FROM cnap.$table t ORDER BY t::text COLLATE "C"});
}

# Users, organizations, workspaces, their history, and an application with a protected table
sub populate
{
	my ($node, $db) = @_;
	add_extension($node, $db);
	$node->safe_psql($db, qq{
		INSERT INTO cnap.organization (id, name) VALUES ('$ACME', 'Acme');
		INSERT INTO cnap.organization_member (organization_id, user_id, role)
		VALUES ('$ACME', 'ann', 'owner');
		INSERT INTO cnap.workspace (id, name, owner_id)
		VALUES ('$W1', 'Globex', 'carol'), ('$W2', 'Initech', 'dave'), ('$W3', 'Hooli', 'erin'),
			('$ASSIGNED', 'Umbrella', 'fay'), ('$ACTIVATED', 'Tyrell', 'fay');
		CREATE SCHEMA app;
		CREATE TABLE app.deployment (id int PRIMARY KEY,
			workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE, note text);
		CREATE INDEX ON app.deployment (workspace_id);
		INSERT INTO app.deployment VALUES (1, '$W1', 'one'), (2, '$W2', 'two'), (3, '$W3', 'three');
		SELECT cnap_protect('app.deployment', write_permission => 'administer');
		GRANT USAGE ON SCHEMA app TO cnap_app;
		GRANT SELECT, INSERT, UPDATE, DELETE ON app.deployment TO cnap_app;});
	act_as($node, $db, 'ann', qq{SELECT cnap_add_organization_member('$ACME', 'mia');});
	act_as($node, $db, 'carol', qq{
		SELECT cnap_grant_management('$W1', '$ACME');
		SELECT cnap_add_workspace_member('$W1', 'gus', 'admin');});
	act_as($node, $db, 'dave', qq{SELECT cnap_grant_management('$W2', '$ACME', 'member', '2999-01-01 12:34:56.789');});
	act_as($node, $db, 'fay', qq{SELECT cnap_grant_management('$ASSIGNED', '$ACME', managers => 'assigned'),
		cnap_grant_management('$ACTIVATED', '$ACME', managers => 'activated', activation => '1000 years');});
	act_as($node, $db, 'ann', qq{SELECT cnap_assign_manager('$ASSIGNED', 'mia', '2999-01-01 12:34:56.789');});
	act_as($node, $db, 'mia', qq{SELECT cnap_activate_management('$ACTIVATED', 'ticket 4711');});

	# with the same end in each database
	$node->safe_psql($db, qq{UPDATE cnap.assignment SET until = '2999-01-01 12:34:56.789+00' WHERE workspace_id = '$ACTIVATED'});
}

1;
