# The queries within functions read no more rows than they have to, whatever the session did before
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use CnapTest;
use Test::More;

my $node = new_node('main', '');
my $vendor = '00000000-0000-4000-8000-000000000001';
my $workspace = '00000000-0000-4000-9000-000000000001';

$node->safe_psql('postgres', <<"END");
CREATE EXTENSION cnap_org;
ALTER SYSTEM SET autovacuum = off;
SELECT pg_reload_conf();

-- the oldest tenth of the audit log is about the first organization and workspace
INSERT INTO cnap.audit_log (database_role, action, organization_id, workspace_id, path)
SELECT 'app', 'test', CASE WHEN n <= 2000 THEN '$vendor'::uuid END, CASE WHEN n <= 2000 THEN '$workspace'::uuid END, 'test'
FROM generate_series(1, 20000) n;
INSERT INTO cnap.organization (id, name, created_at) VALUES ('$vendor', 'Vendor', '2020-01-01');
INSERT INTO cnap.workspace (id, name, owner_id, created_at) VALUES ('$workspace', 'Workspace', 'carol', '2020-01-01');

-- an organization and workspaces with many members, most of whom have several ways in; a tenth of them is
-- assigned or has activated the management, and all of the last two thousand
SET session_replication_role = replica;
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since, managed_access, managed_activation, management_id)
SELECT md5(access)::uuid, 'Large', 'user 05555', '$vendor', 'admin', now(), access, CASE access WHEN 'activated' THEN interval '1 hour' END, gen_random_uuid()
FROM unnest('{all,assigned,activated}'::text[]) access;
INSERT INTO cnap.organization_member (organization_id, user_id)
SELECT '$vendor', 'user ' || lpad(n::text, 5, '0') FROM generate_series(1, 10000) n ORDER BY random();
INSERT INTO cnap.workspace_member (workspace_id, user_id)
SELECT w.id, m.user_id FROM cnap.workspace w, cnap.organization_member m WHERE w.managed_access IS NOT NULL ORDER BY random();
INSERT INTO cnap.assignment (workspace_id, user_id, until, reason, management_id, membership_id)
SELECT w.id, m.user_id, CASE w.managed_access WHEN 'activated' THEN timestamptz '2999-12-31' END, CASE w.managed_access WHEN 'activated' THEN 'ticket' END,
	w.management_id, m.membership_id
FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
WHERE w.managed_access <> 'all' AND (m.user_id LIKE '%3' OR m.user_id > 'user 08000');
RESET session_replication_role;

-- a user who owns many workspaces, has added somebody to each, and is not in the statistics yet
INSERT INTO cnap.workspace (name, owner_id, created_at)
SELECT 'Workspace', 'user ' || n, '2020-01-01' FROM generate_series(1, 2000) n;
ANALYZE cnap.audit_log, cnap.workspace, cnap.workspace_member, cnap.organization_member, cnap.assignment;
INSERT INTO cnap.workspace (name, owner_id, created_at)
SELECT 'Workspace', 'bot', '2020-01-01' FROM generate_series(1, 50) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, added_by, created_at)
SELECT id, 'somebody', 'bot', '2020-01-01' FROM cnap.workspace WHERE owner_id = 'bot';
END

# Returns the plans that a statement leads to, without the texts of the queries.
sub plans
{
	my ($statement, $before) = @_;
	my $plans = plans_of($node, 'postgres', 'text', $before, $statement);

	$plans =~ s/^Query Text: .*//mg;
	return $plans;
}

# Checks that pages of the audit log are found without looking at other entries.
sub check_pages
{
	my ($of, $id, $before, $name) = @_;

	foreach my $page ('before => 1000, max_rows => 50', 'max_rows => 50')
	{
		unlike(plans("SELECT * FROM cnap_${of}_audit('$id', $page)", $before), qr/Rows Removed by Filter/, "$name, $page");
	}
	return;
}

# ---- the audit log ----

foreach ([ organization => $vendor ], [ workspace => $workspace ])
{
	my ($of, $id) = @$_;

	check_pages($of, $id, 'SELECT', $of);
	check_pages($of, $id, "DO 'BEGIN FOR n IN 1..8 LOOP PERFORM cnap_${of}_audit(''$id''); END LOOP; END'",
		"$of, after others");
}

# ---- pages of members ----

# Checks that no part of the plans reads more than what a page needs.
sub check_members
{
	my ($list, $before, $name) = @_;

	foreach my $after ('', "after => 'user 05500', ", "after => 'user 08000', ")
	{
		my $plans = plans("SELECT * FROM $list, ${after}max_rows => 50)", $before);
		my ($most) = sort { $b <=> $a } map { /actual rows=(\d+)\S* loops=(\d+)/ ? $1 * $2 : () } split /\n/, $plans;

		cmp_ok($most, '<', 200, "$name: $list, $after") or diag($plans);
		unlike($plans, qr/Rows Removed by Filter: \d{3}/, "$name: and filters none");
	}
	return;
}

foreach my $list ("cnap_organization_members('$vendor'", map { "cnap_workspace_members(md5('$_')::uuid" } qw(all assigned activated))
{
	check_members($list, 'SELECT', 'at first');
	check_members($list, "DO 'BEGIN FOR n IN 1..8 LOOP PERFORM @{[$list =~ s/'/''/gr]}); END LOOP; END'", 'after whole lists');
}

# ---- forgetting somebody ----

# The ids of the locked rows are in an array, which must neither be parsed nor searched for each row.
foreach my $before ('SELECT', q{DO 'BEGIN FOR n IN 1..8 LOOP PERFORM cnap_forget_user(''nobody''); END LOOP; END'})
{
	my %arrays = map { $_ => 1 } plans(q{SELECT cnap_forget_user('bot', 'successor')}, $before) =~ /= ANY \((.{4})/g;

	is_deeply([ grep { !/^'\{[0-9a-f]{2}|^'\{\}'/ } keys %arrays ], [], 'every array is a constant');
	ok((grep { /^'\{[0-9a-f]{2}/ } keys %arrays), 'including one with the ids of workspaces');
}

done_testing();
