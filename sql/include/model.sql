-- model.sql: the users, organizations and workspaces shared by several tests
--
--   organization Acme: owner ann, admin adam, member mia; Beta: owner bea
--   workspace    owner  managed by                   direct members
--   w1 Globex    carol  Acme as admin                gus (admin), hal (member)
--   w2 Initech   dave   Acme as member               mia (admin)
--   w3 Hooli     erin   Acme as admin, has ended     hal (member)
--   w4 Pied      frank  nobody                       hal (member)
--
-- regress_cnap_app is trusted, like an application server; regress_cnap_plain has no special
-- rights.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION cnap_org;
CREATE ROLE regress_cnap_app;
CREATE ROLE regress_cnap_plain;
SELECT FROM cnap_trust('regress_cnap_app');

\set acme '00000000-0000-4000-8000-0000000000a1'
\set beta '00000000-0000-4000-8000-0000000000b1'
\set w1 '00000000-0000-4000-8000-000000000001'
\set w2 '00000000-0000-4000-8000-000000000002'
\set w3 '00000000-0000-4000-8000-000000000003'
\set w4 '00000000-0000-4000-8000-000000000004'
\set unknown '00000000-0000-4000-8000-0000000000ff'

INSERT INTO cnap.organization (id, name) VALUES (:'acme', 'Acme'), (:'beta', 'Beta');
INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES
	(:'acme', 'ann', 'owner'), (:'acme', 'adam', 'admin'), (:'acme', 'mia', 'member'),
	(:'beta', 'bea', 'owner');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_until) VALUES
	(:'w1', 'Globex', 'carol', :'acme', 'admin', NULL),
	(:'w2', 'Initech', 'dave', :'acme', 'member', NULL),
	(:'w3', 'Hooli', 'erin', :'acme', 'admin', '2020-01-01 00:00+00'),
	(:'w4', 'Pied', 'frank', NULL, NULL, NULL);
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES
	(:'w1', 'gus', 'admin'), (:'w1', 'hal', 'member'), (:'w2', 'mia', 'admin'),
	(:'w3', 'hal', 'member'), (:'w4', 'hal', 'member');
RESET client_min_messages;
\set ECHO all
