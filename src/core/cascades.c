/*-------------------------------------------------------------------------
 *
 * cascades.c
 *	  Whose code is executed when a row of our tables is deleted, or its key is changed.
 *
 * The actions of foreign keys change the rows of tables that belong to others, with
 * whatever triggers and rules these have.  PostgreSQL executes the actions, and BEFORE
 * triggers, as the owner of the table.  AFTER triggers run since version 18 as whoever
 * was the current role when they were queued, which is that owner; before, as the
 * current role of the session's statement.  If that is a superuser, anybody with a
 * table that refers to ours would have a superuser execute a function of theirs.
 *
 * So where a superuser deletes a row, or changes an organization's slug, the AFTER triggers
 * are fired as the owner of the tables that have them.  All are fired as one role, so the
 * statement is refused if they belong to several.  And code that runs as a table's owner
 * can itself queue deferred triggers, which fire as the superuser who commits; so it runs
 * in a security-restricted operation, which allows none.  Tables that belong to superusers
 * do not matter.
 *
 * Even to look for rows can execute code of the owner of a table, without any trigger
 * (planned_code.c).
 *
 * The tables are locked as their actions lock them, so that they get no triggers, and no
 * references, before these are executed.  That keeps nobody from creating statistics, so
 * where these would matter, their catalog is locked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

#include "core/cascades.h"
#include "core/own_catalog.h"
#include "core/planned_code.h"
#include "core/relation.h"

#if PG_VERSION_NUM < 180000

typedef struct Walk
{
	Oid			first;			/* the table of the statement */
	const Bitmapset *columns;	/* that it updates there; NULL if it deletes */
	List	   *tables;			/* of which rows may be deleted or changed */
	List	   *updated;		/* those of them of which rows may be changed */
	List	   *searched;		/* what refers to these, where it is no
								 * superuser's */
	CnapCascades found;
} Walk;

/* The columns of a foreign key, and those that they refer to; returns how many. */
static int
read_key(Oid constraint, AttrNumber *columns, AttrNumber *keys)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	int			ncolumns;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	DeconstructFkConstraintRow(tuple, &ncolumns, columns, keys, NULL, NULL, NULL, NULL, NULL);
	ReleaseSysCache(tuple);
	return ncolumns;
}

/*
 * Does a referencing column have a type that somebody has defined, whose casts are
 * theirs?
 */
static bool
has_foreign_types(Oid relid, Oid constraint)
{
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	keys[INDEX_MAX_KEYS];
	int			ncolumns = read_key(constraint, columns, keys);

	for (int i = 0; i < ncolumns; i++)
	{
		if (getBaseType(get_atttype(relid, columns[i])) >= FirstNormalObjectId)
			return true;
	}
	return false;
}

/* Does a foreign key refer to one of these columns? */
static bool
refers_to(Oid constraint, const Bitmapset *referenced)
{
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	keys[INDEX_MAX_KEYS];
	int			ncolumns = read_key(constraint, columns, keys);

	for (int i = 0; i < ncolumns; i++)
	{
		if (bms_is_member(keys[i], referenced))
			return true;
	}
	return false;
}

/*
 * Add a table of which rows may be deleted or, by SET NULL and the like, be changed.  One
 * that turns out to be changed is looked at again: keys that refer to it have another
 * action then.
 */
static void
add_table(Walk *walk, Oid relid, bool is_updated)
{
	if (list_member_oid(is_updated ? walk->updated : walk->tables, relid))
		return;
	walk->tables = lappend_oid(walk->tables, relid);
	if (is_updated)
		walk->updated = lappend_oid(walk->updated, relid);
}

/* Look at a foreign key that refers to a table, by one of the triggers that enforce it. */
static void
follow_key(Walk *walk, Oid referenced, const Trigger *trigger, bool is_updated)
{
	Oid			relid = trigger->tgconstrrelid;
	bool		is_other;

	if (RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_PK)
		return;
	if (referenced == walk->first && walk->columns != NULL &&
		!(TRIGGER_FOR_UPDATE(trigger->tgtype) && refers_to(trigger->tgconstraint, walk->columns)))
		return;
	/* The deletion of an organization changes workspaces, but not their keys. */
	if (is_updated && referenced != walk->first && referenced == CnapTableOid(CNAP_WORKSPACE))
		return;
	LockRelationOid(relid, RowExclusiveLock);
	is_other = !superuser_arg(CnapRelationOwner(relid));
	if (is_other && has_foreign_types(relid, trigger->tgconstraint))
		walk->found.to_others = true;

	/* Every action looks for the rows that refer, also in partitions. */
	walk->searched = list_concat_unique_oid(walk->searched,
											CnapForeignTables(relid, RowExclusiveLock));
	switch (trigger->tgfoid)
	{
		case F_RI_FKEY_CASCADE_DEL:
			add_table(walk, relid, false);
			break;
		case F_RI_FKEY_SETNULL_DEL:
		case F_RI_FKEY_SETDEFAULT_DEL:
			walk->found.to_others |= is_other;
			add_table(walk, relid, true);
			break;
		case F_RI_FKEY_CASCADE_UPD:
		case F_RI_FKEY_SETNULL_UPD:
		case F_RI_FKEY_SETDEFAULT_UPD:
			if (is_updated)
			{
				walk->found.to_others |= is_other;
				add_table(walk, relid, true);
			}
			break;
	}
}

/* Somebody's AFTER triggers will be fired. */
static void
note_owner(Walk *walk, Oid owner)
{
	Oid			other = walk->found.owner;

	walk->found.to_others = true;
	walk->found.owner = owner;
	if (OidIsValid(other) && other != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("triggers of several roles would be fired for a superuser"),
				 errdetail("Tables of \"%s\" and of \"%s\" lose or change rows along with this one, and have triggers or rules.",
						   GetUserNameFromId(other, false), GetUserNameFromId(owner, false)),
				 errhint("Execute this as a role that is no superuser, or let these tables belong to one role.")));
}

static void
look_at_table(Walk *walk, Oid relid)
{
	Relation	rel = table_open(relid, RowExclusiveLock);
	Oid			owner = rel->rd_rel->relowner;
	bool		is_other = !superuser_arg(owner);
	bool		is_updated = list_member_oid(walk->updated, relid);
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc); /* ours: locks can
															 * rebuild the other */
	int			ntriggers = triggers != NULL ? triggers->numtriggers : 0;
	ListCell   *lc;

	/*
	 * What a rule does is part of the statement, so its triggers are fired
	 * with this one's.
	 */
	if (is_other && rel->rd_rules != NULL)
		note_owner(walk, owner);
	for (int i = 0; i < ntriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgisinternal)
			follow_key(walk, relid, trigger, is_updated);
		else if (is_other && trigger->tgenabled != TRIGGER_DISABLED)
		{
			walk->found.to_others = true;
			if (TRIGGER_FOR_AFTER(trigger->tgtype))
				note_owner(walk, owner);
		}
	}
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		foreach(lc, find_inheritance_children(relid, RowExclusiveLock))
			add_table(walk, lfirst_oid(lc), is_updated);
	}
	table_close(rel, NoLock);
}

CnapCascades
CnapFindCascades(Oid relid, const Bitmapset *columns)
{
	Walk		walk = {.first = relid,.columns = columns};

	add_table(&walk, relid, columns != NULL);
	for (int i = 0; i < list_length(walk.tables); i++)
		look_at_table(&walk, list_nth_oid(walk.tables, i));
	if (!walk.found.to_others && walk.searched != NIL)
	{
		LockRelationOid(StatisticExtRelationId, ShareLock);
		walk.found.to_others = CnapPlansForeignCode(walk.searched);
	}
	return walk.found;
}

#endif							/* PG_VERSION_NUM < 180000 */
