/*-------------------------------------------------------------------------
 *
 * definition.c
 *	  Public functions that define the application's own roles and permissions.
 *
 * They are for migrations, executed by the owner of the extension.  Both tables
 * are locked against other definitions, always in the same order, because each
 * definition may change the other table, and because the lowest free number is
 * taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/own_catalog.h"

PG_FUNCTION_INFO_V1(cnap_define_permission);
PG_FUNCTION_INFO_V1(cnap_define_role);
PG_FUNCTION_INFO_V1(cnap_drop_permission);
PG_FUNCTION_INFO_V1(cnap_drop_role);
PG_FUNCTION_INFO_V1(cnap_roles);

/* Begin the act of defining something; nobody else defines anything until it ends. */
static void
begin_definition(CnapAct *act)
{
	static CnapStatement lock = {
		"LOCK TABLE cnap.role_definition, cnap.permission_definition IN SHARE ROW EXCLUSIVE MODE",
		0
	};

	if (!has_privs_of_role(GetUserId(), CnapOwner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the extension to define roles and permissions")));
	CnapActByPrivilege(act);
	CnapExecute(&lock, NULL, NULL);
}

/* The name in the first argument, which must not be a built-in one. */
static text *
required_name(FunctionCallInfo fcinfo, const char *what)
{
	text	   *name = DatumGetTextPP(CnapRequiredArg(fcinfo, 0, "name"));

	if (!CnapIsDefinableName(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a %s", what),
				 errdetail("It must begin with a lower-case letter, consist of at most %d lower-case letters and digits, and _ : . - between them, and not be the name of a built-in role or permission.",
						   CNAP_MAX_DEFINED_NAME)));
	return name;
}

/* The names in an argument of type text[], without nulls. */
static int
required_names(FunctionCallInfo fcinfo, int argno, const char *argname, Datum **names)
{
	Datum		value = CnapRequiredArg(fcinfo, argno, argname);
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s must not contain nulls", argname)));
	}
	return count;
}

static Datum
text_array(Datum *names, int count)
{
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The number that a definition has, or gets: the first one that is free. */
static Datum
get_number(CnapStatement *query, text *name, int first, int last, const char *what, int most)
{
	Datum		values[] = {PointerGetDatum(name), Int32GetDatum(first), Int32GetDatum(last)};
	char	   *number = CnapQueryText(query, values, NULL);

	if (number == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there can be at most %d %s", most, what)));
	return Int16GetDatum(pg_strtoint16(number));
}

/* cnap_define_permission(name, roles, delegable) -> void */
Datum
cnap_define_permission(PG_FUNCTION_ARGS)
{
	static CnapStatement number = {
		"SELECT coalesce((SELECT number FROM cnap.permission_definition WHERE name = $1),"
		" (SELECT min(n) FROM generate_series($2, $3) n"
		" WHERE NOT EXISTS (SELECT FROM cnap.permission_definition d WHERE d.number = n)))",
		3, {TEXTOID, INT4OID, INT4OID}
	};
	static CnapStatement define = {
		"INSERT INTO cnap.permission_definition (name, number, roles, delegable)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE"
		" SET roles = EXCLUDED.roles, delegable = EXCLUDED.delegable"
		" WHERE (permission_definition.roles, permission_definition.delegable)"
		" IS DISTINCT FROM (EXCLUDED.roles, EXCLUDED.delegable)",
		4, {TEXTOID, INT2OID, TEXTARRAYOID, BOOLOID}
	};
	CnapAct		act;
	text	   *name;
	Datum	   *roles;
	int			count;
	int			kept = 0;
	Datum		values[4];

	begin_definition(&act);
	name = required_name(fcinfo, "permission");
	count = required_names(fcinfo, 1, "roles", &roles);
	values[3] = CnapRequiredArg(fcinfo, 2, "delegable");
	for (int i = 0; i < count; i++)
	{
		CnapRole	role;

		/* The owner has all permissions, so naming it is superfluous. */
		if (CnapFindRole(DatumGetTextPP(roles[i]), &role) && role == CNAP_ROLE_OWNER)
			continue;
		CnapNamedRole(DatumGetTextPP(roles[i]), CNAP_WORKSPACE_ROLES);
		roles[kept++] = roles[i];
	}

	values[0] = PointerGetDatum(name);
	values[1] = get_number(&number, name, CNAP_FIRST_OWN_PERMISSION, CNAP_LAST_PERMISSION,
						   "permissions", CNAP_LAST_PERMISSION + 1);
	values[2] = text_array(roles, kept);
	CnapExecuteAct(&act, &define, values, NULL);
	PG_RETURN_VOID();
}

/* cnap_define_role(name, permissions) -> void */
Datum
cnap_define_role(PG_FUNCTION_ARGS)
{
	static CnapStatement number = {
		"SELECT coalesce((SELECT number FROM cnap.role_definition WHERE name = $1),"
		" (SELECT min(n) FROM generate_series($2, $3) n"
		" WHERE NOT EXISTS (SELECT FROM cnap.role_definition d WHERE d.number = n)))",
		3, {TEXTOID, INT4OID, INT4OID}
	};
	static CnapStatement define = {
		"INSERT INTO cnap.role_definition (name, number, permissions)"
		" VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET permissions = EXCLUDED.permissions"
		" WHERE role_definition.permissions IS DISTINCT FROM EXCLUDED.permissions",
		3, {TEXTOID, INT2OID, TEXTARRAYOID}
	};
	static CnapStatement give = {
		"UPDATE cnap.permission_definition SET roles = array_remove(roles, $1)"
		" || CASE WHEN name = ANY ($2) THEN ARRAY[$1] ELSE '{}' END"
		" WHERE (name = ANY ($2)) <> ($1 = ANY (roles))",
		2, {TEXTOID, TEXTARRAYOID}
	};
	CnapAct		act;
	Datum	   *permissions;
	Datum	   *built_in;
	Datum	   *own;
	int			count;
	int			nbuilt_in = 0;
	int			nown = 0;
	Datum		values[3];

	begin_definition(&act);
	values[0] = PointerGetDatum(required_name(fcinfo, "role"));
	count = required_names(fcinfo, 1, "permissions", &permissions);
	built_in = palloc(Max(count, 1) * sizeof(Datum));
	own = palloc(Max(count, 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		CnapPermission permission = CnapNamedPermission(DatumGetTextPP(permissions[i]));

		if (!CnapMayBeGiven(permission))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("permission \"%s\" is the owner's alone",
							CnapPermissionName(permission))));
		if (permission >= CNAP_FIRST_OWN_PERMISSION)
			own[nown++] = permissions[i];
		else if (permission != CNAP_ACCESS) /* which every role has */
			built_in[nbuilt_in++] = permissions[i];
	}

	values[1] = get_number(&number, DatumGetTextPP(values[0]), CNAP_FIRST_OWN_ROLE, CNAP_LAST_ROLE,
						   "roles", CNAP_LAST_ROLE);
	values[2] = text_array(built_in, nbuilt_in);
	CnapExecuteAct(&act, &define, values, NULL);
	values[1] = text_array(own, nown);
	CnapExecuteAct(&act, &give, values, NULL);
	PG_RETURN_VOID();
}

/* Refuse to drop what is in use, as found by a query. */
static void
refuse_if_used(CnapStatement *query, Datum name, const char *what)
{
	char	   *users = CnapQueryText(query, &name, NULL);

	if (users != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("%s \"%s\" is in use", what, TextDatumGetCString(name)),
				 errdetail("It is used by: %s.", users)));
}

/* cnap_drop_role(name) -> void */
Datum
cnap_drop_role(PG_FUNCTION_ARGS)
{
	static CnapStatement users = {"SELECT cnap.holders_of($1)", 1, {TEXTOID}};
	static CnapStatement drop = {
		"DELETE FROM cnap.role_definition WHERE name = $1", 1, {TEXTOID}
	};
	static CnapStatement take = {
		"UPDATE cnap.permission_definition SET roles = array_remove(roles, $1)"
		" WHERE $1 = ANY (roles)", 1, {TEXTOID}
	};
	CnapAct		act;
	Datum		name;

	begin_definition(&act);
	name = PointerGetDatum(required_name(fcinfo, "role"));
	CnapNamedRole(DatumGetTextPP(name), CNAP_WORKSPACE_ROLES);
	refuse_if_used(&users, name, "role");
	CnapExecuteAct(&act, &take, &name, NULL);
	CnapExecuteActOnRow(&act, &drop, &name, NULL);
	PG_RETURN_VOID();
}

/*
 * cnap_drop_permission(name) -> void
 *
 * Access tokens that are limited to it lose it, rather than keep it for another
 * permission that will have the same name.
 */
Datum
cnap_drop_permission(PG_FUNCTION_ARGS)
{
	static CnapStatement users = {"SELECT cnap.policies_with($1)", 1, {TEXTOID}};
	static CnapStatement drop = {
		"DELETE FROM cnap.permission_definition WHERE name = $1", 1, {TEXTOID}
	};
	static CnapStatement take = {
		"UPDATE cnap.access_token SET permissions = array_remove(permissions, $1)"
		" WHERE $1 = ANY (permissions)", 1, {TEXTOID}
	};
	CnapAct		act;
	Datum		name;

	begin_definition(&act);
	name = PointerGetDatum(required_name(fcinfo, "permission"));
	CnapNamedPermission(DatumGetTextPP(name));
	refuse_if_used(&users, name, "permission");
	CnapExecuteAct(&act, &take, &name, NULL);
	CnapExecuteActOnRow(&act, &drop, &name, NULL);
	PG_RETURN_VOID();
}

/* cnap_roles() -> setof (role, permission, delegable, built_in) */
Datum
cnap_roles(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	CnapRefreshDefinitions();
	for (int role = CNAP_ROLE_MEMBER; role <= CNAP_LAST_ROLE; role++)
	{
		for (int permission = 0; permission <= CNAP_LAST_PERMISSION; permission++)
		{
			Datum		values[4];
			bool		nulls[4] = {false};

			if (CnapRoleName(role) == NULL || CnapPermissionName(permission) == NULL ||
				!CnapWaysAllow(CnapWayOfMember(role), permission))
				continue;
			values[0] = CnapRoleToDatum(role);
			values[1] = CnapPermissionToDatum(permission);
			values[2] = BoolGetDatum((CnapDelegable() & CnapPermissionBit(permission)) != 0);
			values[3] = BoolGetDatum(role < CNAP_FIRST_OWN_ROLE &&
									 permission < CNAP_FIRST_OWN_PERMISSION);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
