/*-------------------------------------------------------------------------
 *
 * arguments.h
 *	  The arguments of public functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_ARGUMENTS_H
#define CNAP_ARGUMENTS_H

#include "fmgr.h"
#include "utils/uuid.h"

#include "core/compat.h"
#include "core/definitions.h"
#include "core/managers.h"

/*
 * Each of these returns the checked argument, or raises 22023
 * (invalid_parameter_value) with a message that names it.  "Required" refuses
 * null; "optional" returns NULL for it.
 */
extern Datum CnapRequiredArg(FunctionCallInfo fcinfo, int argno, const char *argname);
extern const pg_uuid_t *CnapRequiredUuid(FunctionCallInfo fcinfo, int argno,
										 const char *argname);
extern text *CnapRequiredUserId(FunctionCallInfo fcinfo, int argno, const char *argname);
extern text *CnapRequiredName(FunctionCallInfo fcinfo, int argno);
extern CnapRole CnapRequiredRole(FunctionCallInfo fcinfo, int argno, CnapRoleKind kind);
extern CnapManagerTerms CnapRequiredTerms(FunctionCallInfo fcinfo, int managers, int activation);
extern text *CnapOptionalText(FunctionCallInfo fcinfo, int argno);

/*
 * The hash of an invitation's or install link's token, which must begin with
 * that prefix; and the error for anything that is wrong with a token.
 */
#define CNAP_OFFER_INVITATION "invitation"
#define CNAP_OFFER_LINK "install link"

extern Datum CnapRequiredOffer(FunctionCallInfo fcinfo, int argno, const char *prefix,
							   const char *what);
pg_noreturn extern void CnapInvalidOffer(const char *what);

/* Each of these raises 22023 if the value does not have the format. */
extern void CnapCheckAccepts(const text *value);
extern Datum CnapRequiredAge(FunctionCallInfo fcinfo, int argno, const char *argname);
extern void CnapCheckDuration(FunctionCallInfo fcinfo, int argno, const char *argname);
extern void CnapCheckUserId(const text *value, const char *argname);
extern void CnapCheckText(const text *value, const char *argname);
extern void CnapCheckSlug(const text *slug);
extern void CnapCheckUrl(const text *url, const char *argname);
extern void CnapCheckEmail(const text *email, const char *argname);
extern void CnapCheckMetadata(FunctionCallInfo fcinfo, int argno);
extern void CnapCheckFuture(FunctionCallInfo fcinfo, int argno, const char *argname);
extern void CnapCheckMaxRows(FunctionCallInfo fcinfo, int argno);

/* Copy the first arguments to the parameters of a statement. */
extern void CnapArguments(FunctionCallInfo fcinfo, int nargs, Datum *values, char *nulls);

#endif							/* CNAP_ARGUMENTS_H */
