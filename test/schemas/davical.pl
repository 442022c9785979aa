#
# davical.pl: the calendar server DAViCal
#
# Its users belong to workspaces. It has a key of two columns that shares one of them with another
# key, keys that are deferrable or set defaults, triggers that write to other tables, sequences
# shared by tables, and a view with rules that write.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use SchemaTest;

test_schema(
	name => 'davical',
	files => [
		[ 'libawl-php', 'usr/share/awl/dba/awl-tables.sql', qr/CREATE TABLE usr/ ],
		[ 'libawl-php', 'usr/share/awl/dba/schema-management.sql', qr/awl_db_revision/ ],
		[ 'davical', 'usr/share/davical/dba/davical.sql', qr/CREATE TABLE caldav_data/ ],
		[ 'davical', 'usr/share/davical/dba/rrule_functions.sql', qr/rrule/ ],
		[ 'davical', 'usr/share/davical/dba/caldav_functions.sql', qr/FUNCTION sync_dav_id/ ],
		[ 'davical', 'usr/share/davical/dba/views/dav_principal.sql', qr/VIEW dav_principal/ ],
		[ 'davical', 'usr/share/davical/dba/base-data.sql', qr/INSERT/ ] ],
	roots => [qw(usr locks property)],
	prepare => q{
		DELETE FROM role_member;
		DELETE FROM principal;
		DELETE FROM usr},
	shared => [qw(awl_db_revision calendar_attendee_email_status principal_type relationship_type roles supported_locales timezones tz_aliases tz_localnames)],
	findings => [
		# one parent decides where a row is; no key can contain the workspace of another parent, since
		# these tables have no column for it. That of calendar_item to the user cannot cross, as
		# the parent has the same user: this the linter does not see.
		'warning reference_across_workspaces access_ticket_target_collection_id_fkey on public.access_ticket',
		'warning reference_across_workspaces access_ticket_target_resource_id_fkey on public.access_ticket',
		'warning reference_across_workspaces caldav_data_collection_id_fkey on public.caldav_data',
		'warning reference_across_workspaces caldav_data_logged_user_fkey on public.caldav_data',
		'warning reference_across_workspaces calendar_item_collection_id_fkey on public.calendar_item',
		'warning reference_across_workspaces calendar_item_user_no_fkey on public.calendar_item',
		'warning reference_across_workspaces dav_binding_access_ticket_id_fkey on public.dav_binding',
		'warning reference_across_workspaces dav_binding_bound_source_id_fkey on public.dav_binding',
		'warning reference_across_workspaces grants_by_principal_fkey on public.grants',
		'warning reference_across_workspaces grants_to_principal_fkey on public.grants',
		'warning reference_across_workspaces group_member_member_id_fkey on public.group_member',
		'warning reference_across_workspaces relationship_to_user_fkey on public.relationship',
		# unique for all workspaces together, since the application was made for one customer
		map("notice key_spans_workspaces public.$_", qw(
			  calendar_item collection dav_binding grants locks usr)) ],
	large => {
		usr => 25, principal => 25, collection => 50, caldav_data => 500, calendar_item => 500,
		calendar_attendee => 500, sync_changes => 500, property => 500 },
	queries => [
		# lower() is not leakproof, so it is called for visible rows only
		[ q{SELECT * FROM usr WHERE lower(username) = lower('1.2.username')}, 'usr_workspace_id_idx' ],
		q{SELECT * FROM dav_principal WHERE user_no = 1003},
		q{SELECT * FROM collection WHERE dav_name = '1.2.dav_name'},
		q{SELECT * FROM caldav_data WHERE user_no = 1001 AND dav_name = '1.33.dav_name'},
		q{SELECT caldav_type, dav_etag FROM caldav_data WHERE collection_id = 1003
			ORDER BY modified DESC LIMIT 20},
		q{SELECT d.caldav_data, i.summary FROM caldav_data d JOIN calendar_item i USING (dav_id)
			WHERE d.dav_id = 1099},
		q{SELECT i.* FROM calendar_item i WHERE i.collection_id = 1002
			AND i.dtstart BETWEEN '2024-01-02' AND '2024-01-10' ORDER BY i.dtstart},
		q{SELECT attendee, partstat FROM calendar_attendee WHERE dav_id = 1077},
		q{SELECT s.* FROM sync_changes s WHERE s.collection_id = 1004 AND s.dav_id = 1100
			ORDER BY s.sync_time},
		q{SELECT property_value FROM property WHERE dav_name = '1.40.dav_name'
			AND property_name = '1.40.property_name'},
		q{UPDATE caldav_data SET caldav_data = '' WHERE dav_id = 1101} ]);
