-- protect_plan: what cnap_protect_schema() says about the tables of an existing schema: several workspace
-- columns, tables to leave out, keys and columns that are null in some rows, tables that everybody shares
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
CREATE SCHEMA shop AUTHORIZATION regress_cnap_app;
SET ROLE regress_cnap_app;
CREATE TABLE shop.app (id int PRIMARY KEY, owner_org uuid NOT NULL);
CREATE TABLE shop.device (id int PRIMARY KEY, org_id uuid);
CREATE TABLE shop.stat (id int PRIMARY KEY, org_id uuid NOT NULL, owner_org uuid NOT NULL);
CREATE TABLE shop.old (id int PRIMARY KEY, owner_org text, org_id uuid NOT NULL);
CREATE TABLE shop.users (id int PRIMARY KEY, favourite int REFERENCES shop.app);
CREATE TABLE shop.session (id int PRIMARY KEY, user_id int NOT NULL REFERENCES shop.users);
CREATE TABLE shop.audit (id int PRIMARY KEY, app int REFERENCES shop.app);
CREATE TABLE shop.tag (id int PRIMARY KEY, app int REFERENCES shop.app);
CREATE TABLE shop.country (id int PRIMARY KEY);
CREATE TABLE shop.import (line text);
INSERT INTO shop.app VALUES (1, :'w1'), (2, :'w4');
INSERT INTO shop.device VALUES (1, :'w1'), (2, NULL);
INSERT INTO shop.users VALUES (1, 1), (2, NULL);
INSERT INTO shop.tag VALUES (1, 1), (2, 2);
INSERT INTO shop.country VALUES (1);
\pset format unaligned
\pset tuples_only on

SELECT relation, protection, columns, reason FROM cnap_protect_schema('shop', workspace_columns => '{owner_org,org_id}');
-- the order of the columns decides
SELECT relation, columns FROM cnap_protect_schema('shop', workspace_columns => '{org_id,owner_org}') WHERE relation = 'shop.stat'::regclass;
-- what is left out is no parent, either
SELECT relation, protection, reason FROM cnap_protect_schema('shop', workspace_columns => '{owner_org,org_id}',
	leave_out => '{shop.app,shop.stat,shop.country}') WHERE relation::text ~ 'app|stat|country|tag';
-- whoever does not own the tables is not told what is in them
SET ROLE regress_cnap_plain;
SELECT relation, protection, reason FROM cnap_protect_schema('shop', workspace_columns => '{owner_org,org_id}') WHERE relation::text ~ 'users|device|import';
RESET ROLE;
-- the owner's functions are executed as the owner
CREATE FUNCTION shop.spy() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RAISE NOTICE 'executed by %', current_user;
	RETURN true;
END
$$;
ALTER FUNCTION shop.spy OWNER TO regress_cnap_app;
SET ROLE regress_cnap_app;
CREATE INDEX ON shop.users (id) WHERE shop.spy();
RESET ROLE;
SELECT relation, protection FROM cnap_protect_schema('shop', workspace_columns => '{owner_org,org_id}') WHERE relation = 'shop.users'::regclass;
-- executing it does what it says
SET ROLE regress_cnap_app;
DROP FUNCTION shop.spy CASCADE;
SET client_min_messages = warning;
SELECT relation FROM cnap_protect_schema('shop', true, '{owner_org,org_id}', leave_out => '{shop.device}') WHERE statement IS NOT NULL;
SELECT relation, workspace_column, parent FROM cnap_protected_tables() ORDER BY relation::text COLLATE "C";
-- protected tables stay so when they are left out
SELECT relation, protection, reason FROM cnap_protect_schema('shop', workspace_columns => '{owner_org,org_id}', leave_out => '{shop.app}') WHERE relation::text ~ 'app|tag';
RESET ROLE;
DROP SCHEMA shop CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
