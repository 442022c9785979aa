/*-------------------------------------------------------------------------
 *
 * access_token.h
 *	  Personal access tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_ACCESS_TOKEN_H
#define CNAP_ACCESS_TOKEN_H

/*
 * The user whom the access token of that id signs in, or a null pointer where
 * it is revoked, has expired, or is gone.  The string is good until the next
 * call, and what changes is told as described in identity.h.
 */
extern const char *CnapTokenUser(const char *token_id);

#endif							/* CNAP_ACCESS_TOKEN_H */
