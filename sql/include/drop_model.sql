-- drop_model.sql: drops what model.sql created
\set ECHO none
RESET ROLE;
RESET cnap.user_id;
SET client_min_messages = warning;
DROP EXTENSION cnap_org CASCADE;
DROP OWNED BY regress_cnap_app, regress_cnap_plain;
DROP ROLE regress_cnap_app, regress_cnap_plain;
RESET client_min_messages;
\set ECHO all
