/*-------------------------------------------------------------------------
 *
 * kept_column.c
 *	  Workspace columns that follow the parent's.
 *
 * A policy that searches the parent has to do so for each row, or once for all
 * parents.  A table with a workspace column of its own avoids that.
 * cnap_protect_child() adds such a column on request, and PostgreSQL's own
 * means keep it correct:
 *
 *	- a unique constraint on the parent's key and its workspace column,
 *	- a foreign key from the table's key and its workspace column to these, ON
 *	  UPDATE CASCADE, so that rows move with their parent, at any number of
 *	  levels,
 *	- and a BEFORE trigger, cnap.fill_workspace() (fill_trigger.c), which sets the
 *	  column, so that applications need not know about it.
 *
 * The foreign key guarantees that no writer can leave a row in a different
 * workspace from its parent's.  That holds for concurrent writers, because the
 * trigger locks the parent as the foreign key does, and also if the trigger
 * does not fire.
 *
 * The trigger serves as the record of all this: its columns are those of the
 * key, followed by the workspace column, and the foreign key is the one with
 * these columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/keeper.h"
#include "protection/kept_column.h"
#include "protection/obstacle.h"
#include "protection/statement.h"
#include "protection/target.h"

#define TRIGGER_NAME "cnap_workspace"

/* The comment that marks a column as one that we added, and therefore may drop. */
#define COLUMN_COMMENT "workspace of the parent, added by cnap_protect_child()"

/* Drop a constraint of a table. */
static void
drop_constraint(Oid relid, Oid constraint)
{
	CnapExecuteAsOwner(relid,
					   psprintf("ALTER TABLE %s DROP CONSTRAINT %s", CnapQualifiedName(relid),
								quote_identifier(get_constraint_name(constraint))),
					   SPI_OK_UTILITY);
	CommandCounterIncrement();
}

/* ---- maintaining the column ---- */

/* The names of columns, joined by commas. */
static char *
column_list(Oid relid, const AttrNumber *columns, int ncolumns, AttrNumber last)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&list, "%s, ", quote_identifier(get_attname(relid, columns[i], false)));
	appendStringInfoString(&list, quote_identifier(get_attname(relid, last, false)));
	return list.data;
}

/*
 * Drop the foreign key that maintains a column, and the unique constraint that
 * it references unless other foreign keys do as well.
 */
static void
drop_constraints(Oid relid, const CnapKeeper *keeper)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(keeper->constraint));
	Oid			index;
	Oid			unique;

	if (!HeapTupleIsValid(tuple))
		return;
	index = ((Form_pg_constraint) GETSTRUCT(tuple))->conindid;
	ReleaseSysCache(tuple);
	if (!CnapIsOwnConstraint(keeper->constraint))
		return;
	drop_constraint(relid, keeper->constraint);

	unique = get_index_constraint(index);
	if (CnapIsOwnConstraint(unique) && CnapDependents(index, ConstraintRelationId) == NIL &&
		CnapOwnsRelation(keeper->link.parent, GetUserId()))
		drop_constraint(keeper->link.parent, unique);
}

/* Does a column belong to the primary key? */
static bool
is_primary(Oid relid, AttrNumber column)
{
	Relation	rel = table_open(relid, NoLock);
	Bitmapset  *columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);

	table_close(rel, NoLock);
	return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns);
}

/*
 * Drop a table's trigger and constraints.  The column stays, but without NOT
 * NULL, since nothing sets it any more.
 */
static void
drop_keeper(Oid relid)
{
	CnapKeeper	keeper;

	if (!CnapFindKeeper(relid, &keeper) || keeper.is_clone)
		return;
	CnapExecuteAsOwner(relid,
					   psprintf("DROP TRIGGER %s ON %s", quote_identifier(keeper.trigger),
								CnapQualifiedName(relid)),
					   SPI_OK_UTILITY);
	if (keeper.column == 0)
		return;
	drop_constraints(relid, &keeper);
	if (!is_primary(relid, keeper.column))
		CnapExecuteAsOwner(relid,
						   psprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL",
									CnapQualifiedName(relid),
									quote_identifier(get_attname(relid, keeper.column, false))),
						   SPI_OK_UTILITY);
	CommandCounterIncrement();
}

/*
 * Stop maintaining a table's workspace column, and drop the column if we added
 * it: nothing sets it any more, so it would show rows to whom they no longer
 * belong if it were taken for the table's own.  PostgreSQL refuses if other
 * objects depend on it.
 */
void
CnapDropKeptColumn(Oid relid)
{
	CnapKeeper	keeper;
	char	   *comment;
	char	   *column;

	if (!CnapFindKeeper(relid, &keeper) || keeper.is_clone)
		return;
	drop_keeper(relid);
	if (keeper.column == 0)
		return;
	column = get_attname(relid, keeper.column, false);
	comment = GetComment(relid, RelationRelationId, keeper.column);
	if (comment != NULL && strcmp(comment, COLUMN_COMMENT) == 0)
	{
		CnapExecuteAsOwner(relid,
						   psprintf("ALTER TABLE %s DROP COLUMN %s", CnapQualifiedName(relid),
									quote_identifier(column)),
						   SPI_OK_UTILITY);
		CommandCounterIncrement();
	}
	else
		ereport(NOTICE,
				(errmsg("column \"%s\" of \"%s\" no longer follows the parent's workspace",
						column, get_rel_name(relid)),
				 errdetail("It existed before, so it is kept. As a workspace column of its own, it would show the rows to the workspaces to which they belong now."),
				 errhint("Drop the column, or protect the table by cnap_protect_child() again.")));
}

/*
 * Disable the triggers of a table, to update its rows for technical reasons.
 * Returns undo with the statements appended that enable them again.
 */
static List *
disable_triggers(Oid relid, List *undo)
{
	Relation	rel = table_open(relid, NoLock);
	char	   *table = CnapQualifiedName(relid);
	List	   *statements = NIL;
	ListCell   *lc;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];
		const char *name = quote_identifier(trigger->tgname);

		if (trigger->tgisinternal || (trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN &&
									  trigger->tgenabled != TRIGGER_FIRES_ALWAYS))
			continue;
		statements = lappend(statements,
							 psprintf("ALTER TABLE ONLY %s DISABLE TRIGGER %s", table, name));
		undo = lappend(undo, psprintf("ALTER TABLE ONLY %s ENABLE%s TRIGGER %s", table,
									  trigger->tgenabled == TRIGGER_FIRES_ALWAYS ? " ALWAYS" : "",
									  name));
	}
	table_close(rel, NoLock);
	foreach(lc, statements)
		CnapExecuteUtility(lfirst(lc));
	return undo;
}

/*
 * Fill the column.  This is no change of interest to the application's
 * triggers, so they are disabled meanwhile.
 */
static void
fill_column(List *tables, const CnapKeeper *keeper)
{
	Oid			relid = linitial_oid(tables);
	char	   *table = CnapQualifiedName(relid);
	const char *column = quote_identifier(get_attname(relid, keeper->column, false));
	const char *source = quote_identifier(get_attname(keeper->link.parent,
													  keeper->parent_column, false));
	List	   *undo = NIL;
	ListCell   *lc;
	StringInfoData sql;

	foreach(lc, tables)
		undo = disable_triggers(lfirst_oid(lc), undo);

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s c SET %s = p.%s FROM %s", table, column, source,
					 CnapParentSource(keeper->link.parent, "p"));
	CnapAppendKeys(&sql, &keeper->link, relid, "c", "p");
	appendStringInfo(&sql, " AND c.%s IS DISTINCT FROM p.%s", column, source);
	CnapExecuteAsOwner(relid, sql.data, SPI_OK_UPDATE);

	/* A row without a parent belongs to no workspace. */
	resetStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET %s = NULL WHERE %s IS NOT NULL AND (false",
					 table, column, column);
	for (int i = 0; i < keeper->link.nkeys; i++)
		appendStringInfo(&sql, " OR %s IS NULL",
						 quote_identifier(get_attname(relid, keeper->link.child_keys[i], false)));
	appendStringInfoChar(&sql, ')');
	CnapExecuteAsOwner(relid, sql.data, SPI_OK_UPDATE);

	foreach(lc, undo)
		CnapExecuteUtility(lfirst(lc));
}

/*
 * The ON DELETE action for our foreign key, copied from the table's own one.
 */
static char *
delete_action(HeapTuple tuple, Oid relid, AttrNumber column)
{
	int			nkeys;
	int			nset;
	AttrNumber	child_keys[INDEX_MAX_KEYS];
	AttrNumber	parent_keys[INDEX_MAX_KEYS];
	Oid			operators[INDEX_MAX_KEYS];
	AttrNumber	set[INDEX_MAX_KEYS];
	char	   *columns;

	DeconstructFkConstraintRow(tuple, &nkeys, child_keys, parent_keys, operators,
							   NULL, NULL, &nset, set);
	columns = nset > 0 ? psprintf(" (%s)", column_list(relid, set, nset, column)) : "";
	switch (((Form_pg_constraint) GETSTRUCT(tuple))->confdeltype)
	{
		case FKCONSTR_ACTION_RESTRICT:
			return pstrdup("RESTRICT");
		case FKCONSTR_ACTION_CASCADE:
			return pstrdup("CASCADE");
		case FKCONSTR_ACTION_SETNULL:
			return psprintf("SET NULL%s", columns);
		case FKCONSTR_ACTION_SETDEFAULT:
			return psprintf("SET DEFAULT%s", columns);
		default:
			return pstrdup("NO ACTION");
	}
}

/*
 * Add the foreign key that maintains the column, and the unique constraint
 * that it references.
 */
static void
add_constraints(Oid relid, const CnapKeeper *keeper)
{
	const CnapLink *link = &keeper->link;
	Oid			parent = link->parent;
	char	   *theirs = column_list(parent, link->parent_keys, link->nkeys,
									 keeper->parent_column);
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(keeper->constraint));
	Form_pg_constraint form;
	AttrNumber	columns[INDEX_MAX_KEYS + 1];

	memcpy(columns, link->parent_keys, sizeof(link->parent_keys));
	columns[link->nkeys] = keeper->parent_column;

	/* PostgreSQL itself builds indexes as the owner of the table. */
	if (!CnapIsUnique(parent, columns, link->nkeys + 1, true))
		CnapExecuteUtility(psprintf("ALTER TABLE %s ADD CONSTRAINT %s UNIQUE (%s)",
									CnapQualifiedName(parent),
									quote_identifier(ChooseRelationName(CNAP_CONSTRAINT_PREFIX, get_rel_name(parent),
																		"key", get_rel_namespace(parent),
																		true)),
									theirs));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", keeper->constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	CnapExecuteAsOwner(relid,
					   psprintf("ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s)"
								" ON UPDATE CASCADE ON DELETE %s%s%s",
								CnapQualifiedName(relid),
								quote_identifier(ChooseConstraintName(CNAP_CONSTRAINT_PREFIX, get_rel_name(relid),
																	  "fkey", get_rel_namespace(relid),
																	  NIL)),
								column_list(relid, link->child_keys, link->nkeys, keeper->column),
								CnapQualifiedName(parent), theirs,
								delete_action(tuple, relid, keeper->column),
								form->condeferrable ? " DEFERRABLE" : "",
								form->condeferred ? " INITIALLY DEFERRED" : ""),
					   SPI_OK_UTILITY);
	ReleaseSysCache(tuple);
}

/* Add the column, unless it exists. */
static AttrNumber
add_column(Oid relid, const char *column)
{
	AttrNumber	attno = get_attnum(relid, column);

	if (attno == InvalidAttrNumber)
	{
		CnapExecuteAsOwner(relid,
						   psprintf("ALTER TABLE %s ADD COLUMN %s uuid",
									CnapQualifiedName(relid), quote_identifier(column)),
						   SPI_OK_UTILITY);
		CnapExecuteUtility(psprintf("COMMENT ON COLUMN %s.%s IS %s", CnapQualifiedName(relid),
									quote_identifier(column), quote_literal_cstr(COLUMN_COMMENT)));
		CommandCounterIncrement();
		return get_attnum(relid, column);
	}
	return attno;
}

/* Raise an error if an UPDATE would not see all existing rows. */
static void
check_isolation(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("a workspace column cannot be filled in a transaction that does not see all rows"),
				 errhint("Use the isolation level READ COMMITTED.")));
}

/*
 * Give a table, the first of the list, and its partitions a column with the
 * parent's workspace.  The caller must have connected to SPI.
 *
 * Meanwhile policies do not apply to the owner, so that the UPDATE and the
 * validation of the foreign key see all rows.
 */
AttrNumber
CnapKeepColumn(List *tables, const CnapLink *link, AttrNumber parent_column,
			   const char *column)
{
	Oid			relid = linitial_oid(tables);
	CnapKeeper	keeper;
	CnapKeeper	former;
	CnapObstacle obstacle;
	Oid			userid;
	int			sec_context;

	if (CnapFindParentObstacle(relid, link, parent_column, &obstacle) ||
		CnapFindColumnObstacle(relid, link, column, &obstacle))
		CnapRaiseObstacle(&obstacle);

	memset(&keeper, 0, sizeof(keeper));
	keeper.link = *link;
	keeper.parent_column = parent_column;
	keeper.constraint = link->constraint;
	keeper.column = add_column(relid, column);
	if (CnapFindKeeper(relid, &former) && former.column == keeper.column &&
		former.parent_column == parent_column && CnapIsSameLink(&former.link, link) &&
		former.link.is_valid)
		return keeper.column;

	check_isolation();
	drop_keeper(relid);
	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(userid, sec_context | SECURITY_NOFORCE_RLS);
	fill_column(tables, &keeper);
	add_constraints(relid, &keeper);
	SetUserIdAndSecContext(userid, sec_context);
	CnapExecuteAsOwner(relid,
					   psprintf("CREATE TRIGGER %s BEFORE INSERT OR UPDATE OF %s ON %s"
								" FOR EACH ROW EXECUTE FUNCTION cnap.fill_workspace()",
								TRIGGER_NAME,
								column_list(relid, link->child_keys, link->nkeys, keeper.column),
								CnapQualifiedName(relid)),
					   SPI_OK_UTILITY);
	/* One that is NO INHERIT, since PostgreSQL 18, could not be set again. */
	if (!CnapIsNullableLink(relid, link) && !CnapIsNotNull(relid, keeper.column))
		CnapExecuteAsOwner(relid,
						   psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL",
									CnapQualifiedName(relid), quote_identifier(column)),
						   SPI_OK_UTILITY);
	CommandCounterIncrement();
	return keeper.column;
}
