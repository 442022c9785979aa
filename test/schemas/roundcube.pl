#
# roundcube.pl: the webmail client Roundcube
#
# Its accounts belong to workspaces. It has tables one to three levels of keys below them, one with
# two parents, and a nullable key.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use SchemaTest;

test_schema(
	name => 'roundcube',
	files => [
		[ 'roundcube-core', 'usr/share/dbconfig-common/data/roundcube/install/pgsql', qr/CREATE TABLE contactgroupmembers/ ] ],
	roots => [qw(users session)],
	shared => [qw(cache_shared system)],
	findings => [
		# the contact decides where a row is; no key can contain the workspace of the group, since these
		# tables have no column for it
		'warning reference_across_workspaces contactgroupmembers_contactgroup_id_fkey on public.contactgroupmembers',
		# unique for all workspaces together, since the application was made for one customer
		map("notice key_spans_workspaces public.$_", qw(users)) ],
	large => {
		users => 25, session => 100, contactgroups => 50, contacts => 500, contactgroupmembers => 500,
		identities => 50, cache_messages => 500, cache_index => 500 },
	queries => [
		q{SELECT * FROM users WHERE username = '1.2.username' AND mail_host = '1.2.mail_host'},
		q{SELECT * FROM session WHERE sess_id = '1.3.sess_id'},
		q{SELECT * FROM contacts WHERE user_id = 1002 AND del = 1027 ORDER BY name, firstname LIMIT 50},
		q{SELECT count(*) FROM contacts WHERE user_id = 1002},
		q{SELECT * FROM contacts WHERE contact_id = 1007 AND user_id = 1003},
		# by their own keys, since fewer of the user's contacts, or of the contact's groups, are expected
		[ q{SELECT c.* FROM contactgroupmembers m JOIN contacts c USING (contact_id)
			WHERE m.contactgroup_id = 1002 AND c.user_id = 1002 AND c.del <> 1 ORDER BY c.name},
			'contactgroupmembers_contact_id_idx, contacts_user_id_idx' ],
		[ q{SELECT g.contactgroup_id, g.name FROM contactgroupmembers m
			JOIN contactgroups g USING (contactgroup_id) WHERE m.contact_id = 1017 AND g.user_id = 1001},
			'contactgroupmembers_contact_id_idx, contactgroups_pkey' ],
		q{SELECT data FROM cache_messages WHERE user_id = 1001 AND mailbox = '1.17.mailbox'
			AND uid = 1017},
		q{SELECT uid, data FROM cache_messages WHERE user_id = 1001 AND mailbox = '1.17.mailbox'
			AND uid IN (1016, 1017, 1018)},
		q{UPDATE cache_index SET data = '', valid = 0 WHERE user_id = 1001 AND mailbox = '1.21.mailbox'},
		q{DELETE FROM identities WHERE user_id = 1001 AND identity_id = 1009} ]);
