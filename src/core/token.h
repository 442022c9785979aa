/*-------------------------------------------------------------------------
 *
 * token.h
 *	  The format of tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TOKEN_H
#define CNAP_TOKEN_H

/* Prefixes, which say what a token is for. */
#define CNAP_ACCESS_TOKEN_PREFIX "cnap_pat_"
#define CNAP_INSTALL_LINK_PREFIX "cnap_link_"
#define CNAP_INVITATION_PREFIX "cnap_invite_"

/*
 * Make a new token, palloc'd in the caller's context, and its hash, a bytea.
 * Only the hash may be stored: the token itself is only returned to the user,
 * and must not get into a table, a message or the parameters of a statement.
 */
extern text *CnapNewToken(const char *prefix, Datum *hash);

/*
 * Hash what a user presents as a token.  Returns false if it does not have the
 * format of a token with that prefix, or is mistyped; the hash is meaningless
 * then, but took as long to compute.
 */
extern bool CnapHashToken(const char *prefix, const text *token, Datum *hash);

#endif							/* CNAP_TOKEN_H */
