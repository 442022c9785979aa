/*
 * The database roles of the pgTAP tests: an application server's, and one
 * without privileges.
 *
 * To be run once, before the tests, which roll back whatever they do: a parallel
 * worker takes over the role and the settings of its leader before it can see
 * what its leader's transaction has created and granted.
 */
SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY['cnap_test_app', 'cnap_test_visitor']) role
WHERE role NOT IN (SELECT rolname FROM pg_roles)
\gexec
SELECT cnap_trust('cnap_test_app') \g /dev/null
