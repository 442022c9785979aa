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
 * Returns the user that the access token with this id signs in, or NULL if it
 * is revoked, has expired, or does not exist.  The string is valid until the
 * next call.  Changes of the user are reported as described in identity.h.
 */
extern const char *CnapTokenUser(const char *token_id);

#endif							/* CNAP_ACCESS_TOKEN_H */
