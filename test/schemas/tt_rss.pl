#
# tt_rss.pl: the news reader Tiny Tiny RSS
#
# Its users and its articles belong to workspaces. It has categories and feeds that refer to others
# of their kind, nullable keys, tables with up to four parents, and tables of settings shared by
# all.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use SchemaTest;

test_schema(
	name => 'tt_rss',
	files => [
		[ 'tt-rss', 'usr/share/dbconfig-common/data/tt-rss/install/pgsql', qr/create table ttrss_user_entries/ ] ],
	roots => [qw(ttrss_users ttrss_entries ttrss_sessions ttrss_linked_instances)],
	prepare => 'DELETE FROM ttrss_users',
	shared => [qw(ttrss_feedbrowser_cache ttrss_filter_actions ttrss_filter_types ttrss_prefs ttrss_prefs_sections ttrss_prefs_types ttrss_version)],
	findings => [
		# one parent decides where a row is; no key can contain the workspace of another parent, or of
		# the feed or category above, since these tables have no column for it
		'warning reference_across_workspaces ttrss_entry_comments_ref_id_fkey on public.ttrss_entry_comments',
		'warning reference_across_workspaces ttrss_feed_categories_parent_cat_fkey on public.ttrss_feed_categories',
		'warning reference_across_workspaces ttrss_feeds_cat_id_fkey on public.ttrss_feeds',
		'warning reference_across_workspaces ttrss_feeds_parent_feed_fkey on public.ttrss_feeds',
		'warning reference_across_workspaces ttrss_filters2_rules_cat_id_fkey on public.ttrss_filters2_rules',
		'warning reference_across_workspaces ttrss_filters2_rules_feed_id_fkey on public.ttrss_filters2_rules',
		'warning reference_across_workspaces ttrss_tags_post_int_id_fkey on public.ttrss_tags',
		'warning reference_across_workspaces ttrss_user_entries_feed_id_fkey on public.ttrss_user_entries',
		'warning reference_across_workspaces ttrss_user_entries_orig_feed_id_fkey on public.ttrss_user_entries',
		'warning reference_across_workspaces ttrss_user_entries_ref_id_fkey on public.ttrss_user_entries',
		'warning reference_across_workspaces ttrss_user_labels2_label_id_fkey on public.ttrss_user_labels2',
		'warning reference_across_workspaces ttrss_user_prefs_profile_fkey on public.ttrss_user_prefs',
		# unique for all workspaces together, since the application was made for one customer
		map("notice key_spans_workspaces public.$_", qw(
			  ttrss_entries ttrss_linked_instances ttrss_users)) ],
	large => {
		ttrss_users => 10, ttrss_feeds => 50, ttrss_entries => 500, ttrss_user_entries => 500,
		ttrss_tags => 500, ttrss_enclosures => 500 },
	queries => [
		q{SELECT id, access_level FROM ttrss_users WHERE login = '1.2.login'},
		q{SELECT f.* FROM ttrss_feeds f WHERE f.owner_uid = 1002 ORDER BY f.order_id, f.title},
		q{SELECT id FROM ttrss_feeds WHERE feed_url = '1.7.feed_url' AND owner_uid = 1003},
		q{SELECT id FROM ttrss_entries WHERE guid = '1.30.guid'},
		# only one of two indexes remains in the bitmap scan
		[ q{SELECT count(*) FROM ttrss_user_entries WHERE feed_id = 1020 AND owner_uid = 1010 AND unread},
			'ttrss_user_entries_owner_uid_index' ],
		[ q{SELECT e.title, e.link, u.unread FROM ttrss_user_entries u JOIN ttrss_entries e ON e.id = u.ref_id
			WHERE u.feed_id = 1019 AND u.owner_uid = 1009 ORDER BY e.updated DESC LIMIT 30},
			'ttrss_entries_pkey, ttrss_user_entries_owner_uid_index' ],
		q{SELECT u.int_id FROM ttrss_user_entries u WHERE u.ref_id = 1044 AND u.owner_uid = 1004},
		q{UPDATE ttrss_user_entries SET unread = false, last_read = now() WHERE ref_id = 1051
			AND owner_uid = 1003},
		q{SELECT tag_name FROM ttrss_tags WHERE post_int_id = 1052 AND owner_uid = 1004
			ORDER BY tag_name},
		q{SELECT * FROM ttrss_enclosures WHERE post_id = 1061 AND content_url <> ''} ]);
