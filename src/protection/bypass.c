/*-------------------------------------------------------------------------
 *
 * bypass.c
 *	  Telling superusers that policies do not apply to them.
 *
 * Somebody who has set cnap.user_id, and then reads a protected table as a
 * superuser, to see what the user sees, sees everything, and may think that the
 * table is open.  A query is planned before it is executed, and only a role that
 * bypasses row-level security, in a session that says whom it acts for, is looked at
 * further: so this costs others nothing.  It is said once in a session, if the library
 * has been loaded, which a query without any policy does not do.  Nobody is told of the
 * queries by which foreign keys are checked, as the owner of the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/paths.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/rel.h"

#include "identity/identity.h"
#include "protection/bypass.h"
#include "protection/policy_text.h"

static set_rel_pathlist_hook_type previous_hook = NULL;

static bool told = false;

/* Does a table have policies of ours, by their names? */
static bool
is_protected(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		found = false;
	ListCell   *lc;

	if (rel->rd_rel->relrowsecurity && rel->rd_rsdesc != NULL)
	{
		foreach(lc, rel->rd_rsdesc->policies)
			found = found || CnapIsPolicyName(((RowSecurityPolicy *) lfirst(lc))->policy_name);
	}
	table_close(rel, NoLock);
	return found;
}

/* set_rel_pathlist_hook */
static void
tell_who_bypasses(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (told || rte->rtekind != RTE_RELATION || OidIsValid(rel->userid) ||
		(rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE) ||
		CnapStatedUser() == NULL || InNoForceRLSOperation() ||
		!has_bypassrls_privilege(GetUserId()) ||
		!is_protected(rte->relid))
		return;
	told = true;
	ereport(NOTICE,
			(errmsg("row-level security does not apply to the current role"),
			 errdetail("All rows of protected tables are visible, and not only those of the current user."),
			 errhint("Execute the query as the role of the application, after SET ROLE, or call cnap_visible_rows().")));
}

void
CnapBypassInit(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = tell_who_bypasses;
}
