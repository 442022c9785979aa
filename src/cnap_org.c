/*-------------------------------------------------------------------------
 *
 * cnap_org.c
 *	  Entry point of the library.
 *
 * The extension implements multi-tenant access control inside the database:
 * who can reach a workspace is derived from the tables of the schema "cnap" at
 * the time of each check, and enforced by row-level security.  README.md in
 * this directory explains how the parts work together.
 *
 * The library can be loaded by the first call of one of its functions.  Listing
 * it in session_preload_libraries is recommended, so that its settings exist
 * from the start of a session.  The background worker and the statistics of the
 * server need it in shared_preload_libraries.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "access/cache.h"
#include "access/large_sets.h"
#include "access/plan_kinds.h"
#include "access/statistics.h"
#include "change/notifications.h"
#include "change/precedence.h"
#include "core/compat.h"
#include "core/epoch.h"
#include "core/freshness.h"
#include "core/own_catalog.h"
#include "core/version.h"
#include "fleet/beat_worker.h"
#include "identity/claims.h"
#include "identity/identity.h"
#include "identity/session_token.h"
#include "identity/trusted.h"
#include "protection/bypass.h"
#include "protection/ddl_guard.h"
#include "protection/fkey_guard.h"
#include "protection/parent_visible.h"
#include "protection/rename_guard.h"

CNAP_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	CnapVersionInit();
	CnapTrustedInit();
	CnapIdentityInit();
	CnapSessionTokenInit();
	CnapClaimsInit();
	CnapRelationsInit();
	CnapEpochInit();
	CnapFreshnessInit();
	CnapCacheInit();
	CnapStatisticsInit();
	CnapPlanKindsInit();
	CnapLargeSetsInit();
	CnapParentVisibleInit();
	CnapNotifyInit();
	CnapPrecedenceInit();
	CnapReferenceInit();
	CnapRenameGuardInit();
	CnapGuardInit();
	CnapBypassInit();
	CnapBeatWorkerInit();
	MarkGUCPrefixReserved("cnap");
}
