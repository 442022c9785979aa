/*-------------------------------------------------------------------------
 *
 * token_limits.c
 *	  What an access token gives of its user's rights.
 *
 * A token can be limited to some workspaces, to some permissions, or both.  The
 * limits are no right: what a session signed in by the token may do is what its
 * user may do, and the limits include.  So they are no part of the decisions
 * that a session caches, which say what the user may do, and are the same for
 * all of the user's tokens; they are applied to each answer that is given about
 * the current user (access/cache.c, change/authorize.c).
 *
 * They are read along with the token (session_token.c), and known for exactly
 * as long.  A permission that is not defined gives nothing, like a workspace
 * that does not exist; an empty list gives nothing at all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"

#include "core/definitions.h"
#include "identity/token_limits.h"

StaticAssertDecl(CNAP_MAX_TOKEN_WORKSPACES < PG_UINT16_MAX, "positions must fit into 16 bits");
StaticAssertDecl(CNAP_LIMIT_SLOTS >= 2 * CNAP_MAX_TOKEN_WORKSPACES, "the hash table must have free slots");

/* An array's elements, without nulls; none of them if it is not a plain list. */
static int
elements_of(ArrayType *array, Oid type, int16 length, char align, Datum **elements)
{
	int			count;

	if (ARR_ELEMTYPE(array) != type || ARR_NDIM(array) > 1 || array_contains_nulls(array))
		return 0;
	deconstruct_array(array, type, length, false, align, elements, NULL, &count);
	return count;
}

static int
compare_uuids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

/* Set the workspaces, and the hash table of them. */
static void
set_workspaces(CnapLimits *limits, ArrayType *array)
{
	Datum	   *elements = NULL;
	int			count = elements_of(array, UUIDOID, UUID_LEN, TYPALIGN_CHAR, &elements);

	limits->nworkspaces = 0;
	memset(limits->slots, 0, sizeof(limits->slots));
	if (count > CNAP_MAX_TOKEN_WORKSPACES)
		count = 0;				/* the table has a constraint against that */
	for (int i = 0; i < count; i++)
		limits->workspaces[i] = *DatumGetUUIDP(elements[i]);
	qsort(limits->workspaces, count, sizeof(pg_uuid_t), compare_uuids);
	for (int i = 0; i < count; i++)
	{
		pg_uuid_t  *workspace = &limits->workspaces[limits->nworkspaces];
		uint32		slot;

		if (i > 0 && compare_uuids(workspace - 1, &limits->workspaces[i]) == 0)
			continue;
		*workspace = limits->workspaces[i];
		limits->nworkspaces++;
		slot = CnapLimitSlot(workspace);
		while (limits->slots[slot] != 0)
			slot = (slot + 1) & (CNAP_LIMIT_SLOTS - 1);
		limits->slots[slot] = limits->nworkspaces;
	}
	if (elements != NULL)
		pfree(elements);
}

static CnapPermissions
read_permissions(ArrayType *array)
{
	CnapPermissions permissions = 0;
	Datum	   *elements = NULL;
	int			count = elements_of(array, TEXTOID, -1, TYPALIGN_INT, &elements);

	for (int i = 0; i < count; i++)
	{
		CnapPermission permission;

		if (CnapFindPermission(DatumGetTextPP(elements[i]), &permission))
			permissions |= CnapPermissionBit(permission);
	}
	if (elements != NULL)
		pfree(elements);
	return permissions;
}

void
CnapSetLimits(CnapLimits *limits, const CnapAccessToken *token)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) &token->id, UUID_LEN, 0);

	limits->permissions = 0;
	limits->nworkspaces = 0;
	memset(limits->slots, 0, sizeof(limits->slots));
	if (token->workspaces != NULL)
	{
		set_workspaces(limits, token->workspaces);
		hash = hash_bytes_extended((const unsigned char *) limits->workspaces,
								   limits->nworkspaces * UUID_LEN, hash);
	}
	else
		limits->nworkspaces = -1;
	limits->permissions = token->permissions != NULL ?
		read_permissions(token->permissions) : CNAP_ALL_PERMISSIONS;

	/* The serial numbers of users do not get that far. */
	limits->serial = hash_combine64(hash, limits->permissions) | UINT64CONST(1) << 63;
}
