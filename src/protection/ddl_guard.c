/*-------------------------------------------------------------------------
 *
 * ddl_guard.c
 *	  Refuses DDL that would leave a protected table less protected.
 *
 * Tools that make a schema equal to a model drop what the model does not
 * contain, such as our policies, and ask nobody.  So a command that takes
 * anything away from the protection of a table that goes on existing is
 * refused, unless it is one that our own functions execute, or the setting
 * cnap.guard is off.
 *
 * Commands are not examined, since there are many by which the same comes
 * about: each one is judged by what it has done.  Event triggers, enabled
 * ALWAYS and for all commands, call us when one starts and when it ends.  In
 * between, ddl_observer.c notes the relations that are touched.  At the end, the catalogs
 * are read twice for each of these, as of now, and with a snapshot that does
 * not contain what this transaction has done since the start.
 *
 * A table that comes to inherit from a protected one, as a partition that is
 * created or attached, is protected here in the same way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "core/citus.h"
#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/ddl_guard.h"
#include "protection/ddl_observer.h"
#include "protection/distributed.h"
#include "protection/keeper.h"
#include "protection/protection.h"
#include "protection/protect.h"
#include "protection/statement.h"
#include "protection/verify.h"

PG_FUNCTION_INFO_V1(cnap_ddl_guard);

/* What a table's protection consists of, before the command or after it. */
typedef struct State
{
	bool		exists;
	bool		enabled;		/* row-level security */
	bool		forced;
	CnapProtection protection;
	List	   *foreign_keys;	/* of CnapLink */
	List	   *key_triggers;	/* of KeyTrigger */
	bool		is_kept;
	CnapKeeper	keeper;
} State;

static bool guard = true;

bool
CnapGuards(void)
{
	return guard && !IsBinaryUpgrade;
}

/* ---- comparing ---- */

/* Does a trigger fire in an ordinary session? */
static bool
fires(char enabled)
{
	return enabled == TRIGGER_FIRES_ON_ORIGIN || enabled == TRIGGER_FIRES_ALWAYS;
}

/* A trigger of a foreign key, on either of its tables. */
typedef struct KeyTrigger
{
	Oid			oid;
	Oid			constraint;
	bool		fires;
} KeyTrigger;

/* The triggers of foreign keys on a table, as a list of KeyTrigger. */
static List *
read_key_triggers(Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	List	   *triggers = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, TriggerRelidNameIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
		KeyTrigger *trigger;

		if (!OidIsValid(form->tgconstrrelid))
			continue;
		trigger = palloc(sizeof(KeyTrigger));
		trigger->oid = form->oid;
		trigger->constraint = form->tgconstraint;
		trigger->fires = fires(form->tgenabled);
		triggers = lappend(triggers, trigger);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return triggers;
}

/* Read a table's protection as of a snapshot; NULL means now. */
static void
read_state(Oid relid, const CnapChecks *checks, Snapshot snapshot, State *state)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(state, 0, sizeof(*state));
	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, ClassOidIndexId, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		state->exists = true;
		state->enabled = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
		state->forced = ((Form_pg_class) GETSTRUCT(tuple))->relforcerowsecurity;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	CnapReadProtectionAsOf(relid, checks, snapshot, &state->protection);
	if (!state->protection.is_protected)
		return;
	state->foreign_keys = CnapForeignKeysAsOf(relid, snapshot);
	state->key_triggers = read_key_triggers(relid, snapshot);
	state->is_kept = CnapFindKeeperAsOf(relid, snapshot, &state->keeper);
}

/* Does a foreign key matter to the protection of its table? */
static bool
is_used(const CnapLink *link, const State *state)
{
	const CnapTest *test = &state->protection.test;

	return link->is_valid &&
		((test->column == 0 && CnapIsSameLink(link, &test->link)) ||
		 (state->is_kept && link->constraint == state->keeper.constraint) ||
		 (test->column != 0 && link->nkeys == 1 && link->child_keys[0] == test->column &&
		  link->parent == CnapTableOid(CNAP_WORKSPACE)));
}

/* Is there a valid foreign key like the one given? */
static bool
has_same_key(const List *foreign_keys, const CnapLink *link)
{
	const ListCell *lc;

	foreach(lc, foreign_keys)
	{
		const CnapLink *other = lfirst(lc);

		if (other->is_valid && CnapIsSameLink(other, link))
			return true;
	}
	return false;
}

/*
 * Does what keeps the workspace column still do so?  A partition that is
 * detached loses its trigger, as a clone of that of the table, but not the
 * foreign key, by which it cannot get a wrong workspace.
 */
static bool
is_still_kept(Oid relid, const State *before, const State *after)
{
	if (!before->is_kept || before->keeper.column == 0 || !fires(before->keeper.enabled))
		return true;
	if (!after->is_kept)
		return before->keeper.is_clone && !get_rel_relispartition(relid);
	return fires(after->keeper.enabled) && after->keeper.column == before->keeper.column &&
		after->keeper.parent_column == before->keeper.parent_column &&
		CnapIsSameLink(&after->keeper.link, &before->keeper.link);
}

/* Does the protection of the table that has it rest on a foreign key? */
static bool
is_key_used(Oid constraint, const CnapChecks *checks)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	State		state;
	ListCell   *lc;

	if (!HeapTupleIsValid(tuple))
		return false;
	read_state(((Form_pg_constraint) GETSTRUCT(tuple))->conrelid, checks, NULL, &state);
	ReleaseSysCache(tuple);
	foreach(lc, state.foreign_keys)
	{
		const CnapLink *link = lfirst(lc);

		if (link->constraint == constraint)
			return is_used(link, &state);
	}
	return false;
}

/*
 * A foreign key of this table, or one to it, whose triggers have been disabled,
 * and on which a protection rests; InvalidOid if there is none.
 */
static Oid
disabled_key(const State *before, const State *after, const CnapChecks *checks)
{
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, before->key_triggers)
	{
		const KeyTrigger *former = lfirst(lc);

		foreach(other, after->key_triggers)
		{
			const KeyTrigger *present = lfirst(other);

			if (former->oid == present->oid && former->fires && !present->fires &&
				is_key_used(present->constraint, checks))
				return present->constraint;
		}
	}
	return InvalidOid;
}

/* Does a policy require anything else than before, or less? */
static bool
demands_less(const CnapDemand *present, const CnapDemand *former)
{
	return present->permission != former->permission || present->visible != former->visible ||
		(present->is_bare && !former->is_bare);
}

/* Tell that a foreign key has been lost, perhaps with its column. */
static char *
lost_key(Oid relid, AttrNumber column)
{
	char	   *name = get_attname(relid, column, false);

	return get_attnum(relid, name) == column ?
		psprintf("The foreign key of column \"%s\" would be dropped or not be valid.", name) :
		pstrdup("A column with a foreign key would be dropped.");
}

/* What a table's protection has lost, as a sentence; NULL if nothing. */
static char *
find_loss(Oid relid, const State *before, const State *after, const CnapChecks *checks)
{
	const CnapProtection *former = &before->protection;
	const CnapProtection *present = &after->protection;
	Oid			disabled;
	ListCell   *lc;

	if (before->enabled && !after->enabled)
		return pstrdup("Row-level security would be disabled.");
	if (before->forced && !after->forced)
		return pstrdup("Row-level security would not be forced for the owner.");
	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if (former->restricted[i] &&
			(!present->restricted[i] ||
			 demands_less(&present->restriction[i], &former->restriction[i]) ||
			 !CnapIsSameWay(&present->test, &former->test)))
			return psprintf("Policy \"%s\" would be dropped or changed.", CnapPolicyName(i, false));
		if (former->permitted[i] && !present->permitted[i])
			return psprintf("Policy \"%s\" would be dropped or changed.", CnapPolicyName(i, true));
	}
	if (list_length(present->others) > list_length(former->others) &&
		CnapIsOpenOnWorkers(relid, present))
		return pstrdup("Another policy would open it on the workers of Citus.");
	if (former->agrees && !present->agrees)
		return pstrdup("Its policies would test different columns or parents.");
	foreach(lc, before->foreign_keys)
	{
		const CnapLink *link = lfirst(lc);

		if (is_used(link, before) && !has_same_key(after->foreign_keys, link))
			return lost_key(relid, link->child_keys[0]);
	}
	if (!is_still_kept(relid, before, after))
		return psprintf("Trigger \"%s\" would no longer keep the workspace column.",
						before->keeper.trigger);
	disabled = disabled_key(before, after, checks);
	if (OidIsValid(disabled))
		return psprintf("Foreign key \"%s\" would no longer be enforced.",
						get_constraint_name(disabled));
	return NULL;
}

/* Refuse the command. */
pg_noreturn static void
refuse(Oid relid, char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s\" is protected, and this command would leave it less protected",
					get_rel_name(relid)),
			 errdetail_internal("%s", detail),
			 errhint("SELECT cnap_unprotect(%s) ends the protection, and cnap_protect() changes it. A superuser can turn this check off by the setting cnap.guard.",
					 quote_literal_cstr(CnapQualifiedName(relid)))));
}

/* ---- inheritance ---- */

/* Is it a foreign table that PostgreSQL can write to? */
static bool
is_writable_foreign_table(Oid relid)
{
	ForeignServer *server;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return false;
	server = GetForeignServer(GetForeignServerIdByRelId(relid));
	return OidIsValid(GetForeignDataWrapper(server->fdwid)->fdwhandler) &&
		relation_is_updatable(relid, NIL, false, NULL) != 0;
}

/* The version of a foreign table's row in pg_foreign_table, which has its options. */
static ItemPointerData
foreign_table_version(Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(ForeignTableRelationId, AccessShareLock);
	ItemPointerData version;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ItemPointerSetInvalid(&version);
	ScanKeyInit(&key, Anum_pg_foreign_table_ftrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, ForeignTableRelidIndexId, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		version = tuple->t_self;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}

/* Can a foreign table be written to whose options the command has changed? */
static bool
may_have_become_writable(Oid relid, Snapshot snapshot)
{
	ItemPointerData former;
	ItemPointerData present;

	if (!is_writable_foreign_table(relid))
		return false;
	former = foreign_table_version(relid, snapshot);
	present = foreign_table_version(relid, NULL);
	return !ItemPointerEquals(&former, &present);
}

/* Can a relation have policies? */
static bool
can_have_policies(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE;
}

/*
 * Raise an error if a table that inherits from one whose protection rests on a
 * foreign key does not have it, since that is inherited by partitions only.
 */
static void
check_inherited_key(Oid ancestor, Oid relid, const CnapChecks *checks)
{
	CnapProtection protection;
	CnapKeeper	keeper;

	if (get_rel_relkind(ancestor) == RELKIND_PARTITIONED_TABLE)
		return;
	CnapReadProtection(ancestor, checks, &protection);
	if (CnapFindKeeper(ancestor, &keeper) ||
		(protection.test.column == 0 &&
		 OidIsValid(CnapHeirWithoutKey(ancestor, &protection.test.link))))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" cannot inherit from \"%s\", which is protected by a foreign key",
						get_rel_name(relid), get_rel_name(ancestor)),
				 errdetail("Foreign keys are not inherited.")));
}

/* Refuse that a table inherits from another one. */
pg_noreturn static void
refuse_ancestor(Oid relid, Oid ancestor)
{
	refuse(relid, psprintf("It would inherit from \"%s\", which is not protected in the same way, and shows its rows.",
						   get_rel_name(ancestor)));
}

/* Protect a table and its heirs like the one from which it inherits now. */
static void
protect_heirs(Oid ancestor, Oid relid, const CnapChecks *checks)
{
	List	   *heirs = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	List	   *tables = NIL;
	ListCell   *lc;

	check_inherited_key(ancestor, relid, checks);
	foreach(lc, heirs)
	{
		Oid			heir = lfirst_oid(lc);
		CnapProtection protection;

		if (!can_have_policies(heir) || CnapIsProtectedAlike(ancestor, heir, checks))
			continue;
		CnapReadProtection(heir, checks, &protection);
		if (protection.is_protected && heir != relid && !get_rel_relispartition(heir))
			refuse_ancestor(heir, ancestor);
		tables = lappend_oid(tables, heir);
	}
	SPI_connect();
	CnapProtectHeirs(ancestor, tables, checks);
	SPI_finish();
}

/*
 * Look at the tables from which a table inherits since the command.  If it was
 * protected, these must be in the same way, since queries of them show its
 * rows; if it was not, it becomes protected as those are that are protected, which must
 * be in one way, except above a partition, which is protected as the topmost.  A foreign
 * table cannot be: PostgreSQL applies the policies of the table that a query names to the
 * rows that it reads there, but not to those that it writes.  So it must not become
 * writable later, either.
 */
static void
judge_ancestors(Oid relid, const CnapChecks *checks, Snapshot snapshot, const State *before)
{
	List	   *ancestors = CnapAncestors(relid);
	List	   *former;
	bool		is_new = false; /* protected because of this command */
	ListCell   *lc;

	if (ancestors == NIL || !(can_have_policies(relid) || is_writable_foreign_table(relid)))
		return;
	former = before->exists && !may_have_become_writable(relid, snapshot) ?
		CnapAncestorsAsOf(relid, snapshot) : NIL;
	ancestors = list_difference_oid(ancestors, former);
	foreach(lc, ancestors)
	{
		Oid			ancestor = lfirst_oid(lc);
		CnapProtection protection;
		CnapRequired required;

		if (CnapIsProtectedAlike(ancestor, relid, checks))
		{
			check_inherited_key(ancestor, relid, checks);
			continue;
		}
		CnapReadProtection(ancestor, checks, &protection);
		if (before->protection.is_protected ||
			(is_new && !get_rel_relispartition(relid) && CnapIsComplete(&protection, &required)))
			refuse_ancestor(relid, ancestor);
		if (!CnapIsComplete(&protection, &required))
			continue;
		if (!can_have_policies(relid))
			refuse(ancestor, psprintf("Nothing would check the rows that are written to the foreign table \"%s\" through it. Make that read-only before, as by OPTIONS (updatable 'false').",
									  get_rel_name(relid)));
		protect_heirs(ancestor, relid, checks);
		is_new = true;
	}
}

/* ---- the trigger ---- */

/* Judge what has been done to the relations touched so far. */
static void
judge(FunctionCallInfo fcinfo)
{
	Snapshot	before = CnapRegisterSnapshotBefore();
	CnapChecks	checks;
	char	   *name = NULL;
	Oid			schema = InvalidOid;
	Oid			owner = InvalidOid;
	List	   *relations;
	ListCell   *lc;

	relations = CnapTouchedRelations(before);
	/* What we do about it is observed as what follows. */
	CnapStartObserving(CnapObservesOwn());
	if (relations != NIL &&
		OidIsValid(CnapFindExtension(fcinfo->flinfo->fn_oid, &name, &schema, &owner)))
	{
		CnapFindChecksIn(get_namespace_name(schema), &checks);
		foreach(lc, relations)
		{
			Oid			relid = lfirst_oid(lc);
			State		state;
			State		former;
			char	   *loss;

			if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
				continue;
			read_state(relid, &checks, before, &former);
			if (former.exists && former.protection.is_protected)
			{
				read_state(relid, &checks, NULL, &state);
				loss = find_loss(relid, &former, &state, &checks);
				if (loss != NULL)
					refuse(relid, loss);
			}
			judge_ancestors(relid, &checks, before, &former);
		}
	}
	UnregisterSnapshot(before);
}

/* Does a command start? */
static bool
is_start(FunctionCallInfo fcinfo)
{
	return strcmp(((EventTriggerData *) fcinfo->context)->event, "ddl_command_start") == 0;
}

/*
 * cnap.ddl_guard() -> event_trigger
 *
 * Called when a command starts, and when it ends.
 */
Datum
cnap_ddl_guard(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cnap.ddl_guard() can only be called as an event trigger")));

	/*
	 * Whatever is no command of somebody else's is not judged.  What one has
	 * done that executes a function of ours is, before our first statement:
	 * event triggers of others call such functions when a command ends.
	 */
	if (CnapIsObserving() && CnapGuards() && !(CnapObservesOwn() && CnapIsExecuting()) &&
		!CnapIsForAnotherNode())
		judge(fcinfo);
	CnapStartObserving(CnapIsExecuting() && is_start(fcinfo));
	PG_RETURN_NULL();
}

void
CnapGuardInit(void)
{
	DefineCustomBoolVariable("cnap.guard",
							 "Refuses commands that would leave a protected table less protected.",
							 NULL,
							 &guard,
							 true,
							 PGC_SUSET,
							 GUC_ALLOW_IN_PARALLEL,
							 NULL, NULL, NULL);
	CnapObserverInit();
}
