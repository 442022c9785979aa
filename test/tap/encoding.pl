# encoding.pl: text that is invalid in the database's encoding, from a client with the encoding
# SQL_ASCII, is refused by every public function that takes text, and changes nothing

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('encoding');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;

$node->safe_psql('postgres', q{
	CREATE EXTENSION cnap_org;
	CREATE ROLE app LOGIN;
	SELECT cnap_trust('app');
	CREATE TABLE document (workspace_id uuid PRIMARY KEY);
	ALTER TABLE document OWNER TO app;
});
my $organization =
  $node->safe_psql('postgres', q{SELECT cnap_create_organization('Vendor', owner => 'olga')});
my $workspace = $node->safe_psql('postgres', q{SELECT cnap_create_workspace('Customer', 'wanda')});

$ENV{PGCLIENTENCODING} = 'SQL_ASCII';

# try_as(USER, STATEMENT): the SQLSTATE, and the result if it succeeds
sub try_as
{
	my ($user, $statement) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SET cnap.user_id = '$user';\n$statement;",
		extra_params => [ '-U', 'app', '-v', 'VERBOSITY=verbose' ], on_error_stop => 1);

	return $stderr =~ /ERROR:  (\w{5}):/ ? $1 : "00000 $stdout";
}

# The contents of the extension's tables, and the policies
sub digest
{
	return $node->safe_psql('postgres', q{
		SELECT md5(string_agg(t, '' ORDER BY t)) FROM (
			SELECT o::text FROM cnap.organization o UNION ALL
			SELECT m::text FROM cnap.organization_member m UNION ALL
			SELECT w::text FROM cnap.workspace w UNION ALL
			SELECT m::text FROM cnap.workspace_member m UNION ALL
			SELECT a::text FROM cnap.audit_log a UNION ALL
			SELECT p::text FROM pg_policies p) all_rows (t)});
}

# Text that is not valid UTF-8
my %invalid = (
	'no byte of UTF-8' => "x\xff",
	'Latin 1' => "caf\xe9",
	'a truncated character' => "\xe2\x82",
	'an overlong form' => "\xc0\xafx",
	'a surrogate' => "\xed\xa0\x80",
	'behind the last code point' => "\xf4\x90\x80\x80");

# Every text argument of every public function; ? is the text
my @calls = (
	[ olga => q{SELECT cnap_create_organization('?')} ],
	[ olga => q{SELECT cnap_create_organization('New', slug => '?')} ],
	[ olga => q{SELECT cnap_create_organization('New', logo => 'https://new.example/?')} ],
	[ olga => q{SELECT cnap_create_organization('New', management_email => '?@new.example')} ],
	[ olga => q{SELECT cnap_create_organization('New', owner => '?')} ],
	[ olga => qq{SELECT cnap_update_organization('$organization', name => '?')} ],
	[ olga => qq{SELECT cnap_update_organization('$organization', slug => '?')} ],
	[ olga => qq{SELECT cnap_update_organization('$organization', logo => 'https://new.example/?')} ],
	[ olga => qq{SELECT cnap_update_organization('$organization', management_email => '?\@new.example')} ],
	[ olga => qq{SELECT cnap_update_organization('$organization', metadata => '{"a": "?"}')} ],
	[ olga => qq{SELECT cnap_add_organization_member('$organization', '?')} ],
	[ olga => qq{SELECT cnap_set_organization_role('$organization', '?', 'admin')} ],
	[ olga => qq{SELECT cnap_remove_organization_member('$organization', '?')} ],
	[ wanda => q{SELECT cnap_create_workspace('?')} ],
	[ wanda => q{SELECT cnap_create_workspace('New', '?')} ],
	[ wanda => qq{SELECT cnap_update_workspace('$workspace', '?')} ],
	[ wanda => qq{SELECT cnap_update_workspace('$workspace', metadata => '{"a": "?"}')} ],
	[ wanda => qq{SELECT cnap_set_workspace_billing('$workspace', '?\@new.example')} ],
	[ wanda => qq{SELECT cnap_set_workspace_billing('$workspace', customer_id => '?')} ],
	[ wanda => qq{SELECT cnap_transfer_workspace('$workspace', '?')} ],
	[ wanda => qq{SELECT cnap_add_workspace_member('$workspace', '?')} ],
	[ wanda => qq{SELECT cnap_set_workspace_role('$workspace', '?', 'admin')} ],
	[ wanda => qq{SELECT cnap_remove_workspace_member('$workspace', '?')} ],
	[ wanda => qq{SELECT cnap_can_access('?', '$workspace')} ],
	[ wanda => qq{SELECT cnap_has_permission('?', '$workspace', 'access')} ],
	[ wanda => qq{SELECT cnap_workspace_role('?', '$workspace')} ],
	[ wanda => q{SELECT cnap_accessible_workspaces('?')} ],
	[ wanda => qq{SELECT cnap_explain_access('?', '$workspace')} ],
	[ wanda => q{SELECT cnap_protect('document', '?')} ],
	[ wanda => q{SET cnap.user_id = '?'} ],
	[ wanda => q{SELECT set_config('cnap.user_id', '?', false)} ]);

# Each call with one kind of text in turn
my $before = digest();
my @kinds = sort keys %invalid;
foreach my $i (0 .. $#calls)
{
	my ($user, $statement) = @{ $calls[$i] };
	my $kind = $kinds[ $i % @kinds ];

	(my $bytes = $statement) =~ s/\?/$invalid{$kind}/;
	is(try_as($user, $bytes), '22021', "$statement, with $kind");
}
is(digest(), $before, 'nothing has changed');

# Escapes in a literal, and conversions inside the server, bypass the client's encoding.
is(try_as('wanda', q{SELECT cnap_create_workspace(E'x\xff')}), '22021', 'an escape in a literal');
is(try_as('wanda', q{SELECT cnap_create_workspace(convert_from('\xff', 'SQL_ASCII'))}), '22021',
	'a conversion inside the server');

# The server does not check the startup packet: an invalid user id in it means no user.
{
	local $ENV{PGOPTIONS} = "-c cnap.user_id=x\xff";
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		q{SELECT coalesce(cnap_current_user(), 'nobody'), cnap_accessible_workspaces()},
		extra_params => [ '-U', 'app' ]);

	is($stdout, 'nobody|{}', 'an identity in the startup packet that is not valid text is none');
}
is(digest(), $before, 'nothing has changed');

# Valid text passes through such a client as it is.
is(try_as('wanda', qq{SELECT cnap_update_workspace('$workspace', 'caf\xc3\xa9')}), '00000 ',
	'valid text is accepted');
delete $ENV{PGCLIENTENCODING};
is($node->safe_psql('postgres', 'SELECT char_length(name) FROM cnap.workspace'), 4,
	'and is what it was');

# ---- an encoding that does not have all characters ----

# A claim can name them by escapes, which is no user, and no error.
$node->safe_psql('postgres', q{CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('latin1', 'CREATE EXTENSION cnap_org');
foreach my $claims ('{"sub": "\\u20ac"}', '{"sub": "olga", "name": "\\u20ac"}')
{
	is($node->safe_psql('latin1', qq{
			SET cnap.claims_setting = 'request.jwt.claims';
			SET request.jwt.claims = '$claims';
			SELECT coalesce(cnap_current_user(), 'nobody')}), 'nobody', "the claims $claims");
}

done_testing();
