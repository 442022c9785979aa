/*-------------------------------------------------------------------------
 *
 * cnap_org.c
 *	  Entry point of the library.
 *
 * The extension puts multi-tenant access control into the database: who may
 * reach a workspace is derived from the tables of the schema "cnap" at the
 * moment of the question, and enforced by row-level security.  README.md in
 * this directory explains how the parts work together.
 *
 * The library needs no shared memory and works when it is loaded by the first
 * call of a function; session_preload_libraries is advised, so that the
 * settings exist from the start of a session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "cache.h"
#include "claims.h"
#include "epoch.h"
#include "identity.h"
#include "notify.h"
#include "relations.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	CnapIdentityInit();
	CnapClaimsInit();
	CnapRelationsInit();
	CnapEpochInit();
	CnapCacheInit();
	CnapNotifyInit();
	MarkGUCPrefixReserved("cnap");
}
