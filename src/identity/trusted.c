/*-------------------------------------------------------------------------
 *
 * trusted.c
 *	  Which database roles are trusted to say who the current user is.
 *
 * A role is trusted if it may set cnap.user_id: as a superuser, by a privilege
 * of its own, or as a member of a role that has it.  This is the only
 * definition.  cnap_trust() grants the privilege together with what else an
 * application server needs, and the linter asks cnap.is_trusted().
 *
 * The answer is kept for the role that was asked about last, because the checks
 * about any user ask for each row.  It is dropped when something changes that
 * it depends on: a privilege on a parameter, a role, a membership, or the owner
 * of a database, who is a member of pg_database_owner.  As values of
 * cnap.user_id that come from ALTER ROLE depend on it as well (identity.c),
 * such a change counts as one of the identity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "identity/generation.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_is_trusted);

/* The role that was asked about last, or InvalidOid, and the answer. */
static Oid	known_role = InvalidOid;
static bool known_trusted;

/* Syscache callback */
static void
forget_trust(Datum arg, int cacheid, uint32 hashvalue)
{
	known_role = InvalidOid;
	CnapIdentityGeneration++;
}

void
CnapTrustedInit(void)
{
	CacheRegisterSyscacheCallback(PARAMETERACLNAME, forget_trust, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, forget_trust, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_trust, (Datum) 0);
	CacheRegisterSyscacheCallback(DATABASEOID, forget_trust, (Datum) 0);
}

/*
 * The lookups may accept invalidation messages, and so tell us that the answer
 * is out of date before it is kept.  It is still good for this call.
 */
bool
CnapIsTrusted(Oid role)
{
	uint64		before;
	bool		trusted;

	AcceptInvalidationMessages();
	if (likely(role == known_role))
		return known_trusted;

	before = CnapIdentityGeneration;
	trusted = pg_parameter_aclcheck(CNAP_USER_ID_SETTING, role, ACL_SET) == ACLCHECK_OK;
	if (before == CnapIdentityGeneration)
	{
		known_role = role;
		known_trusted = trusted;
	}
	return trusted;
}

void
CnapRequireTrust(FunctionCallInfo fcinfo)
{
	Oid			role = GetUserId();

	if (likely(CnapIsTrusted(role)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for function %s",
					get_func_name(fcinfo->flinfo->fn_oid)),
			 errdetail("Role \"%s\" can execute the function, but is not trusted to act for any user.",
					   GetUserNameFromId(role, false)),
			 errhint("A superuser can trust the role by cnap_trust().")));
}

/*
 * cnap.is_trusted(role) -> boolean
 *
 * False for an OID that is none of a role.
 */
Datum
cnap_is_trusted(PG_FUNCTION_ARGS)
{
	Oid			role = PG_GETARG_OID(0);

	PG_RETURN_BOOL(SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)) &&
				   CnapIsTrusted(role));
}
