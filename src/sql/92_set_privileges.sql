/*
 * Set the privileges of the objects that are not in cnap.present_before: of all, or
 * in an update of the new ones.  Those of the others are as an administrator wants
 * them by now.
 *
 * Whatever ALTER DEFAULT PRIVILEGES had in mind for new objects, here or where
 * a dump is restored, is undone.
 */
DO $$
DECLARE
	wrong text;
	statement text;
BEGIN
	SELECT string_agg(object, ', ') INTO wrong
	FROM (SELECT object FROM cnap.privileges() WHERE objid IS NULL AND kind <> 'PARAMETER'
		UNION ALL
		SELECT object FROM cnap.privileges() GROUP BY object, privilege HAVING count(*) > 1) w;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'cnap.privileges() lists what does not exist, or twice: %', wrong;
	END IF;

	FOR statement IN
		WITH object (classid, objid, name, owner, acl) AS (
			SELECT 'pg_namespace'::regclass, oid, format('SCHEMA %I', nspname), nspowner,
				coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace
			UNION ALL
			SELECT 'pg_class'::regclass, oid,
				format('%s %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass), relowner,
				coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) FROM pg_class
			UNION ALL
			SELECT 'pg_type'::regclass, oid, format('TYPE %s', oid::regtype), typowner,
				coalesce(typacl, acldefault('T', typowner)) FROM pg_type t
			-- 18 makes those of arrays members, too; they have the privileges of their elements
			WHERE NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)
			UNION ALL
			SELECT 'pg_proc'::regclass, oid, format('ROUTINE %s', oid::regprocedure), proowner,
				coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
		), own AS (
			SELECT object.*
			FROM object
				JOIN pg_depend d USING (classid, objid)
				JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			WHERE e.extname = 'cnap_org' AND d.deptype = 'e'
				AND NOT EXISTS (SELECT FROM cnap.present_before b WHERE (b.classid, b.objid) = (d.classid, d.objid))
		)
		SELECT s.statement
		FROM (SELECT DISTINCT 1, format('REVOKE ALL ON %s FROM %s CASCADE', own.name,
					CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
				FROM own, aclexplode(own.acl)
			UNION ALL
			SELECT 2, format('GRANT ALL ON %s TO %s', name, owner::regrole) FROM own
			UNION ALL
			SELECT 3, format('GRANT %s ON %s TO PUBLIC', p.privilege, own.name)
			FROM own JOIN cnap.privileges() p USING (classid, objid) WHERE p.audience = 'everybody'
			) s (step, statement)
		ORDER BY s.step
	LOOP
		EXECUTE statement;
	END LOOP;

	-- What this script granted to them, a dump would take for something that every
	-- installation grants, and leave out.
	IF EXISTS (SELECT FROM cnap.present_before)
		AND EXISTS (SELECT FROM cnap.privileges() p WHERE p.audience = 'trusted' AND p.kind <> 'PARAMETER'
			AND NOT EXISTS (SELECT FROM cnap.present_before b WHERE (b.classid, b.objid) = (p.classid, p.objid)))
	THEN
		FOR statement IN
			SELECT DISTINCT format('SELECT @extschema@.cnap_trust(%L);', a.grantee::regrole)
			FROM cnap.privileges() p JOIN pg_proc f ON (p.classid, p.objid) = ('pg_proc'::regclass, f.oid)
				CROSS JOIN aclexplode(f.proacl) a
			WHERE p.audience = 'trusted' AND a.grantee NOT IN (0, f.proowner)
		LOOP
			RAISE WARNING 'a trusted role lacks privileges on new objects of the extension'
				USING HINT = statement;
		END LOOP;
	END IF;
END
$$;

DROP TABLE cnap.present_before;
