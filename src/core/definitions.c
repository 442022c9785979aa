/*-------------------------------------------------------------------------
 *
 * definitions.c
 *	  Roles and permissions by name.
 *
 * In SQL, roles and permissions are names, of type text: drivers send strings,
 * and a string parameter does not match an argument of any other type.
 *
 * A name that is not defined is an error wherever it is given, even in a
 * check.  To answer "no" would hide that a policy is misspelled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/definitions.h"

PG_FUNCTION_INFO_V1(cnap_role_rank);

static bool
equals(const text *name, const char *string)
{
	size_t		length = VARSIZE_ANY_EXHDR(name);

	return strlen(string) == length && memcmp(VARDATA_ANY(name), string, length) == 0;
}

bool
CnapFindRole(const text *name, CnapRole *role)
{
	for (CnapRole i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_OWNER; i++)
	{
		if (equals(name, CnapRoleName(i)))
		{
			*role = i;
			return true;
		}
	}
	return false;
}

bool
CnapFindPermission(const text *name, CnapPermission *permission)
{
	for (CnapPermission i = 0; i < CNAP_PERMISSIONS; i++)
	{
		if (equals(name, CnapPermissionName(i)))
		{
			*permission = i;
			return true;
		}
	}
	return false;
}

CnapRole
CnapRoleFromDatum(Datum value)
{
	text	   *name = DatumGetTextPP(value);
	CnapRole	role;

	if (!CnapFindRole(name, &role))
		elog(ERROR, "\"%s\" is not a role", text_to_cstring(name));
	return role;
}

Datum
CnapRoleToDatum(CnapRole role)
{
	return CStringGetTextDatum(CnapRoleName(role));
}

Datum
CnapPermissionToDatum(CnapPermission permission)
{
	return CStringGetTextDatum(CnapPermissionName(permission));
}

/* Append a name to a list. */
static void
append_name(StringInfo list, const char *name)
{
	appendStringInfo(list, "%s%s", list->len > 0 ? ", " : "", name);
}

/* The name for a message: it may be anything, so a long one is clipped. */
static char *
shown(const text *name)
{
	int			length = pg_mbcliplen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
									  NAMEDATALEN - 1);

	return text_to_cstring(cstring_to_text_with_len(VARDATA_ANY(name), length));
}

CnapRole
CnapNamedRole(const text *name, CnapRoleKind kind)
{
	CnapRole	role;
	StringInfoData names;

	if (CnapFindRole(name, &role) &&
		(kind == CNAP_ORGANIZATION_ROLES || role != CNAP_ROLE_OWNER))
		return role;

	if (equals(name, CnapRoleName(CNAP_ROLE_OWNER)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid role"),
				 errdetail("The highest role allowed here is \"%s\".",
						   CnapRoleName(CNAP_ROLE_ADMIN))));

	initStringInfo(&names);
	for (CnapRole i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_OWNER; i++)
	{
		if (kind == CNAP_ORGANIZATION_ROLES || i != CNAP_ROLE_OWNER)
			append_name(&names, CnapRoleName(i));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("role \"%s\" does not exist", shown(name)),
			 errhint("The roles are: %s.", names.data)));
}

CnapPermission
CnapNamedPermission(const text *name)
{
	CnapPermission permission;
	StringInfoData names;

	if (CnapFindPermission(name, &permission))
		return permission;

	initStringInfo(&names);
	for (CnapPermission i = 0; i < CNAP_PERMISSIONS; i++)
		append_name(&names, CnapPermissionName(i));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("permission \"%s\" does not exist", shown(name)),
			 errhint("The permissions are: %s.", names.data)));
}

/*
 * cnap.role_rank(role) -> integer
 *
 * The order of roles in listings: a higher number for a higher role.
 */
Datum
cnap_role_rank(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(CnapRoleFromDatum(PG_GETARG_DATUM(0)));
}
