/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between the supported versions of PostgreSQL, 15 to 19.
 *
 * Each shim names the upstream commit that made it necessary.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_COMPAT_H
#define CNAP_COMPAT_H

#include "access/slru.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "commands/async.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/wait_event.h"

/*
 * PostgreSQL 16 (d952373a987) moved the macros of variable-length values out
 * of postgres.h.
 */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "parser/parse_relation.h"
#include "varatt.h"
#endif

/*
 * PostgreSQL 19 (325fc0ab14d) moved get_database_name() to the catalog lookups.
 */
#if PG_VERSION_NUM < 190000
#include "commands/dbcommands.h"
#else
#include "utils/lsyscache.h"
#endif

/*
 * PostgreSQL 16 replaced the pg_xxx_ownercheck() functions by
 * object_ownercheck() (afbfc02983f), and pg_xxx_aclcheck() by object_aclcheck()
 * (c727f511bd7).
 */
#if PG_VERSION_NUM < 160000
#define CnapOwnsRelation(relid, roleid) pg_class_ownercheck(relid, roleid)
#define CnapMayExecute(function, roleid) \
	(pg_proc_aclcheck(function, roleid, ACL_EXECUTE) == ACLCHECK_OK)
#else
#define CnapOwnsRelation(relid, roleid) \
	object_ownercheck(RelationRelationId, relid, roleid)
#define CnapMayExecute(function, roleid) \
	(object_aclcheck(ProcedureRelationId, function, roleid, ACL_EXECUTE) == ACLCHECK_OK)
#endif

/*
 * PostgreSQL 16 (3d14e171e9e) made it an option of a membership whether SET ROLE is
 * allowed.
 */
#if PG_VERSION_NUM < 160000
#define CnapMaySetRole(member, role) is_member_of_role(member, role)
#else
#define CnapMaySetRole(member, role) member_can_set_role(member, role)
#endif

/*
 * PostgreSQL 19 (dd1398f1378) made GRANT record any grantor that it is given,
 * also another superuser, whose grants a REVOKE in the name of the owner leaves
 * alone.  Until then, GRANTED BY could name nobody but the current role.
 */
#define CnapGrantsHaveGrantors (PG_VERSION_NUM >= 190000)

/*
 * A setting with this flag gets its value even if the library that defines it
 * is loaded while a parallel query is running.  Minor releases of PostgreSQL 15
 * to 17 before November 2024 do not know the flag.
 */
#ifndef GUC_ALLOW_IN_PARALLEL
#define GUC_ALLOW_IN_PARALLEL 0
#endif

/*
 * PostgreSQL 16 (407b50f2d42) allocates what belongs to a setting in a memory
 * context, by a function of its own.  Both return NULL for lack of memory.
 */
#if PG_VERSION_NUM < 160000
#define CnapGucAlloc(size) malloc(size)
#else
#define CnapGucAlloc(size) guc_malloc(LOG, size)
#endif

/*
 * PostgreSQL 18 (3691edfab97) replaced pg_attribute_noreturn(), which follows
 * a declaration, by pg_noreturn, which precedes it.
 */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * PostgreSQL 18 (9324c8c5806) lets a library tell its name and version, which
 * pg_get_loaded_modules() shows.
 */
#if PG_VERSION_NUM < 180000
#define CNAP_MODULE_MAGIC PG_MODULE_MAGIC
#else
#define CNAP_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "cnap_org", .version = CNAP_VERSION)
#endif

/*
 * PostgreSQL 16 (a61b1f74823) moved what privileges are needed, and of whom, from the entries
 * of a range table to entries of their own.
 */
#if PG_VERSION_NUM < 160000
#define CnapCheckAsUser(query, rte) ((rte)->checkAsUser)
#else
#define CnapCheckAsUser(query, rte) (getRTEPermissionInfo((query)->rteperminfos, rte)->checkAsUser)
#endif

/*
 * PostgreSQL 19 (c83ac02ec73) tells the planner for which EXPLAIN it plans.
 */
#if PG_VERSION_NUM < 190000
#define CNAP_PLANNER_PARAMETERS \
	Query *parse, const char *query_string, int options, ParamListInfo parameters
#define CNAP_PLANNER_ARGUMENTS parse, query_string, options, parameters
#else
#define CNAP_PLANNER_PARAMETERS \
	Query *parse, const char *query_string, int options, ParamListInfo parameters, \
	ExplainState *explain
#define CNAP_PLANNER_ARGUMENTS parse, query_string, options, parameters, explain
#endif

/*
 * PostgreSQL 18 (83ea6c54025) introduced virtual generated columns.
 */
#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/*
 * PostgreSQL 18 (9a9ead11) renamed the compiled CHECK constraints of a table that
 * is written to.
 */
#if PG_VERSION_NUM < 180000
#define ri_CheckConstraintExprs ri_ConstraintExprs
#endif

/*
 * PostgreSQL 18 introduced foreign keys of periods, which refer to rows by
 * something else than equality (89f908a6d0a), and rows in pg_constraint for NOT
 * NULL, which can be NOT VALID (14e87ffa5c5, a379061a22a).
 */
#if PG_VERSION_NUM < 180000
#define CnapIsPeriodKey(form) false
#define CnapNotNullConstraint(relid, column) NULL
#else
#define CnapIsPeriodKey(form) ((form)->conperiod)
#define CnapNotNullConstraint(relid, column) findNotNullConstraintAttnum(relid, column)
#endif

/*
 * PostgreSQL 17 (2cdf131c46e) made the size of the queue of notifications a
 * setting; before, it was half of what the numbers of its pages allow.
 */
#if PG_VERSION_NUM < 170000
#define CnapNotifyQueuePages() (SLRU_PAGES_PER_SEGMENT * 0x10000 / 2)
#else
#define CnapNotifyQueuePages() max_notify_queue_pages
#endif

/*
 * PostgreSQL 17 (c9af054653e) gave libraries wait events of their own, by a name.
 */
#if PG_VERSION_NUM < 170000
#define CnapWaitEvent(name) PG_WAIT_EXTENSION
#else
#define CnapWaitEvent(name) WaitEventExtensionNew(name)
#endif

/*
 * PostgreSQL 17 renamed and regrouped what identifies the transaction of another
 * session (024c5211173, ab355e3a88d), and gave LockHeldByMe() an argument, whether to
 * look for stronger locks as well.
 */
#if PG_VERSION_NUM < 170000
#define CnapProcOf(vxid) BackendIdGetProc((vxid).backendId)
#define CnapProcTransaction(proc) ((proc)->lxid)
#define CnapLockHeldByMe(tag, mode) LockHeldByMe(tag, mode)
#else
#define CnapProcOf(vxid) ProcNumberGetProc((vxid).procNumber)
#define CnapProcTransaction(proc) ((proc)->vxid.lxid)
#define CnapLockHeldByMe(tag, mode) LockHeldByMe(tag, mode, false)
#endif

/*
 * PostgreSQL 16 made the semantic actions of the JSON parser return a result
 * (c60c9badba9), and 17 made it possible for the caller to allocate its state
 * (1c99cde2f34).
 */
#if PG_VERSION_NUM < 160000
typedef void CnapJsonResult;
#define CnapJsonContinue() return
#else
typedef JsonParseErrorType CnapJsonResult;
#define CnapJsonContinue() return JSON_SUCCESS
#endif
#if PG_VERSION_NUM < 170000
#define CnapJsonLexContext(json, len) \
	makeJsonLexContextCstringLen(unconstify(char *, json), len, GetDatabaseEncoding(), true)
#else
#define CnapJsonLexContext(json, len) \
	makeJsonLexContextCstringLen(NULL, json, len, GetDatabaseEncoding(), true)
#endif

/*
 * The moment that a text means; false if it means none.  PostgreSQL 16 introduced
 * input functions that report errors instead of raising them (d9f7f5d32f2).
 */
static inline bool
CnapParseMoment(char *str, TimestampTz *moment)
{
#if PG_VERSION_NUM < 160000
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			count;
	int			type;
	int			zone;
	fsec_t		fraction;
	struct pg_tm tm;

	return ParseDateTime(str, buffer, sizeof(buffer), fields, types, MAXDATEFIELDS, &count) == 0 &&
		DecodeDateTime(fields, types, count, &type, &tm, &fraction, &zone) == 0 &&
		type == DTK_DATE && tm2timestamp(&tm, fraction, &zone, moment) == 0;
#else
	ErrorSaveContext errors = {T_ErrorSaveContext};
	Datum		value;

	if (!DirectInputFunctionCallSafe(timestamptz_in, str, InvalidOid, -1,
									 (Node *) &errors, &value))
		return false;
	*moment = DatumGetTimestampTz(value);
	return true;
#endif
}

#endif							/* CNAP_COMPAT_H */
