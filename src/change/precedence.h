/*-------------------------------------------------------------------------
 *
 * precedence.h
 *	  Who waits for whose open transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PRECEDENCE_H
#define CNAP_PRECEDENCE_H

#include "utils/uuid.h"

/* What is locked; see src/README.md for the functions that do so. */
typedef enum CnapHeld
{
	CNAP_HELD_ORGANIZATION,		/* its row, against other changes */
	CNAP_HELD_REFERENCE,		/* an organization's row, against its deletion */
	CNAP_HELD_DELETION,			/* the workspaces of an organization that is
								 * deleted */
	CNAP_HELD_WORKSPACE,		/* its row, against other changes */
	CNAP_HELD_ASSIGNMENTS,		/* those to a workspace, by ranks in the
								 * managing organization */
	CNAP_HELD_LINK,				/* the row of an install link, to count a use */
	CNAP_HELD_TOKENS			/* the access tokens of a user */
} CnapHeld;

/* How much somebody may do about what they lock, lowest first. */
typedef enum CnapRank
{
	CNAP_RANK_OUTSIDER,			/* strangers with a token, and managers */
	CNAP_RANK_MEMBER,
	CNAP_RANK_ADMIN,
	CNAP_RANK_OWNER,
	CNAP_RANK_SYSTEM
} CnapRank;

extern void CnapPrecedenceInit(void);

/*
 * To be called before a function locks something for the rest of the transaction.
 * Waits for transactions of higher ranks that are about to end access there.
 */
extern void CnapEnter(CnapHeld held, const pg_uuid_t *id, CnapRank rank);

/* Likewise, for something that only one transaction at a time may enter. */
extern void CnapEnterAlone(CnapHeld held, const pg_uuid_t *id, CnapRank rank);

/*
 * Likewise, for somebody who is about to end access: those of lower ranks have to
 * wait from now on, and those who have entered already are waited for no longer
 * than their patience lasts.
 */
extern void CnapEnterFirst(CnapHeld held, const pg_uuid_t *id, CnapRank rank);

/* End the transactions of lower ranks that have entered, as above. */
extern void CnapEndLower(CnapHeld held, const pg_uuid_t *id, CnapRank rank);

/* An id for the access tokens of a user. */
extern pg_uuid_t CnapUserKey(const text *user);

#endif							/* CNAP_PRECEDENCE_H */
