#
# roundcube.pl: the webmail client Roundcube
#
# Its accounts belong to workspaces. Tables of one to three levels of keys below them, one that has
# two parents, and a nullable key.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use SchemaTest;

test_schema({
	name => 'roundcube',
	files => [
		[ 'roundcube-core', 'usr/share/dbconfig-common/data/roundcube/install/pgsql', qr/CREATE TABLE contactgroupmembers/ ] ],
	roots => [qw(users session)],
	shared => [qw(cache_shared system)],
});
