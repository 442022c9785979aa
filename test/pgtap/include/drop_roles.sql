/*
 * Drops the roles of roles.sql, to be run once, after the tests: a role that is
 * trusted is one in all databases.
 */
DROP OWNED BY cnap_test_app, cnap_test_visitor;
DROP ROLE cnap_test_app, cnap_test_visitor;
