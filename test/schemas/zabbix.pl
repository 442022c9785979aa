#
# zabbix.pl: the monitoring system Zabbix
#
# It has about 170 tables and 230 foreign keys, with up to six levels of them below the tables that
# belong to workspaces, tables that refer to themselves, and large tables without any key. The
# children get workspace columns of their own.
#
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use SchemaTest;

test_schema(
	name => 'zabbix',
	files => [
		[ 'zabbix-server-pgsql', 'usr/share/zabbix-server-pgsql/schema.sql', qr/INSERT INTO dbversion VALUES \('1','60000/ ] ],
	child_column => 'workspace_id',
	roots => [ qw(
		  actions auditlog autoreg_host correlation dashboard drules escalations events globalmacro graphs
		  history history_log history_str history_text history_uint hosts hstgrp images maintenances
		  media_type proxy_autoreg_host proxy_dhistory proxy_history regexps role scripts services sla task
		  timeperiods trends trends_uint trigger_queue triggers usrgrp) ],
	shared => [qw(config_autoreg_tls dbversion globalvars graph_theme ha_node housekeeper ids module)],
	findings => [
		# unique for all workspaces together, since the application was made for one customer
		map("notice key_spans_workspaces public.$_", qw(
			  actions correlation drules dservices escalations globalmacro icon_map images
			  maintenances media_type regexps report role scripts sla sysmaps token users usrgrp)) ],
	values => {
		map({ $_ => '(%w * 1000 + %k %% 4 + 1)' } qw(history.itemid history_uint.itemid)),
	},
	large => {
		hosts => 50, items => 500, triggers => 500, functions => 500, item_tag => 500, history => 500,
		history_uint => 500, trends => 500, events => 500, event_tag => 500, problem => 500,
		acknowledges => 500, dashboard_page => 50, widget => 100, widget_field => 500 },
	queries => [
		q{SELECT hostid, name, status FROM hosts WHERE host = '1.2.host'},
		q{SELECT i.itemid, i.name, i.key_ FROM items i WHERE i.hostid = 1002 AND i.key_ = '1.14.key_'},
		q{SELECT i.itemid, i.name FROM items i WHERE i.hostid = 1003 ORDER BY i.name LIMIT 50},
		q{SELECT clock, value FROM history WHERE itemid = 1003 AND clock > 1400
			ORDER BY clock DESC LIMIT 20},
		q{SELECT h.clock, h.value FROM history_uint h WHERE h.itemid = 1002
			AND h.clock BETWEEN 1100 AND 1200},
		q{SELECT * FROM events WHERE source = 1020 AND object = 1020 AND objectid = 1020
			ORDER BY clock DESC LIMIT 1},
		q{SELECT e.eventid, e.clock, t.tag, t.value FROM events e
			JOIN event_tag t USING (eventid) WHERE e.eventid = 1077},
		q{SELECT p.eventid, p.severity FROM problem p JOIN events e USING (eventid)
			WHERE p.source = 1050 AND p.object = 1050 AND p.objectid = 1050},
		q{SELECT DISTINCT t.triggerid, t.description FROM triggers t
			JOIN functions f USING (triggerid) JOIN items i USING (itemid) WHERE i.hostid = 1004
			AND i.key_ = '1.8.key_'},
		q{SELECT a.message FROM acknowledges a WHERE a.eventid = 1081 ORDER BY a.clock DESC},
		q{UPDATE problem SET acknowledged = 1 WHERE eventid = 1082},
		q{SELECT w.widgetid, f.name, f.value_str FROM widget w
			JOIN widget_field f USING (widgetid) WHERE w.dashboard_pageid = 1003} ]);
