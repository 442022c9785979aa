# encoding.pl: text that is invalid in the database's encoding, from a client with the encoding
# SQL_ASCII, is refused by every public function that takes text, and changes nothing; characters
# that cannot be seen are refused in every encoding

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

# ---- characters that cannot be seen ----

# The code points of a database that a condition refuses, as ranges; ? is the text
sub refused
{
	my ($database, $condition, $highest) = @_;

	(my $call = $condition) =~ s/\?/chr(c)/g;
	return $node->safe_psql($database, qq{
		SELECT string_agg(to_hex(first) || '-' || to_hex(last), ' ' ORDER BY first) FROM (
			SELECT min(c) AS first, max(c) AS last FROM (
				SELECT c, c - row_number() OVER (ORDER BY c) AS range
				FROM generate_series(1, $highest) c
				WHERE c NOT BETWEEN x'd800'::int AND x'dfff'::int AND NOT $call) refused
			GROUP BY range) ranges});
}

# The same according to Perl's tables
sub expected
{
	my ($is_refused, $highest) = @_;
	my (@ranges, $open);

	no warnings 'nonchar';
	foreach my $c (1 .. $highest)
	{
		next if $c >= 0xd800 && $c <= 0xdfff;
		my $refused = $is_refused->(chr $c);
		$ranges[-1][1] = $c if $refused && $open;
		push @ranges, [ $c, $c ] if $refused && !$open;
		$open = $refused;
	}
	return join(' ', map { sprintf('%x-%x', @$_) } @ranges);
}

# Unicode 15 has more hieroglyph format controls than Perl may know.
my $invisible = sub {
	return $_[0] =~ /[\p{Cc}\p{Zl}\p{Zp}\p{DI}\x{13439}-\x{1343f}]|(?!\p{PCM})\p{Cf}/ ? 1 : 0;
};
my $blank = sub { return $invisible->($_[0]) || $_[0] =~ /[\p{White_Space}\x{2800}]/ ? 1 : 0 };

foreach my $case ([ "cnap.is_name('x' || ? || 'x')", $invisible, 'inside a name' ],
	[ 'cnap.is_name(?)', $blank, 'as a name' ],
	[ "cnap.is_user_id('x' || ?)", $blank, 'at the end of a user id' ],
	[ "cnap.is_user_id(? || 'x')", $blank, 'at the start of a user id' ])
{
	my ($condition, $is_refused, $where) = @$case;

	is(refused('postgres', $condition, 0x10ffff), expected($is_refused, 0x10ffff),
		"what Unicode says is refused $where");
	is(refused('latin1', $condition, 0xff), expected($is_refused, 0xff),
		"of Latin 1 the same is refused $where");
}
is(refused('postgres', q{cnap.is_user_id('x' || ? || 'x')}, 0x10ffff), '',
	'the middle of a user id is opaque');
is(refused('postgres', q{cnap.is_email('x' || ? || '@x')}, 0x10ffff),
	expected(sub { return $blank->($_[0]) || $_[0] =~ /["'<>\\,;@]/ ? 1 : 0 }, 0x10ffff),
	'an address has no blanks');
is(refused('postgres', q{cnap.is_https_url('https://x/' || ?)}, 0x10ffff),
	'1-20 22-22 27-27 3c-3c 3e-3e 5c-5c 60-60 7f-d7ff e000-10ffff', 'a URL has only ASCII');

# Encodings that PostgreSQL converts by tables, or that have more than one byte a character; and
# SQL_ASCII, where what is UTF-8 counts as that, and other bytes are letters.
foreach my $case (
	[ 'WIN1252', '\xad' => 'f', '\xe4' => 't', '\x81' => 't', '\xa0' => 't' ],
	[ 'WIN1256', '\x9d' => 'f', '\xfe' => 'f', '\xc7' => 't' ],
	[ 'KOI8R', '\x9a' => 't', '\xc1' => 't' ],
	[ 'EUC_JP', '\xa1a1' => 't', '\xa4a2' => 't' ],
	[ 'SQL_ASCII', '\xe2808b' => 'f', '\xc2a0' => 't', '\xff' => 't', '\xc3a4' => 't', '\x1b' => 'f', '\xe2808bff' => 't' ])
{
	my ($encoding, %seen) = @$case;

	$node->safe_psql('postgres',
		"CREATE DATABASE other ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql('other', 'CREATE EXTENSION cnap_org');
	foreach my $bytes (sort keys %seen)
	{
		my $text = "convert_from('$bytes', getdatabaseencoding())";

		is($node->safe_psql('other', "SELECT cnap.is_name('x' || $text || 'x')"), $seen{$bytes},
			"$encoding: $bytes inside a name");
	}
	$node->safe_psql('postgres', 'DROP DATABASE other');
}
foreach my $case ([ 'WIN1252', '\xa0' ], [ 'KOI8R', '\x9a' ], [ 'EUC_JP', '\xa1a1' ],
	[ 'SQL_ASCII', '\xc2a0' ])
{
	my ($encoding, $bytes) = @$case;

	$node->safe_psql('postgres',
		"CREATE DATABASE other ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql('other', 'CREATE EXTENSION cnap_org');
	is($node->safe_psql('other', qq{
			SELECT cnap.is_name(t), cnap.is_user_id('gina' || t), cnap.is_user_id('gina' || t || 'x')
			FROM convert_from('$bytes', getdatabaseencoding()) t}),
		'f|f|t', "$encoding: a blank that is not ASCII");
	$node->safe_psql('postgres', 'DROP DATABASE other');
}

done_testing();
