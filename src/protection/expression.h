/*-------------------------------------------------------------------------
 *
 * expression.h
 *	  The expressions of our policies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_EXPRESSION_H
#define CNAP_EXPRESSION_H

#include "protection/policy_text.h"

/*
 * The expression of a test of a table, with what is required; with the keys of
 * all parents if it is used to find rows.
 */
extern char *CnapTestExpression(Oid relid, const CnapChecks *checks, const CnapTest *test,
								const CnapDemand *demand, bool with_keys);

#endif							/* CNAP_EXPRESSION_H */
