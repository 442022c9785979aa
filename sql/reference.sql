-- reference: foreign keys to the extension's tables cannot execute a cast as their owner
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set try :abs_srcdir '/sql/include/try.sql'
\i :try
SELECT current_user AS admin \gset
ALTER ROLE regress_cnap_app LOGIN;
CREATE SCHEMA app AUTHORIZATION regress_cnap_app;
SET ROLE regress_cnap_app;
CREATE TYPE app.trojan AS ENUM ('00000000-0000-4000-8000-000000000001');
CREATE FUNCTION app.convert(app.trojan) RETURNS uuid LANGUAGE plpgsql AS
$$ BEGIN RAISE WARNING 'executed as %', current_user; RETURN '00000000-0000-4000-8000-000000000001'; END $$;
CREATE CAST (app.trojan AS uuid) WITH FUNCTION app.convert(app.trojan) AS IMPLICIT;
CREATE TABLE app.existing (id app.trojan, good uuid REFERENCES cnap.workspace);
INSERT INTO app.existing VALUES ('00000000-0000-4000-8000-000000000001');
CREATE TABLE app.parts (id app.trojan) PARTITION BY LIST (id);
CREATE TABLE app.part PARTITION OF app.parts DEFAULT;

-- also in a session that has not used the extension yet
\c - regress_cnap_app
ALTER TABLE app.existing ADD FOREIGN KEY (id) REFERENCES cnap.workspace;
\i :try
SELECT command, pg_temp.try(command) AS result
FROM unnest(ARRAY[
	'ALTER TABLE app.existing ADD FOREIGN KEY (id) REFERENCES cnap.workspace NOT VALID',
	'ALTER TABLE app.existing ALTER good TYPE app.trojan USING NULL',
	'ALTER TABLE app.existing ADD more app.trojan REFERENCES cnap.organization',
	'ALTER TABLE app.parts ADD FOREIGN KEY (id) REFERENCES cnap.workspace',
	'CREATE TABLE app.other (id app.trojan REFERENCES cnap.workspace)',
	'CREATE TEMP TABLE other (id app.trojan REFERENCES cnap.organization)',
	'CREATE TABLE app.other (slug name REFERENCES cnap.organization (slug))']) AS command;
CREATE DOMAIN app.workspace AS uuid CHECK (value IS NOT NULL);
CREATE TABLE app.harmless (id app.workspace REFERENCES cnap.workspace, slug varchar REFERENCES cnap.organization (slug));
INSERT INTO app.harmless VALUES ('00000000-0000-4000-8000-000000000001');
SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'app'::regnamespace ORDER BY conname;
-- that of other tables is not ours
CREATE TABLE app.own (id uuid PRIMARY KEY);
CREATE TABLE app.other (id app.trojan REFERENCES app.own);

\c - :admin
GRANT CREATE ON DATABASE :"DBNAME" TO regress_cnap_app;
SET ROLE regress_cnap_app;
CREATE SCHEMA regress_cnap_more CREATE TABLE other (id app.trojan REFERENCES cnap.workspace);
RESET ROLE;

SET client_min_messages = warning;
REVOKE CREATE ON DATABASE :"DBNAME" FROM regress_cnap_app;
DROP SCHEMA app CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
