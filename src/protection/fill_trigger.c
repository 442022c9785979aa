/*-------------------------------------------------------------------------
 *
 * fill_trigger.c
 *	  cnap.fill_workspace(), the trigger function that sets the workspace
 *	  column of a row to its parent's (kept_column.c).
 *
 * The parent is looked up as the foreign key triggers do: it is locked against
 * changes of its key, and its policies are bypassed, since nobody sees the row
 * before its own policies have been checked.  This runs as the owner of the
 * trigger's table, who owns the parent as well, so that others cannot learn
 * anything by putting this trigger on a table of theirs.
 *
 * The writer must not learn anything either.  If the parent is hidden, the row
 * gets a workspace that the policies refuse.  If it is absent, and the column
 * kept a workspace of the writer's own, the foreign key's error would reveal
 * the difference.  So we set the column to null then, which the policies
 * refuse with the same message.  Writers to whom no policy applies get the
 * foreign key's error, and so does everybody if the key is deferrable, since
 * the parent may be inserted later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_constraint.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "core/own_catalog.h"
#include "core/trigger.h"
#include "protection/keeper.h"

PG_FUNCTION_INFO_V1(cnap_fill_workspace);

/* The last plan of the search for a parent, for each trigger. */
typedef struct Lookup
{
	Oid			trigger;
	char	   *sql;
	SPIPlanPtr	plan;
} Lookup;

/*
 * Find the foreign key that a trigger sets the column for, as CnapFindKeeper()
 * does.  If the parent is partitioned, there are more for each of its
 * partitions, which we ignore.
 */
static bool
find_trigger_key(Relation rel, int ncolumns, const AttrNumber *columns, CnapLink *link)
{
	/* The relation's own list may go away with any access to the catalogs. */
	List	   *keys = copyObject(RelationGetFKeyList(rel));
	ListCell   *lc;

	memset(link, 0, sizeof(*link));
	foreach(lc, keys)
	{
		ForeignKeyCacheInfo *key = lfirst_node(ForeignKeyCacheInfo, lc);

		if (CnapIsOwnConstraint(link->constraint))
			break;
		if (key->nkeys != ncolumns ||
			memcmp(key->conkey, columns, ncolumns * sizeof(AttrNumber)) != 0 ||
			CnapIsDerivedKey(key->conoid))
			continue;
		link->parent = key->confrelid;
		link->constraint = key->conoid;
		link->nkeys = ncolumns;
		memcpy(link->child_keys, key->conkey, ncolumns * sizeof(AttrNumber));
		memcpy(link->parent_keys, key->confkey, ncolumns * sizeof(AttrNumber));
		memcpy(link->operators, key->conpfeqop, ncolumns * sizeof(Oid));
	}
	return OidIsValid(link->constraint);
}

/* The statement that fetches the parent's workspace, and locks the parent. */
static char *
lookup_statement(Relation rel, const CnapLink *link)
{
	StringInfoData sql;
	int			nkeys = link->nkeys - 1;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT p.%s FROM %s",
					 quote_identifier(get_attname(link->parent, link->parent_keys[nkeys], false)),
					 CnapParentSource(link->parent, "p"));
	for (int i = 0; i < nkeys; i++)
	{
		char	   *column = get_attname(link->parent, link->parent_keys[i], false);

		appendStringInfoString(&sql, i > 0 ? " AND " : " WHERE ");
		generate_operator_clause(&sql, psprintf("p.%s", quote_identifier(column)),
								 get_atttype(link->parent, link->parent_keys[i]),
								 link->operators[i], psprintf("$%d", i + 1),
								 TupleDescAttr(RelationGetDescr(rel),
											   link->child_keys[i] - 1)->atttypid);
	}
	appendStringInfoString(&sql, " FOR KEY SHARE OF p");
	return sql.data;
}

/*
 * Get the plan of a statement.  One is kept for each trigger, as long as its
 * SQL text is unchanged.
 */
static SPIPlanPtr
lookup_plan(Oid trigger, char *sql, int nkeys, Oid *types)
{
	static HTAB *lookups = NULL;
	Lookup	   *lookup;
	bool		found;

	if (lookups == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(Lookup)};

		lookups = hash_create("cnap_org lookups of parents", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	lookup = hash_search(lookups, &trigger, HASH_ENTER, &found);
	if (!found)
	{
		lookup->sql = NULL;
		lookup->plan = NULL;
	}
	if (lookup->plan == NULL || strcmp(lookup->sql, sql) != 0)
	{
		SPIPlanPtr	plan;

		if (lookup->plan != NULL)
		{
			SPI_freeplan(lookup->plan);
			pfree(lookup->sql);
			lookup->plan = NULL;
		}
		plan = SPI_prepare(sql, nkeys, types);
		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		lookup->sql = MemoryContextStrdup(TopMemoryContext, sql);
		SPI_keepplan(plan);
		lookup->plan = plan;
	}
	return lookup->plan;
}

/*
 * Find the workspace of a row's parent, and keep the parent from moving to
 * another workspace until the transaction ends.  Returns false if there is no
 * such parent yet.
 */
static bool
lookup_workspace(TriggerData *trigdata, const CnapLink *link, HeapTuple row,
				 Datum *workspace, bool *isnull)
{
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	int			nkeys = link->nkeys - 1;
	Datum		values[INDEX_MAX_KEYS];
	Oid			types[INDEX_MAX_KEYS];
	Oid			userid;
	int			sec_context;
	bool		found;
	int			result;

	for (int i = 0; i < nkeys; i++)
	{
		bool		key_isnull;

		values[i] = heap_getattr(row, link->child_keys[i], desc, &key_isnull);
		types[i] = TupleDescAttr(desc, link->child_keys[i] - 1)->atttypid;
	}

	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	SPI_connect();
	result = SPI_execute_plan(lookup_plan(trigdata->tg_trigger->tgoid,
										  lookup_statement(rel, link), nkeys, types),
							  values, NULL, false, 1);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
	found = SPI_processed > 0;
	if (found)
	{
		*workspace = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
		if (!*isnull)
		{
			void	   *copy = SPI_palloc(UUID_LEN);

			memcpy(copy, DatumGetPointer(*workspace), UUID_LEN);
			*workspace = PointerGetDatum(copy);
		}
	}
	SPI_finish();
	SetUserIdAndSecContext(userid, sec_context);
	return found;
}

static bool
is_deferrable(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	bool		deferrable;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	deferrable = ((Form_pg_constraint) GETSTRUCT(tuple))->condeferrable;
	ReleaseSysCache(tuple);
	return deferrable;
}

/*
 * Do policies apply to the writer?  Those that apply are the ones of the table
 * named in the statement, which may be an ancestor of this partition.
 */
static bool
is_bound(Relation rel)
{
	List	   *ancestors;
	ListCell   *lc;

	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		return true;
	ancestors = rel->rd_rel->relispartition ?
		get_partition_ancestors(RelationGetRelid(rel)) : NIL;
	foreach(lc, ancestors)
	{
		if (check_enable_rls(lfirst_oid(lc), InvalidOid, true) == RLS_ENABLED)
			return true;
	}
	return false;
}

/* Does an UPDATE leave a row's parent and workspace unchanged? */
static bool
is_unchanged(TriggerData *trigdata, const CnapLink *link)
{
	if (!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return false;
	for (int i = 0; i < link->nkeys; i++)
	{
		if (CnapColumnDiffers(RelationGetDescr(trigdata->tg_relation), trigdata->tg_trigtuple,
							  trigdata->tg_newtuple, link->child_keys[i]))
			return false;
	}
	return true;
}

/* cnap.fill_workspace() -> trigger */
Datum
cnap_fill_workspace(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapRowTriggerData(fcinfo);
	Trigger    *trigger;
	Relation	rel;
	HeapTuple	row;
	CnapLink	link;
	int			column;
	Datum		workspace = (Datum) 0;
	bool		isnull = false;

	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cnap.fill_workspace() must be fired BEFORE INSERT or UPDATE for each row")));
	trigger = trigdata->tg_trigger;
	rel = trigdata->tg_relation;
	if (trigger->tgnattr < 2 || trigger->tgnattr > INDEX_MAX_KEYS ||
		!find_trigger_key(rel, trigger->tgnattr, trigger->tgattr, &link) ||
		TupleDescAttr(RelationGetDescr(rel), trigger->tgattr[trigger->tgnattr - 1] - 1)->atttypid != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of \"%s\" has no foreign key",
						trigger->tgname, RelationGetRelationName(rel)),
				 errhint("Call cnap_protect_child() for the table again.")));

	if (is_unchanged(trigdata, &link))
		PG_RETURN_POINTER(trigdata->tg_newtuple);
	row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	for (int i = 0; i < link.nkeys - 1; i++)
		isnull |= heap_attisnull(row, link.child_keys[i], RelationGetDescr(rel));

	if (!isnull)
	{
		/*
		 * Locking a parent assigns a transaction id, which the writer could
		 * notice, so assign one in any case.
		 */
		(void) GetCurrentTransactionId();
		if (!lookup_workspace(trigdata, &link, row, &workspace, &isnull))
		{
			if (is_deferrable(link.constraint) || !is_bound(rel))
				PG_RETURN_POINTER(row);
			isnull = true;
		}
	}
	column = link.child_keys[link.nkeys - 1];
	PG_RETURN_POINTER(heap_modify_tuple_by_cols(row, RelationGetDescr(rel), 1,
												&column, &workspace, &isnull));
}
