/*-------------------------------------------------------------------------
 *
 * token_limits.h
 *	  What an access token gives of its user's rights.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TOKEN_LIMITS_H
#define CNAP_TOKEN_LIMITS_H

#include "core/permission.h"
#include "core/rows.h"

/* A token can be limited to at most so many workspaces. */
#define CNAP_MAX_TOKEN_WORKSPACES 1000

/* The size of the hash table of those, a power of two. */
#define CNAP_LIMIT_SLOTS 4096

typedef struct CnapLimits
{
	uint64		serial;			/* tells these limits from others, and is no
								 * serial number of a user (cache.h) */
	CnapPermissions permissions;
	int			nworkspaces;	/* -1 if not limited to some */
	pg_uuid_t	workspaces[CNAP_MAX_TOKEN_WORKSPACES];	/* sorted */
	uint16		slots[CNAP_LIMIT_SLOTS];	/* positions, plus 1; 0 if free */
} CnapLimits;

/* Is the token limited at all? */
static inline bool
CnapIsLimited(const CnapAccessToken *token)
{
	return token->workspaces != NULL || token->permissions != NULL;
}

/*
 * Set the limits to those of a token.  What cannot be made sense of gives
 * nothing.
 */
extern void CnapSetLimits(CnapLimits *limits, const CnapAccessToken *token);

/* The first slot of a workspace in the hash table. */
static inline uint32
CnapLimitSlot(const pg_uuid_t *workspace)
{
	uint64		words[2];

	memcpy(words, workspace, sizeof(words));
	words[0] ^= words[1] * UINT64CONST(0x9E3779B97F4A7C15);
	words[0] ^= words[0] >> 32;
	return (words[0] * UINT64CONST(0xD6E8FEB86659FD93)) >> 32 & (CNAP_LIMIT_SLOTS - 1);
}

/* Are rights in the workspace within the limits? */
static inline bool
CnapLimitsInclude(const CnapLimits *limits, const pg_uuid_t *workspace)
{
	uint32		slot;

	if (limits->nworkspaces < 0)
		return true;
	slot = CnapLimitSlot(workspace);
	while (limits->slots[slot] != 0)
	{
		if (memcmp(&limits->workspaces[limits->slots[slot] - 1], workspace,
				   sizeof(pg_uuid_t)) == 0)
			return true;
		slot = (slot + 1) & (CNAP_LIMIT_SLOTS - 1);
	}
	return false;
}

/* Is the permission, in the workspace? */
static inline bool
CnapLimitsAllow(const CnapLimits *limits, const pg_uuid_t *workspace, CnapPermission permission)
{
	return (limits->permissions & CnapPermissionBit(permission)) != 0 &&
		CnapLimitsInclude(limits, workspace);
}

#endif							/* CNAP_TOKEN_LIMITS_H */
