/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  The audit log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_AUDIT_H
#define CNAP_AUDIT_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#include "execute.h"
#include "identity.h"
#include "permission.h"

/*
 * An act: who does something, with what right.  Filled in by authorize.h, and
 * good for the function call that it was made in.
 */
typedef struct CnapAct
{
	CnapActor	actor;
	CnapRole	role;			/* in the organization that is acted on */
	CnapWays	ways;			/* into the workspace that is acted on */
	const char *path;			/* by which right, for people to read */
	bool		as_manager;		/* through the organization in "manager" */
	pg_uuid_t	manager;
	const pg_uuid_t *workspace; /* that is acted on, or a null pointer */
} CnapAct;

/*
 * CnapExecute() for a statement that changes something: the triggers that it
 * fires record the changes as done by that act.
 */
extern uint64 CnapExecuteAct(const CnapAct *act, CnapStatement *statement,
							 Datum *values, const char *nulls);

/*
 * The same for a row that the act was decided on.  Raises 40001
 * (serialization_failure) where the transaction's snapshot does not have it.
 */
extern void CnapExecuteActOnRow(const CnapAct *act, CnapStatement *statement,
								Datum *values, const char *nulls);

/*
 * Records what is no change of a row.  detail is the inside of a JSON object,
 * and subject may be a null pointer.
 */
extern void CnapRecord(const CnapAct *act, const char *action, text *subject,
					   const char *detail);

/* JSON's form of a moment, which does not depend on settings. */
extern char *CnapJsonMoment(TimestampTz moment);

#endif							/* CNAP_AUDIT_H */
