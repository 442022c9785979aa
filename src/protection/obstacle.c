/*-------------------------------------------------------------------------
 *
 * obstacle.c
 *	  What prevents a table from having a workspace column that follows its
 *	  parent's (kept_column.c).
 *
 * Each obstacle is found in one place, for the plan, which names the reason and
 * does without the column, and for cnap_protect_child(), which raises the error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "nodes/readfuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/obstacle.h"

/* Set an obstacle; returns true. */
static bool
set_obstacle(CnapObstacle *obstacle, const char *reason, int sqlerrcode, char *message,
			 char *detail, char *hint)
{
	obstacle->reason = reason;
	obstacle->sqlerrcode = sqlerrcode;
	obstacle->message = message;
	obstacle->detail = detail;
	obstacle->hint = hint;
	return true;
}

/* Raise the error for an obstacle. */
void
CnapRaiseObstacle(const CnapObstacle *obstacle)
{
	ereport(ERROR,
			(errcode(obstacle->sqlerrcode),
			 errmsg_internal("%s", obstacle->message),
			 obstacle->detail != NULL ? errdetail_internal("%s", obstacle->detail) : 0,
			 obstacle->hint != NULL ? errhint("%s", obstacle->hint) : 0));
}

/* ---- the parent ---- */

/*
 * Can workspace columns of children follow this one?  Their foreign key
 * references a unique constraint that includes it.
 */
bool
CnapCanBeFollowed(Oid relid, AttrNumber column)
{
	return CnapIsNotNull(relid, column) &&
		get_attgenerated(relid, column) != ATTRIBUTE_GENERATED_VIRTUAL;
}

/*
 * Can the parent's workspace, in this column (0 if there is none), not be copied
 * to the table, or is it in it already?
 */
bool
CnapFindParentObstacle(Oid relid, const CnapLink *link, AttrNumber parent_column,
					   CnapObstacle *obstacle)
{
	static const char *const no_column =
	"the parent has no workspace column, or one that can be null or is virtual";
	Oid			parent = link->parent;
	char	   *name;

	for (int i = 0; i < link->nkeys; i++)
	{
		if (parent_column != 0 && link->parent_keys[i] == parent_column)
			return set_obstacle(obstacle,
								"the foreign key already includes the parent's workspace column",
								ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
								psprintf("column \"%s\" of \"%s\" already holds the parent's workspace",
										 get_attname(relid, link->child_keys[i], false),
										 get_rel_name(relid)),
								NULL, "Call cnap_protect() with this column.");
	}
	if (parent_column == 0)
		return set_obstacle(obstacle, no_column, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							psprintf("\"%s\" has no workspace column", get_rel_name(parent)),
							NULL,
							"Call cnap_protect_child() with a workspace_column for it first.");
	name = get_attname(parent, parent_column, false);
	if (!CnapIsNotNull(parent, parent_column))
		return set_obstacle(obstacle, no_column, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							psprintf("column \"%s\" of \"%s\" can be null", name, get_rel_name(parent)),
							NULL,
							psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;",
									 CnapQualifiedName(parent), quote_identifier(name)));
	if (!CnapCanBeFollowed(parent, parent_column))
		return set_obstacle(obstacle, no_column, ERRCODE_FEATURE_NOT_SUPPORTED,
							psprintf("column \"%s\" of \"%s\" is a virtual generated column", name,
									 get_rel_name(parent)),
							NULL, NULL);
	return false;
}

/* ---- the table ---- */

/* Is ALTER TABLE ... ADD COLUMN possible? */
static bool
can_add_column(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;
	bool		possible;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	form = (Form_pg_class) GETSTRUCT(tuple);
	possible = !form->relispartition && !OidIsValid(form->reloftype);
	ReleaseSysCache(tuple);
	return possible;
}

/*
 * A column of the key that is generated, whose values BEFORE triggers do not
 * see; 0 if there is none.
 */
static AttrNumber
generated_key(Oid relid, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		if (get_attgenerated(relid, link->child_keys[i]) != '\0')
			return link->child_keys[i];
	}
	return 0;
}

/*
 * A column of the key that cannot be followed, because the parent's takes different
 * values for equal, and it does not; 0 if there is none.  Before PostgreSQL 18, which has
 * no such foreign keys, the parent's changes reach only the rows with the very value.
 */
static AttrNumber
differently_collated_key(Oid relid, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;
		Oid			of_parent;

		get_atttypetypmodcoll(relid, link->child_keys[i], &type, &typmod, &collation);
		get_atttypetypmodcoll(link->parent, link->parent_keys[i], &type, &typmod, &of_parent);
		if (collation != of_parent && OidIsValid(of_parent) &&
			!get_collation_isdeterministic(of_parent))
			return link->child_keys[i];
	}
	return 0;
}

/*
 * Does a column belong to the partition key of one table?  We read the catalog,
 * because PostgreSQL's own functions simplify the key's expressions, and so
 * execute functions in them, as the caller.
 */
static bool
is_in_partition_key(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;
	Datum		columns;
	Datum		expressions;
	bool		isnull;
	bool		found = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	columns = SysCacheGetAttr(PARTRELID, tuple, Anum_pg_partitioned_table_partattrs, &isnull);
	for (int i = 0; i < form->partnatts; i++)
		found |= ((int2vector *) DatumGetPointer(columns))->values[i] == column;
	expressions = SysCacheGetAttr(PARTRELID, tuple, Anum_pg_partitioned_table_partexprs, &isnull);
	if (!isnull)
	{
		Bitmapset  *used = NULL;

		pull_varattnos(stringToNode(TextDatumGetCString(expressions)), 1, &used);
		found |= bms_is_member(column - FirstLowInvalidHeapAttributeNumber, used) ||
			bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	}
	ReleaseSysCache(tuple);
	return found;
}

/*
 * Does a column determine the partition, in a table or one that it is related
 * to by inheritance?  A row has been routed before the trigger changes it.
 */
static bool
is_partition_key(Oid relid, const char *column)
{
	List	   *tables = list_concat(find_all_inheritors(relid, NoLock, NULL),
									 CnapAncestors(relid));
	ListCell   *lc;

	foreach(lc, tables)
	{
		AttrNumber	attno = get_attnum(lfirst_oid(lc), column);

		if (attno > 0 && is_in_partition_key(lfirst_oid(lc), attno))
			return true;
	}
	return false;
}

/* Can an existing column not hold the parent's workspace? */
static bool
find_obstacle_of_column(Oid relid, const CnapLink *link, const char *column, AttrNumber attno,
						CnapObstacle *obstacle)
{
	static const char *const reason = "the existing column of that name is not suitable";
	const char *table = get_rel_name(relid);

	if (attno < 0)
		return set_obstacle(obstacle, reason, ERRCODE_UNDEFINED_COLUMN,
							psprintf("column \"%s\" of relation \"%s\" does not exist", column, table),
							NULL, NULL);
	if (get_atttype(relid, attno) != UUIDOID)
		return set_obstacle(obstacle, reason, ERRCODE_DATATYPE_MISMATCH,
							psprintf("column \"%s\" of relation \"%s\" is of type %s, not uuid",
									 column, table, format_type_be(get_atttype(relid, attno))),
							NULL, NULL);
	if (CnapHasKey(link, attno))
		return set_obstacle(obstacle, reason, ERRCODE_INVALID_PARAMETER_VALUE,
							psprintf("column \"%s\" of \"%s\" belongs to the key of the parent",
									 column, table),
							NULL, "If it holds the workspace, call cnap_protect().");
	if (get_attgenerated(relid, attno) != '\0')
		return set_obstacle(obstacle, reason, ERRCODE_INVALID_PARAMETER_VALUE,
							psprintf("column \"%s\" of \"%s\" is a generated column", column, table),
							NULL, NULL);
	return false;
}

/*
 * Can a table not have a workspace column that follows the one of the parent, for
 * a reason that does not depend on the latter?
 */
bool
CnapFindColumnObstacle(Oid relid, const CnapLink *link, const char *column,
					   CnapObstacle *obstacle)
{
	AttrNumber	attno = get_attnum(relid, column);
	AttrNumber	generated = generated_key(relid, link);
	AttrNumber	collated = differently_collated_key(relid, link);
	const char *table = get_rel_name(relid);

	if (get_rel_relkind(relid) == RELKIND_RELATION && has_subclass(relid) &&
		list_length(find_all_inheritors(relid, NoLock, NULL)) > 1)
		return set_obstacle(obstacle, "the table has inheritance children",
							ERRCODE_FEATURE_NOT_SUPPORTED,
							psprintf("foreign keys of \"%s\" do not apply to its inheritance children",
									 table),
							NULL, NULL);
	if (is_partition_key(relid, column))
		return set_obstacle(obstacle, "the column belongs to the partition key",
							ERRCODE_FEATURE_NOT_SUPPORTED,
							psprintf("column \"%s\" of \"%s\" belongs to the partition key", column, table),
							"The partition for a row is chosen before a trigger can fill the column.",
							NULL);
	if (generated != 0)
		return set_obstacle(obstacle, "the foreign key includes a generated column",
							ERRCODE_FEATURE_NOT_SUPPORTED,
							pstrdup("a workspace column cannot follow a generated column"),
							psprintf("Column \"%s\" of \"%s\" is generated, after the trigger that fills the workspace column.",
									 get_attname(relid, generated, false), table),
							NULL);
	if (collated != 0)
		return set_obstacle(obstacle, "the foreign key has another collation than the parent's key",
							ERRCODE_FEATURE_NOT_SUPPORTED,
							psprintf("column \"%s\" of \"%s\" has another collation than the key of \"%s\"",
									 get_attname(relid, collated, false), table, get_rel_name(link->parent)),
							"Different values are equal in the latter, and a change of the parent's workspace would not reach all of its rows.",
							NULL);
	if (attno == InvalidAttrNumber ? !can_add_column(relid) :
		find_obstacle_of_column(relid, link, column, attno, obstacle))
		return attno != InvalidAttrNumber ||
			set_obstacle(obstacle, "a typed table or a partition cannot have a column added to it",
						 ERRCODE_WRONG_OBJECT_TYPE,
						 psprintf("cannot add a column to \"%s\"", table),
						 "It is a typed table or a partition.", NULL);
	if (!CnapOwnsRelation(link->parent, GetUserId()) ||
		!CnapOwnsRelation(link->parent, CnapRelationOwner(relid)))
		return set_obstacle(obstacle, "the parent has a different owner",
							ERRCODE_INSUFFICIENT_PRIVILEGE,
							psprintf("must be owner of table %s", get_rel_name(link->parent)),
							NULL, NULL);
	return false;
}
