#
# SchemaWorld.pm: an application's schema, filled with customers' rows
#
# There are four workspaces. Alice owns the first and Bob the second; the third and the fourth
# belong to others, and are managed by an organization of which Vera is a member. Nora has no
# workspace. Each of them, except Bob, gets a database in which nobody else's rows were ever
# created, and nothing is protected: what a superuser sees there is what they must see in the
# shared one.
#
package SchemaWorld;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Fcntl qw(LOCK_EX);
use SchemaData qw(fill);
use SchemaDatabase qw(create_database execute query_json run_script);
use SchemaModel;
use SchemaPackage qw(fetch_package schema_file);

our @EXPORT_OK = qw(new_world create_workspaces WORKSPACES USERS OTHER SERVER);

use constant WORKSPACES => 4;

# The workspace whose rows are attacked, and those of the attackers
use constant OTHER => 2;
use constant USERS => { alice => [1], vera => [ 3, 4 ], nora => [] };

# The roles of the application: one that owns the tables, one that serves users.
use constant OWNER => 'schemas_owner';
use constant SERVER => 'schemas_server';

# The privilege on a parameter is a row of a shared catalog, so only one test at a time can grant
# it.
sub create_roles
{
	my ($database) = @_;

	open my $lock, '<', __FILE__ or die __FILE__ . ": $!";
	flock $lock, LOCK_EX or die 'flock: ' . $!;
	for my $role (OWNER, SERVER)
	{
		my $exists = execute('postgres', undef, "SELECT count(*) FROM pg_roles WHERE rolname = '$role'");

		execute('postgres', undef, "CREATE ROLE $role LOGIN") if !$exists;
		execute($database, undef, "SELECT cnap_trust('$role')");
	}
	execute($database, undef, 'GRANT CREATE ON SCHEMA public TO ' . OWNER);
	return;
}

# The users, and their workspaces
sub create_people
{
	my ($database) = @_;

	create_workspaces($database, 1, WORKSPACES);
	execute($database, undef, q{
		UPDATE cnap.workspace SET owner_id = 'alice' WHERE name = 'workspace 1';
		UPDATE cnap.workspace SET owner_id = 'bob' WHERE name = 'workspace 2';
		SELECT cnap_create_organization('Vendor', owner => 'vince') AS vendor \gset
		SELECT cnap_add_organization_member(:'vendor', 'vera');
		SELECT cnap_grant_management(id, :'vendor') FROM cnap.workspace
		WHERE name IN ('workspace 3', 'workspace 4')});
	return;
}

# Workspaces from one number to another, with the ids that the rows will contain
sub create_workspaces
{
	my ($database, $from, $to) = @_;

	execute($database, undef, qq{
		INSERT INTO cnap.workspace (id, name, owner_id)
		SELECT lpad(n::text, 32, '0')::uuid, 'workspace ' || n, 'owner ' || n
		FROM generate_series($from, $to) n});
	return;
}

# Loads the files of the packages as the owner of the tables, and executes the statements that
# adapt the schema to workspaces.
sub load
{
	my ($database, $description) = @_;
	my %directories;

	for my $file (@{ $description->{files} })
	{
		my ($package, $path, $pattern) = @$file;

		$directories{$package} //= fetch_package($package);
		my ($status, $output) = run_script($database, OWNER,
			schema_file($directories{$package}, $path, $pattern), '-q', '-v', 'ON_ERROR_STOP=1');
		$status == 0 or die "$package, $path: $output";
	}
	execute($database, OWNER, $description->{prepare}) if defined $description->{prepare};
	execute($database, OWNER, qq{
		ALTER TABLE $_ ADD workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE;
		CREATE INDEX ON $_ (workspace_id)}) foreach @{ $description->{roots} };
	return;
}

# The privileges of the role that serves users: everything on the tables with rows of workspaces,
# but only SELECT on those shared by all.
sub grant_rights
{
	my ($database, $model) = @_;
	my $sql = 'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ' . SERVER . ";\n";

	$sql .= "GRANT SELECT ON $_->{name} TO @{[SERVER]};\n" foreach $model->shared_tables;
	$sql .= "GRANT SELECT, INSERT, UPDATE, DELETE ON $_ TO @{[SERVER]};\n"
	  foreach (map { $_->{name} } $model->protected_tables), @{ $model->{views} };
	execute($database, OWNER, $sql);
	return;
}

# Protects the schema, and executes the linter's remedies.
sub protect
{
	my ($database, $child_column) = @_;
	my $arguments = "'public'" . (defined $child_column ? ", child_column => '$child_column'" : '');
	my $plan = query_json($database, "SELECT * FROM cnap_protect_schema($arguments)", OWNER);

	execute($database, OWNER, "SELECT cnap_protect_schema($arguments, execute => true)");
	execute($database, OWNER, 'SELECT remedy FROM cnap_lint() WHERE remedy IS NOT NULL \gexec');
	return $plan;
}

# new_world(DESCRIPTION): loads and protects a schema, and creates rows. Returns
#   databases  by the users' names; the shared one is that of "all", and "many" is for others to fill
#   plan       what cnap_protect_schema() said it would do
#   model      of the shared one
# The databases with only one user's rows are not protected, except for columns that protection has
# to add.
sub new_world
{
	my ($description) = @_;
	my $name = "schemas_$description->{name}";
	my %world = (
		description => $description,
		databases => { all => $name, map { $_ => "${name}_$_" } keys %{ +USERS } });
	my $copy = sub { create_database($world{databases}{$_}, $name) foreach sort keys %{ +USERS } };

	create_database($name);
	execute($name, undef, 'CREATE EXTENSION cnap_org');
	create_roles($name);
	load($name, $description);
	create_people($name);

	$copy->() if !defined $description->{child_column};
	$world{plan} = protect($name, $description->{child_column});
	$copy->() if defined $description->{child_column};
	my $model = $world{model} = SchemaModel->new($name, values => $description->{values} // {});
	grant_rights($name, $model);
	create_database($world{databases}{many} = "${name}_many", $name);

	fill($model, $name, 1 .. WORKSPACES);
	fill($model, $world{databases}{$_}, @{ USERS->{$_} }) foreach keys %{ +USERS };
	return \%world;
}

1;
