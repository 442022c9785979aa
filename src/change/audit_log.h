/*-------------------------------------------------------------------------
 *
 * audit_log.h
 *	  The audit log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_AUDIT_LOG_H
#define CNAP_AUDIT_LOG_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/uuid.h"

#include "core/permission.h"
#include "core/run_as_owner.h"
#include "identity/identity.h"

/*
 * An act: who does something, and by which right.  Filled in by the functions
 * of authorize.h, and valid during the function call that it was made in.
 */
typedef struct CnapAct
{
	CnapActor	actor;
	CnapRole	role;			/* in the organization acted on */
	CnapWays	ways;			/* into the workspace acted on */
	const char *path;			/* by which right, in human-readable form */
	bool		as_manager;		/* through the organization in "manager" */
	pg_uuid_t	manager;
	const pg_uuid_t *workspace; /* the workspace acted on, or NULL */
	bool		import;			/* new rows may be older than that */
	bool		unrecorded;		/* one entry about all rows has to do */
} CnapAct;

/*
 * Like CnapExecuteChange().  The triggers that it fires record the changes as
 * part of the act.
 */
extern uint64 CnapExecuteAct(const CnapAct *act, CnapStatement *statement,
							 Datum *values, const char *nulls);

/*
 * Likewise, for a row that the authorization was based on.  Raises 40001
 * (serialization_failure) if the transaction's snapshot does not see it.
 */
extern void CnapExecuteActOnRow(const CnapAct *act, CnapStatement *statement,
								Datum *values, const char *nulls);

/* The workspace that the act being executed is about, or NULL. */
extern const pg_uuid_t *CnapActWorkspace(void);

/* The contents of an entry, apart from who acted and by which right. */
typedef struct CnapEntry
{
	const char *action;
	const pg_uuid_t *organization;
	const pg_uuid_t *workspace;
	text	   *subject;
	StringInfoData detail;		/* the inside of a JSON object */
} CnapEntry;

extern void CnapBeginEntry(CnapEntry *entry, const char *action);

/* Add "key": "value" to a JSON object, unless value is NULL. */
extern void CnapAppendPair(StringInfo json, const char *key, const char *value);

/*
 * Record an entry as part of the act being executed, or else of a direct
 * statement.
 */
extern void CnapRecordEntry(CnapEntry *entry);

/*
 * Record an event that is not a change of a row. detail is the inside of a
 * JSON object, and subject may be NULL.
 */
extern void CnapRecord(const CnapAct *act, const char *action, text *subject,
					   const char *detail);

/*
 * The JSON representation of a timestamp, which does not depend on settings.
 */
extern char *CnapJsonMoment(TimestampTz moment);

/* Likewise of an interval, in the format of ISO 8601. */
extern char *CnapJsonInterval(const Interval *interval);

#endif							/* CNAP_AUDIT_LOG_H */
