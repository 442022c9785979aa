/*-------------------------------------------------------------------------
 *
 * generation.c
 *	  Counts the changes of what determines the current user.
 *
 * This is below the sources of the identity, which report their changes, and
 * below those who keep something about the current user.  So neither needs to
 * know the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "identity/generation.h"

uint64		CnapIdentityGeneration = 1;

CnapIdentityHookType CnapIdentityHook = NULL;

void
CnapIdentityChanged(const char *user, uint64 limits)
{
	CnapIdentityGeneration++;
	if (CnapIdentityHook != NULL)
		CnapIdentityHook(user, limits);
}
