/*-------------------------------------------------------------------------
 *
 * row_security.c
 *	  Row-level security of a table as it was before it was protected.
 *
 * Protecting a table enables and forces row-level security, and unprotecting it
 * restores what was there.  The record is a comment on one of our policies: it
 * goes with the policy when that or the table is renamed, dumped or dropped.
 * Whoever can write it owns the table, and can enable and disable row-level
 * security anyway.
 *
 * Policies that a table got while it was protected have always been in force.
 * They were created by somebody who saw row-level security enabled, so it is
 * not disabled then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_policy.h"
#include "commands/comment.h"
#include "commands/policy.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "core/relation.h"
#include "protection/row_security.h"
#include "protection/statement.h"

/* The names of policies, quoted and joined by commas. */
static char *
policy_list(List *names)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", quote_identifier(lfirst(lc)));
	return list.data;
}

/* The comment that records a state, up to the names of policies. */
static char *
comment_prefix(const CnapRowSecurity *state)
{
	return psprintf("row-level security before cnap_protect(): %s, %s, policies: ",
					state->enabled ? "enabled" : "disabled",
					state->forced ? "forced" : "not forced");
}

/* The state that a comment records; false if it is some other comment. */
static bool
parse_comment(const char *comment, CnapRowSecurity *state)
{
	for (int i = 0; i < 4; i++)
	{
		char	   *prefix;

		state->enabled = (i & 1) != 0;
		state->forced = (i & 2) != 0;
		prefix = comment_prefix(state);
		if (strncmp(comment, prefix, strlen(prefix)) == 0)
			return SplitIdentifierString(pstrdup(comment + strlen(prefix)), ',',
										 &state->policies);
	}
	return false;
}

/* What row-level security of a table is now. */
void
CnapPresentRowSecurity(Oid relid, const CnapProtection *protection, CnapRowSecurity *present)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	present->enabled = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
	present->forced = ((Form_pg_class) GETSTRUCT(tuple))->relforcerowsecurity;
	present->policies = protection->others;
	ReleaseSysCache(tuple);
}

/*
 * What our policies record about row-level security before a table was
 * protected.  Returns false if they do not, because they were made by hand, or
 * the one with the record was dropped.
 */
bool
CnapRecordedRowSecurity(Oid relid, const CnapProtection *protection, CnapRowSecurity *before)
{
	ListCell   *lc;

	foreach(lc, protection->own)
	{
		char	   *comment = GetComment(get_relation_policy_oid(relid, lfirst(lc), false),
										 PolicyRelationId, 0);

		if (comment != NULL && parse_comment(comment, before))
			return true;
	}
	return false;
}

/* Record it with one of our policies. */
void
CnapRecordRowSecurity(Oid relid, const char *policy, const CnapRowSecurity *before)
{
	CnapExecuteUtility(psprintf("COMMENT ON POLICY %s ON %s IS %s", quote_identifier(policy),
								CnapQualifiedName(relid),
								quote_literal_cstr(psprintf("%s%s", comment_prefix(before),
															policy_list(before->policies)))));
}

/* The policies that a table has, but did not have before it was protected. */
static List *
new_policies(const CnapProtection *former, const CnapRowSecurity *before)
{
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, former->others)
	{
		ListCell   *old;
		bool		is_old = false;

		foreach(old, before->policies)
			is_old |= strcmp(lfirst(lc), lfirst(old)) == 0;
		if (!is_old)
			found = lappend(found, lfirst(lc));
	}
	return found;
}

/*
 * Enable or disable row-level security as it was before the table was
 * protected, and say so if that does not go without saying.  NULL means that
 * it is not known: then it stays enabled if there are other policies.
 */
static void
restore(Oid relid, const CnapProtection *former, const CnapRowSecurity *before)
{
	bool		is_disabled = before == NULL ? former->others == NIL : !before->enabled;
	List	   *since = before == NULL ? former->others : new_policies(former, before);

	if (before == NULL ? !is_disabled : is_disabled && since != NIL)
	{
		if (before != NULL)
			ereport(NOTICE,
					(errmsg("row-level security of \"%s\" stays enabled and forced",
							get_rel_name(relid)),
					 errdetail("It was disabled before the table was protected, but policies have been created since: %s.",
							   policy_list(since))));
		return;
	}
	CnapExecuteUtility(psprintf("ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY",
								CnapQualifiedName(relid),
								is_disabled ? "DISABLE" : "ENABLE",
								before != NULL && before->forced ? "FORCE" : "NO FORCE"));
	if (is_disabled && former->others != NIL)
		ereport(NOTICE,
				(errmsg("row-level security of \"%s\" is disabled, as before it was protected",
						get_rel_name(relid)),
				 errdetail("Its own policies have no effect: %s.", policy_list(former->others))));
}

/*
 * Restore row-level security of a table from which our policies have been
 * dropped, and warn if that leaves it unreadable.
 */
void
CnapRestoreRowSecurity(Oid relid, const CnapProtection *former, const CnapRowSecurity *before)
{
	CnapRowSecurity present;

	restore(relid, former, before);
	CommandCounterIncrement();
	CnapPresentRowSecurity(relid, former, &present);
	if (present.enabled && !former->others_show)
		ereport(WARNING,
				(errmsg("\"%s\" is not readable any more", get_rel_name(relid)),
				 errdetail("Row-level security is enabled, and no policy that is left permits reading."),
				 former->others != NIL ?
				 errhint("Its policies are: %s. Create a permissive one, or execute ALTER TABLE %s DISABLE ROW LEVEL SECURITY.",
						 policy_list(former->others), CnapQualifiedName(relid)) :
				 errhint("Create a permissive policy, or execute ALTER TABLE %s DISABLE ROW LEVEL SECURITY.",
						 CnapQualifiedName(relid))));
}
