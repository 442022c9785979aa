/*-------------------------------------------------------------------------
 *
 * fkey_guard.c
 *	  Refuses foreign keys to our tables whose columns have another type.
 *
 * PostgreSQL checks a foreign key as the owner of the referenced table.  If the
 * referencing column has another type, it calls the implicit cast to the type
 * of the key, as that role.  Whoever has the privilege REFERENCES, which
 * cnap_trust() grants, could thus execute a function of their own as the owner
 * of our tables, who is usually a superuser.
 *
 * We look at each new constraint by a hook for object access, which comes
 * before the first row is checked.  The hook exists once the library has been
 * loaded, which the event trigger of drop_guard.c achieves before such a command
 * starts.  Casts that call no function are harmless, and only superusers can
 * create those.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_constraint.h"
#include "fmgr.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "protection/fkey_guard.h"

static object_access_hook_type next_hook = NULL;

/* Raise an error for a foreign key to our tables that would call a cast. */
static void
check_foreign_key(HeapTuple tuple)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	char	   *schema = get_namespace_name(get_rel_namespace(form->confrelid));
	int			nkeys;
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	keys[INDEX_MAX_KEYS];

	if (schema == NULL || strcmp(schema, "cnap") != 0)
		return;
	DeconstructFkConstraintRow(tuple, &nkeys, columns, keys, NULL, NULL, NULL, NULL, NULL);
	for (int i = 0; i < nkeys; i++)
	{
		Oid			type = get_atttype(form->conrelid, columns[i]);
		Oid			wanted = get_atttype(form->confrelid, keys[i]);

		if (!IsBinaryCoercible(type, wanted))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("foreign key column \"%s\" is of type %s, not %s",
							get_attname(form->conrelid, columns[i], false),
							format_type_be(type), format_type_be(wanted)),
					 errdetail("PostgreSQL would execute the cast as the owner of \"%s\".",
							   get_rel_name(form->confrelid))));
	}
}

/* hook for object access: new foreign keys */
static void
check_object(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (next_hook != NULL)
		next_hook(access, class, object, sub, arg);
	if (access != OAT_POST_CREATE || class != ConstraintRelationId)
		return;

	/* The constraint is not visible to catalog snapshots yet. */
	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_constraint_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	scan = systable_beginscan(rel, ConstraintOidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) &&
		((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN)
		check_foreign_key(tuple);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

void
CnapReferenceInit(void)
{
	next_hook = object_access_hook;
	object_access_hook = check_object;
}
