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
 * PostgreSQL determines the types and the operators of a foreign key when it
 * creates the row in pg_constraint, and changes the type of a column by creating
 * the row anew, whatever the command: also for partitions and other tables that
 * a command recurses to, and for keys that are not enforced or not valid yet.
 * We look at each new row by a hook for object access, which comes before the
 * first row of the table is checked.  An event trigger after the command would
 * come too late for that.  The hook exists once the library has been loaded,
 * which the event trigger of drop_guard.c, for all commands and in every
 * session_replication_role, achieves before the command starts.
 *
 * What is left is up to superusers, or those whom they gave their privileges:
 * to disable the event trigger, or all event triggers (the setting
 * event_triggers of PostgreSQL 17).  The linter reports that, and keys that
 * exist nevertheless, also one from a command that began before the extension
 * was created.
 *
 * Types are the same if PostgreSQL needs no cast, as from a domain.  A cast that
 * calls no function is not enough: the owner of the type could replace it by
 * one that does, without the constraint being created again.  So only those
 * between types that belong to the system are accepted, as from varchar to
 * text.
 *
 * The owner of the tables cannot be a role without power, which would make such
 * a cast worthless: whoever owns them can create triggers, which superusers
 * execute when they change a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "protection/fkey_guard.h"

static object_access_hook_type next_hook = NULL;

/* Does PostgreSQL take a value of one type for one of another, now and ever? */
static bool
is_same_type(Oid type, Oid wanted)
{
	Oid			base = getBaseType(type);

	return base == wanted ||
		(base < FirstUnpinnedObjectId && wanted < FirstUnpinnedObjectId &&
		 IsBinaryCoercible(base, wanted));
}

/* Raise an error for a foreign key to our tables that would call a cast. */
static void
check_foreign_key(HeapTuple tuple)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	Oid			extension = getExtensionOfObject(RelationRelationId, form->confrelid);
	int			nkeys;
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	keys[INDEX_MAX_KEYS];

	if (!OidIsValid(extension) || extension != get_extension_oid("cnap_org", true))
		return;
	DeconstructFkConstraintRow(tuple, &nkeys, columns, keys, NULL, NULL, NULL, NULL, NULL);
	for (int i = 0; i < nkeys; i++)
	{
		Oid			type = get_atttype(form->conrelid, columns[i]);
		Oid			wanted = get_atttype(form->confrelid, keys[i]);

		if (!is_same_type(type, wanted))
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
