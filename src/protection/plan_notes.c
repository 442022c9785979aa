/*-------------------------------------------------------------------------
 *
 * plan_notes.c
 *	  What to consider about the tables that are, or will be, protected.
 *
 * A plan protects every row from those who may not see it.  What it cannot
 * decide is left to the reader: rows that belong to no workspace, or to one that
 * is deleted; foreign keys by which rows of different workspaces refer to each
 * other; and what policies that look at a parent do not cover.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/keeper.h"
#include "protection/plan_notes.h"
#include "protection/statement.h"

static void
add_note(CnapTarget *table, const char *note)
{
	table->reason = table->reason == NULL ? pstrdup(note) :
		psprintf("%s; %s", table->reason, note);
}

/*
 * Is there a row that satisfies the condition, or any if it is NULL?  Only those who
 * own the table are told; otherwise *known is false.  It is asked as the owner, because
 * reading a table can execute functions in its indexes and constraints.
 */
static bool
has_rows(Oid relid, const char *condition, bool *known)
{
	bool		isnull;
	bool		result;

	*known = CnapOwnsRelation(relid, GetUserId());
	if (!*known)
		return false;
	SPI_connect();
	CnapExecuteAsOwner(relid, psprintf("SELECT EXISTS (SELECT FROM %s%s%s)", CnapQualifiedName(relid),
									   condition != NULL ? " WHERE " : "",
									   condition != NULL ? condition : ""),
					   SPI_OK_SELECT);
	result = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return result;
}

/* Is any of the columns null in any row? */
bool
CnapHasNulls(Oid relid, const AttrNumber *columns, int ncolumns)
{
	StringInfoData condition;
	bool		known;

	initStringInfo(&condition);
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&condition, "%s%s IS NULL", i > 0 ? " OR " : "",
						 quote_identifier(get_attname(relid, columns[i], false)));
	return has_rows(relid, condition.data, &known);
}

/* Has the table no rows? */
bool
CnapIsEmpty(Oid relid)
{
	bool		known;

	return !has_rows(relid, NULL, &known) && known;
}

/* Has another table a foreign key to it? */
bool
CnapIsReferenced(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		result = false;

	if (rel->trigdesc != NULL)
	{
		for (int i = 0; i < rel->trigdesc->numtriggers; i++)
		{
			const Trigger *trigger = &rel->trigdesc->triggers[i];

			result = result ||
				(RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK &&
				 trigger->tgconstrrelid != relid);
		}
	}
	table_close(rel, NoLock);
	return result;
}

/* Does the column refer to a workspace by a foreign key of its own? */
static bool
refers_to_workspace(Oid relid, AttrNumber column)
{
	List	   *links = CnapForeignKeys(relid);
	ListCell   *lc;

	foreach(lc, links)
	{
		const CnapLink *link = lfirst(lc);

		if (link->parent == CnapTableOid(CNAP_WORKSPACE) &&
			link->nkeys == 1 && link->child_keys[0] == column)
			return true;
	}
	return false;
}

/*
 * Note what is unusual about a workspace column.  One that follows a parent's
 * is null where the key is, and refers to a workspace as the parent does.
 */
static void
note_column(CnapTarget *table)
{
	AttrNumber	column = table->test.column;
	const char *name = quote_identifier(get_attname(table->relid, column, false));
	CnapKeeper	keeper;

	if (CnapFindKeeper(table->relid, &keeper) && keeper.column == column)
		return;
	if (!CnapIsNotNull(table->relid, column))
		add_note(table, psprintf("column %s can be null, and rows without a workspace are not visible to anyone%s",
								 name, CnapHasNulls(table->relid, &column, 1) ? "; there are such rows" : ""));
	if (!refers_to_workspace(table->relid, column))
		add_note(table, psprintf("column %s has no foreign key to cnap.workspace, so it can name a workspace that does not exist, and rows remain when one is deleted",
								 name));
}

/*
 * Note the foreign keys by which rows can refer to those of other workspaces
 * once the tables are protected.  What these are, the linter knows.
 */
static void
note_references(List *tables)
{
	Oid			types[] = {OIDARRAYOID, INT2ARRAYOID, OIDARRAYOID};
	int			ntables = list_length(tables);
	Datum	   *relations = palloc(ntables * sizeof(Datum));
	Datum	   *columns = palloc(ntables * sizeof(Datum));
	Datum	   *parents = palloc(ntables * sizeof(Datum));
	Datum		values[3];
	MemoryContext context = CurrentMemoryContext;
	int			count = 0;
	ListCell   *lc;

	foreach(lc, tables)
	{
		const CnapTarget *table = lfirst(lc);
		bool		by_column = table->test.column != 0;

		if (table->level == CNAP_NO_LEVEL)
			continue;
		relations[count] = ObjectIdGetDatum(table->relid);
		columns[count] = Int16GetDatum(by_column ? table->test.column : table->test.link.child_keys[0]);
		parents[count++] = ObjectIdGetDatum(by_column ? InvalidOid : table->test.link.parent);
	}
	values[0] = PointerGetDatum(construct_array(relations, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(columns, count, INT2OID, sizeof(int16), true, TYPALIGN_SHORT));
	values[2] = PointerGetDatum(construct_array(parents, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));

	SPI_connect();
	if (SPI_execute_with_args("SELECT x.relation, string_agg(quote_ident(f.conname), ', ' ORDER BY f.conname)"
							  " FROM cnap.lint_cross_references($1, $2, $3) x"
							  " JOIN pg_constraint f ON f.oid = x.key GROUP BY x.relation",
							  3, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for references across workspaces");
	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			bool		isnull;
			Datum		relid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
			MemoryContext former;

			if (DatumGetObjectId(relid) != table->relid)
				continue;
			former = MemoryContextSwitchTo(context);
			add_note(table, psprintf("rows can refer to those of other workspaces by %s: see cnap_lint()",
									 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2)));
			MemoryContextSwitchTo(former);
		}
	}
	SPI_finish();
}

/* Add to the reasons of a plan what to consider about its tables. */
void
CnapAddPlanNotes(List *tables, const CnapRequest *request)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);

		if (table->level == CNAP_NO_LEVEL)
			continue;
		if (table->test.column != 0)
			note_column(table);
		else if (table->statement != NULL && request->child_column == NULL)
			add_note(table, "with a child_column, rows follow at once when their parent moves to another workspace");
	}
	note_references(tables);
}
