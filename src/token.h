/*-------------------------------------------------------------------------
 *
 * token.h
 *	  The format of tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TOKEN_H
#define CNAP_TOKEN_H

/* What a token begins with says what it is for. */
#define CNAP_ACCESS_TOKEN_PREFIX "cnap_pat_"
#define CNAP_INSTALL_LINK_PREFIX "cnap_link_"
#define CNAP_INVITATION_PREFIX "cnap_invite_"

/*
 * A new token, palloc'd in the caller's context, and its hash: a bytea, which
 * is all that may be stored.  The token is for its first reader's eyes alone:
 * it must not get into a table, a message or the parameters of a statement.
 */
extern text *CnapNewToken(const char *prefix, Datum *hash);

/*
 * Hashes what somebody presents as a token.  False: it has not the format of a
 * token of that prefix, or a typing error; what is returned as the hash is that
 * of nothing, and took as long to compute.
 */
extern bool CnapHashToken(const char *prefix, const text *token, Datum *hash);

#endif							/* CNAP_TOKEN_H */
