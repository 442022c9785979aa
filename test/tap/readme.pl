# readme.pl: the statements of README.md and the guides in doc/ are true
#
# - the statements at the top of the README show the same rows with and without the extension
# - doc/access.svg is what doc/access.awk draws of the data of that example
# - sql/readme.sql executes the first session, and gets the output shown
# - the reference lists each public function and setting, in agreement with the catalogs
# - the table of permissions agrees with the functions, and that of audited actions is complete
# - every other SQL statement can be executed, in the order of the text; test/clients execute the
#   JavaScript, Python, Ruby and Java; everything that is not executed is listed here
# - the README links to each guide, and every link leads to an existing file and heading

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file('README.md');
my $reference = slurp_file('doc/reference.md');
my @guides = do { my %seen; grep { !$seen{$_}++ } $readme =~ m{\]\((doc/\w+\.md)}g };
my $first_session = '## First session';

# The text below a heading of a document, up to the next one of that level or a higher one.
sub section
{
	my ($heading, $document) = (@_, $readme);
	my $level = length(($heading =~ /^(#+)/)[0]);

	$document =~ /^\Q$heading\E\n(.*?)(?=^#{1,$level} |\z)/ms
	  or die "there is no section \"$heading\"";
	return $1;
}

# The fenced blocks of a text, each as [language, content].  Those of a list are indented.
sub blocks
{
	my ($text) = @_;
	my @blocks;

	while ($text =~ /^( *)```(\w*)\n(.*?)^\1```$/msg)
	{
		my ($indent, $language, $content) = ($1, $2, $3);

		push @blocks, [ $language, $content =~ s/^$indent//mgr ];
	}
	return @blocks;
}

# A document's blocks, except what stands above the README's first section and its first session,
# which are executed on their own.
sub blocks_of
{
	my ($file) = @_;
	my $text = slurp_file($file);

	$text =~ s/^.*?(?=^## )//ms if $file eq 'README.md';
	return blocks($text =~ s/^\Q$first_session\E\n.*?(?=^## )//msr);
}

# The rows of the tables in a text, each as a list of its cells.
sub rows
{
	my ($text) = @_;
	my @rows;

	foreach my $line (grep { /^\|/ && !/^\|-/ } split /\n/, $text)
	{
		$line =~ s/^\|\s*|\s*\|$//g;
		push @rows, [ split /\s*\|\s*/, $line, -1 ];
	}
	return @rows;
}

# The lines of a text that are not empty, without blanks at their ends.
sub lines
{
	return grep { $_ ne '' } map { s/\s+$//r } split /\n/, shift;
}

# ---- the first session ----

my @session = blocks(section($first_session));
my $border = qr/^-- =+\n/m;

$_->[1] =~ s/\bapp_server\b/regress_app_server/g foreach @session;

my (undef, $script) = split $border, slurp_file('sql/readme.sql');
my (undef, $output) = split $border, slurp_file('expected/readme.out');

is_deeply(
	[ map { lines($_->[1]) } grep { $_->[0] eq 'sql' } @session ],
	[ lines($script) ],
	'sql/readme.sql is the first session of the README');

# Goes through the output, in which psql has echoed each line of the script.  What follows the last
# statement of a step that returns something must be what the README shows, if it shows anything.
my @output = lines($output);
while (my $step = shift @session)
{
	my $shown = @session && $session[0][0] eq '' ? shift @session : undef;
	my @returned;

	foreach my $line (lines($step->[1]))
	{
		my @skipped;

		push @skipped, shift @output while @output && $output[0] ne $line;
		@returned = @skipped if @skipped;
		shift @output;
	}
	my @next = @session ? lines($session[0][1]) : ();
	my @rest;
	push @rest, shift @output while @output && !(@next && $output[0] eq $next[0]);
	@returned = @rest if @rest;
	is_deeply([ lines($shown->[1]) ], \@returned,
		'output shown below "' . (lines($step->[1]))[-1] . '"') if $shown;
}

# ---- links ----

is_deeply([ sort @guides ], [ sort glob 'doc/*.md' ], 'the README leads to each guide');

# A document without its code
sub prose
{
	my ($file) = @_;

	return slurp_file($file) =~ s/^( *)```.*?^\1```$//msgr =~ s/`[^`]*`//gr;
}

# The anchors of a document's headings
sub anchors
{
	my ($file) = @_;
	my @headings = slurp_file($file) =~ s/^( *)```.*?^\1```$//msgr =~ /^#+ (.*)$/mg;

	return map { lc($_) =~ s/[^\w\- ]//gr =~ tr/ /-/r } @headings;
}

foreach my $file ('README.md', 'CHANGELOG.md', 'src/README.md', 'examples/rest/README.md', @guides)
{
	my ($directory) = $file =~ m{^(.*/)?};
	my (@dead, %anchors);

	$anchors{$_}++ foreach anchors($file);
	is_deeply([ grep { $anchors{$_} > 1 } keys %anchors ], [], "$file: no heading is there twice");
	foreach my $link (grep { !/^https:/ } prose($file) =~ /\]\(([^)]*)\)/g)
	{
		my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
		my $target = $path eq '' ? $file : ($directory // '') . $path;

		1 while $target =~ s{[^/]+/\.\./}{};
		push @dead, $link
		  unless -f $target && ($anchor eq '' || grep { $_ eq $anchor } anchors($target));
	}
	is_deeply(\@dead, [], "$file: links lead to what exists");
}

# ---- a server ----

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cnap_org'\n");
$node->start;

# The database, roles, tables and workspace of the examples
$node->safe_psql('postgres',
	'CREATE DATABASE app; CREATE ROLE app_server LOGIN; CREATE ROLE app_owner; CREATE ROLE anna LOGIN');

# ---- with and without the extension ----

my ($top) = $readme =~ /^(.*?)^## /ms;
my ($without, $with) = map { $_->[1] } blocks($top);
my ($protect, $queries) = split /\n\n/, $with, 2;

$node->safe_psql('postgres', 'CREATE DATABASE top');
$node->safe_psql('top', <<'END');
CREATE EXTENSION cnap_org;
CREATE VIEW workspace AS TABLE cnap.workspace;
CREATE VIEW workspace_member AS TABLE cnap.workspace_member;
CREATE VIEW organization_member AS TABLE cnap.organization_member;
CREATE SCHEMA app;
CREATE TABLE app.deployment (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE INDEX ON app.deployment (workspace_id);
GRANT USAGE ON SCHEMA app TO app_server;
GRANT SELECT ON app.deployment TO app_server;
SELECT cnap_trust('app_server');
CREATE TABLE story AS SELECT cnap_create_organization('Acme', owner => 'ann') AS acme,
    cnap_create_workspace('Globex', owner => 'gina') AS globex,
    cnap_create_workspace('Initech', owner => 'ivan') AS initech;
SELECT cnap_add_organization_member(acme, 'ben'), cnap_add_workspace_member(globex, 'otto'),
    cnap_grant_management(globex, acme) FROM story;
INSERT INTO app.deployment SELECT n, CASE WHEN n < 3 THEN globex ELSE initech END FROM story, generate_series(1, 5) n;
END
my $acme = $node->safe_psql('top', 'SELECT acme FROM story');
my $drawn = $node->safe_psql('top', <<'END');
SELECT 'organization', user_id, role FROM story, cnap_organization_members(acme) ORDER BY user_id;
SELECT user_id, role, via, (SELECT name FROM cnap.organization WHERE id = m.organization)
FROM story, cnap_workspace_members(globex) m ORDER BY via = 'organization', role DESC, user_id;
END
my ($picture, $trouble);
IPC::Run::run([ 'awk', '-v', 'workspace=Globex', '-f', 'doc/access.awk' ], '<', \"$drawn\n", '>', \$picture, '2>', \$trouble);
is($picture, slurp_file('doc/access.svg'), 'the picture shows what the functions return') or diag($trouble);

my $by_hand = $node->safe_psql('top', $without);
is(scalar(split /\n/, $by_hand), 2, 'the query that stands above shows the rows of one workspace');
$node->safe_psql('top', $protect);
is($node->safe_psql('top', "\\set acme $acme\nBEGIN; SET LOCAL cnap.user_id = 'ben';\n$queries\nCOMMIT;",
		extra_params => [ '-U', 'app_server' ]),
	"$by_hand\n", 'with the extension, a plain query shows the same, until Ben leaves');

# ---- examples ----

my %example = (workspace => '4f1c1dad-a924-4653-9a98-109853e84f8a');
my $setup = <<"END";
CREATE SCHEMA app;
CREATE TABLE app.deployment (workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE TABLE app.access_record (workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE TABLE app.log (workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL UNIQUE);
CREATE TABLE app.task (id int PRIMARY KEY, project_id int UNIQUE REFERENCES app.project);
CREATE TABLE app.comment (task_id int UNIQUE REFERENCES app.task);
GRANT USAGE ON SCHEMA app TO app_server;
GRANT SELECT ON app.project TO app_server;
INSERT INTO cnap.workspace (id, name, owner_id) VALUES ('$example{workspace}', 'w', 'gina');
END

# Executes a document's SQL in one session, like somebody who pastes it.
# What concerns several servers is executed by fleet.pl and the tests of Citus, and the import of tables
# by adoption.pl.
foreach my $file ('README.md', grep { !/scaling|citus|adoption/ } @guides)
{
	my @sql = map { $_->[1] } grep { $_->[0] eq 'sql' } blocks_of($file);
	my $script = '';

	foreach my $n (0 .. $#sql)
	{
		$script .= "$sql[$n]\n\\echo executed $n\n";
		$script .= $setup if $sql[$n] =~ /CREATE EXTENSION/;
	}
	my (undef, $output, $error) = $node->psql('app', $script, on_error_stop => 1);
	my %executed = map { $_ => 1 } $output =~ /^executed (\d+)$/mg;
	foreach my $n (0 .. $#sql)
	{
		ok($executed{$n}, "$file: " . (lines($sql[$n]))[0]) or diag($error);
	}
	$ENV{CNAP_TOKEN} //= $node->safe_psql('app',
		"SET cnap.user_id = 'gina'; SELECT cnap_create_access_token('README')");
}

# What doc/roles.md says about its examples
is($node->safe_psql('app', q{
	SELECT person, string_agg(DISTINCT permission, ' ' ORDER BY permission)
	FROM cnap.workspace w, cnap_roles(), unnest('{hank,ada}'::text[]) person
	WHERE w.name = 'Depot' AND cnap_has_permission(person, w.id, permission) GROUP BY person ORDER BY person}),
	"ada|access read_records\nhank|access read_logs", 'what the auditor may do, and support');
is($node->safe_psql('app', q{
	SELECT bool_or(delegable), string_agg(role, ' ' ORDER BY role) FROM cnap_roles() WHERE permission = 'read_secrets'}),
	'f|admin owner', 'what managers never have');
is($node->safe_psql('app', q{
	SELECT t.workspaces = ARRAY[w.id], t.permissions
	FROM cnap.access_token t, cnap.workspace w WHERE t.name = 'pipeline' AND w.name = 'Depot'}),
	't|{access,deploy}', 'what the token is limited to');

# What doc/schemas.md says about a job with a token for one workspace, here as a role that is not trusted
my ($job) = grep { /job:reports.*cnap_create_access_token/s } map { $_->[1] } blocks_of('doc/schemas.md');
is($node->safe_psql('app', "SELECT cardinality(cnap_accessible_workspaces('job:reports')) > 1"),
	't', 'the job is a member of several workspaces');
is($node->safe_psql('app', $job . <<'END'), "job:reports\n{$example{workspace}}", 'its token is for one of them');
\c - authenticator
SELECT cnap_authenticate(:'token', is_local => false);
SELECT cnap_accessible_workspaces();
END

# The tests of clients ask for a block by its language and a text in it, or for one of JavaScript by
# the name that it defines.
my $clients = join '', map { slurp_file($_) } glob 'test/clients/*.js';
my %texts;
push @{ $texts{$1} }, $2 while $clients =~ /'(js|python|ruby|java|conf)', '([^']+)'/g;
my (@not_executed, @not_asked_for);
foreach my $block (map { blocks_of($_) } grep { $_ ne 'doc/install.md' } 'README.md', @guides)
{
	my ($language, $content) = @$block;

	if ($language =~ /^(?:js|python|ruby|java|conf)$/)
	{
		my ($name) = $content =~ /^(?:const|(?:async )?function) (\w+)/;
		push @not_asked_for, $content
		  if !(defined $name && $clients =~ /\bdefined\('$name'/)
		  && !grep { index($content, $_) >= 0 } @{ $texts{$language} };
	}
	elsif ($language ne 'sql')
	{
		push @not_executed, (lines($content))[0];
	}
}
is_deeply(\@not_asked_for, [], 'the tests of clients execute what the guides show of them');
is_deeply(
	\@not_executed,
	[ 'make demo',
		'sudo apt-get install postgresql-15 postgresql-server-dev-15 gcc make',
		'make PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config',
		# omits how a column is filled
		'ALTER TABLE app.project ADD workspace_id uuid REFERENCES cnap.workspace ON DELETE CASCADE;',
		# is to be reviewed first
		q{SELECT remedy FROM cnap_lint() WHERE severity <> 'notice' AND remedy IS NOT NULL \gexec},
		'{"action": "management.grant", "organization": "4f1c…", "workspace": "9a4e…", "actor": "gina"}',
		# are settings, used by the tests of fleets and of Citus
		"synchronous_standby_names = 'FIRST 2 (access, standby)'",
		"shared_preload_libraries = 'cnap_org'",
		"cnap.beat_database = ''",
		'hot_standby_feedback = on',
		"synchronized_standby_slots = 'standby'",
		"shared_preload_libraries = 'citus, cnap_org'",
		# is the configuration of nginx
		'map $http_authorization $access_token {' ],
	'what nobody executes');

# The tests of packages ask for a command by a pattern that matches it.
my @asked_for = grep { defined } map { slurp_file($_) =~ /\bguide (?:'([^']+)'|([\w-]+))/g } glob 'test/packages/* test/roots.sh';
is_deeply(
	[ grep { my $line = $_; !grep { $line =~ /$_/ } @asked_for } map { lines($_->[1]) } grep { $_->[0] ne 'yaml' } blocks_of('doc/install.md') ],
	[], 'the tests of packages execute the guide about installation');

# ALTER DATABASE and ALTER ROLE affect only later sessions.
is($node->safe_psql('app', 'SHOW cnap.notify'), 'on', 'the example turns notifications on');
is($node->safe_psql('app', 'SELECT cnap_current_user()', extra_params => [ '-U', 'anna' ]),
	'anna', 'the example gives a role its identity');

my ($signing_in) = grep { /getenv/ } map { $_->[1] } blocks_of('doc/identity.md');
is($node->safe_psql('app', $signing_in, extra_params => [ '-U', 'authenticator' ]),
	'gina', 'the example signs in as a role that is not trusted');

$example{id} = $node->safe_psql('app', "SELECT cnap_create_organization('Other', owner => 'gina')");
$example{token} = $node->safe_psql('app', "SELECT cnap_create_install_link('$example{id}', duration => '1 year')");
foreach my $row (rows(slurp_file('doc/api.md')))
{
	my ($request, $cell) = @$row;

	next unless ($cell // '') =~ /^`(SELECT .*)`$/;
	my $sql = $1;
	$sql =~ s/(?<=[( ])(id|workspace|token)(?=[,)])/'$example{$1}'/g;
	my ($code, undef, $error) =
	  $node->psql('app', "BEGIN; SET LOCAL cnap.user_id = 'gina'; $sql; COMMIT", on_error_stop => 1);
	is($code, 0, "request: $request") or diag($error);
}

# ---- the reference ----

# A table of the catalogs' answers, each row as a list.
sub query
{
	my ($sql) = @_;

	return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('app', $sql);
}

my $permission = qr/access|administer|manage_\w+|billing|transfer|delete/;

# What is known about a function, as one string to compare.
sub summary
{
	my ($signature, $returns, $for, $permissions, $errors) = @_;
	my %distinct = map { $_ => 1 } @$errors;

	return join ' | ', $signature, $returns, $for,
	  join(' ', sort { $a cmp $b } @$permissions),
	  join(' ', sort { $a cmp $b } keys %distinct);
}

# A row of the reference
sub described
{
	my ($signature, $for, $returns, $errors) = @{ $_[0] };
	my ($role) = $for =~ /^(trusted roles|superusers)/;
	my ($set, $type) = $returns =~ /^(?:(a row|rows) of )?`([^`]*)`/;

	$signature =~ s/`//g;
	return summary(
		$signature, defined $set ? "rows of $type" : $type,
		$role // 'everybody',
		[ $for =~ /`($permission)`/g ],
		[ $errors =~ /\w{5}/g ]);
}

# A row of the query below
sub found
{
	my ($signature, $returns, $for, $comment) = @{ $_[0] };

	$signature =~ s/DEFAULT/default/g;
	$signature =~ s/NULL::[\w ]+(?:\[\])?/null/g;
	$signature =~ s/"//g;
	$signature =~ s/'00:00:0(\d)'::interval/'$1s'/;
	$signature =~ s/('[\w{}]*')::[\w.]+(?:\[\])?/$1/g;
	return summary($signature, $returns, $for,
		[ $comment =~ /(?:Requires the permission|; an admin requires) ($permission)/g ],
		[ $comment =~ /\b\d[\dA-Z]{4}\b/g ]);
}

my @described = map { described($_) }
  grep { $_->[0] =~ /^`cnap_\w+\(/ } rows($reference);

my @found = map { found($_) } query(<<'END');
SELECT format('%s(%s)', p.proname, pg_get_function_arguments(p.oid)),
       CASE WHEN p.proretset THEN
           'rows of ' || (SELECT string_agg(a.name, ', ' ORDER BY a.n)
                          FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a (name, mode, n)
                          WHERE a.mode = 't')
       ELSE format_type(p.prorettype, NULL) END,
       CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody'
            WHEN has_function_privilege('app_server', p.oid, 'EXECUTE') THEN 'trusted roles'
            ELSE 'superusers' END,
       obj_description(p.oid, 'pg_proc')
FROM pg_proc p
WHERE p.pronamespace = (SELECT extnamespace FROM pg_extension WHERE extname = 'cnap_org')
    AND p.proname LIKE 'cnap\_%'
END

ok(@found > 0, 'there are public functions');
is_deeply([ sort @described ], [ sort @found ], 'the reference has the public functions');

is_deeply(
	[ sort map { join ' ', map { s/`//gr } @$_[ 0 .. 2 ] }
		  grep { $_->[0] =~ /^`cnap\./ } rows(section('## Settings', $reference)) ],
	[ map { $_->[0] } query(<<'END') ],
SELECT concat_ws(' ', name, context, coalesce(nullif(boot_val, ''), 'empty'))
FROM (SELECT cnap_current_user()) loaded, pg_settings
WHERE name LIKE 'cnap.%' ORDER BY name COLLATE "C"
END
	'the reference has the settings');

# ---- the audit log ----

my ($actions) = slurp_file('doc/operations.md') =~ /^## Audit log\n\n(.*?)^## /ms;
my $sources = join '', map { slurp_file($_) } glob 'src/*/*.c';
is_deeply(
	[ sort map { $_->[1] =~ /`(\w+\.\w+)`/g } grep { @$_ == 2 } rows($actions) ],
	[ sort keys %{ { map { $_ => 1 } $sources =~ /"((?!cnap\.|citus\.)[a-z_]+\.(?!h")[a-z_]+)"/g } } ],
	'the actions of the audit log are those that the code knows');

# ---- the table of permissions ----

my ($header, @matrix) = grep { @$_ == 7 } rows(section('## Who may do what'));

is_deeply(
	$header,
	[ 'permission', 'owner', 'direct admin', 'direct member', 'manager', 'manager, capped', 'direct `deployer`' ],
	'the ways into a workspace');

$node->safe_psql('app', <<'END');
CREATE TABLE ids AS SELECT cnap_create_organization('o', owner => 'manager') AS organization,
    cnap_create_workspace('full', owner => 'owner') AS workspace,
    cnap_create_workspace('capped', owner => 'owner') AS capped;
SELECT cnap_add_workspace_member(workspace, 'admin', 'admin'),
    cnap_add_workspace_member(workspace, 'member'),
    cnap_add_workspace_member(workspace, 'deployer', 'deployer'),
    cnap_grant_management(workspace, organization),
    cnap_grant_management(capped, organization, 'member')
FROM ids;
END

my @answers = query(<<'END');
SELECT permission, string_agg(CASE WHEN cnap_has_permission(way.user_id,
        CASE WHEN way.capped THEN ids.capped ELSE ids.workspace END, permission)
    THEN 'yes' ELSE '' END, '|' ORDER BY way.n)
FROM ids, unnest('{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete,deploy,read_logs,read_secrets}'::text[])
        WITH ORDINALITY AS permission (permission, place),
    (VALUES (1, 'owner', false), (2, 'admin', false), (3, 'member', false),
        (4, 'manager', false), (5, 'manager', true), (6, 'deployer', false)) AS way (n, user_id, capped)
GROUP BY permission, place ORDER BY place;
END

is_deeply([ map { [ $_->[0] =~ /^`(\w+)`/, @$_[ 1 .. 6 ] ] } @matrix ],
	\@answers, 'the permissions of each way into a workspace');

$node->stop;
done_testing();
