/*-------------------------------------------------------------------------
 *
 * definitions.c
 *	  Roles and permissions by name, and what each role allows.
 *
 * In SQL, roles and permissions are names, of type text: drivers send strings,
 * and a string parameter does not match an argument of any other type.  Here
 * they are numbers: the built-in ones those of permission.h, and those of the
 * application's own the numbers in the two tables of definitions.  A number is
 * not given to another one while the definition lasts, so a decision in a cache
 * can hold it.
 *
 * A name that is not defined is an error wherever it is given, even in a
 * check.  To answer "no" would hide that a policy is misspelled.
 *
 * The definitions are read as a whole into static memory.  A change of them
 * counts as one of anything (epoch.h): each decision that was made before is
 * invalid, and the next one reads the definitions first.  So whoever finds a
 * valid decision has definitions that are at least as recent, and a check does
 * not ask whether they are.
 *
 * A decision must not rest on half of a transaction, either, such as one that
 * takes a permission from a role and gives the role to somebody.  While it is
 * being committed, its changes are visible before the message about them arrives.
 * So a decision's snapshot is taken after the definitions were read, and if it
 * finds rows that need not have been there at that time, the definitions are read
 * again with the same snapshot.  If they are others then, this counts as an event
 * of its own: what was decided before is no older than what they replace.  If all
 * rows were there already, the decision is one as of that time: what has been
 * removed since can only take something away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

#include "core/compat.h"
#include "core/definitions.h"
#include "core/epoch.h"
#include "core/own_catalog.h"
#include "core/table_scan.h"

PG_FUNCTION_INFO_V1(cnap_role_rank);
PG_FUNCTION_INFO_V1(cnap_is_definable);
PG_FUNCTION_INFO_V1(cnap_is_permission_list);

typedef struct DefinedName
{
	int			len;			/* 0 if there is none */
	char		name[CNAP_MAX_DEFINED_NAME + 1];
} DefinedName;

typedef struct Definitions
{
	uint64		as_of;			/* CnapCurrentEpoch.total before that, plus 1 */
	uint64		version;		/* counts those that differ from each other */
	TransactionId xmin;			/* transactions before it had ended */
	bool		alone;			/* read in the midst of a decision, with
								 * another snapshot */
	DefinedName role[CNAP_LAST_ROLE + 1];
	DefinedName permission[CNAP_LAST_PERMISSION + 1];
	CnapPermissions delegable;
	int			nroles;
	CnapRole	sorted[CNAP_LAST_ROLE + 1]; /* the numbers of roles, by name */
	CnapMatrix	matrix;
} Definitions;

/*
 * What the definitions were when they were read last, and those being read:
 * after an error, the former ones stay in force.
 */
static Definitions known;
static Definitions fresh;

/* The events before the last snapshot for a decision was taken */
static uint64 decision_events = 0;

/* ---- reading the definitions ---- */

static void
set_name(DefinedName *defined, const char *name, int len)
{
	defined->len = Min(len, CNAP_MAX_DEFINED_NAME);
	memcpy(defined->name, name, defined->len);
	defined->name[defined->len] = '\0';
}

static int
compare_names(const char *a, int a_len, const DefinedName *b)
{
	int			result = memcmp(a, b->name, Min(a_len, b->len));

	return result != 0 ? result : a_len - b->len;
}

static int
compare_numbers(const void *a, const void *b)
{
	const DefinedName *name = &fresh.role[*(const CnapRole *) a];

	return compare_names(name->name, name->len, &fresh.role[*(const CnapRole *) b]);
}

/* Sort the names of the roles, for find_role(). */
static void
sort_roles(void)
{
	fresh.nroles = 0;
	for (int i = CNAP_ROLE_MEMBER; i <= CNAP_LAST_ROLE; i++)
	{
		if (fresh.role[i].len > 0)
			fresh.sorted[fresh.nroles++] = i;
	}
	qsort(fresh.sorted, fresh.nroles, sizeof(CnapRole), compare_numbers);
}

static CnapRole
find_role(const Definitions *definitions, const char *name, int len)
{
	int			low = 0;
	int			high = definitions->nroles;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		int			result = compare_names(name, len,
										   &definitions->role[definitions->sorted[middle]]);

		if (result == 0)
			return definitions->sorted[middle];
		if (result < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return CNAP_ROLE_NONE;
}

/* Read the name and the number of a definition; false if the number is wrong. */
static bool
read_name(const CnapScan *scan, HeapTuple tuple, DefinedName *names, int first, int last,
		  int *number)
{
	bool		isnull;
	text	   *name = DatumGetTextPP(CnapField(scan, tuple, Anum_role_definition_name, &isnull));

	*number = DatumGetInt16(CnapField(scan, tuple, Anum_role_definition_number, &isnull));
	if (*number < first || *number > last)
		return false;			/* the tables have constraints against that */
	set_name(&names[*number], VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	return true;
}

/* The names in a column of type text[]. */
static int
read_names(const CnapScan *scan, HeapTuple tuple, AttrNumber attno, Datum **names)
{
	bool		isnull;
	Datum		value = CnapField(scan, tuple, attno, &isnull);
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			(*names)[i] = PointerGetDatum(cstring_to_text(""));
	}
	return count;
}

static CnapPermission
find_builtin_permission(const char *name, int len)
{
	CnapPermission i = 0;

	while (i < CNAP_FIRST_OWN_PERMISSION &&
		   ((int) strlen(CnapBuiltinPermission(i)) != len ||
			memcmp(name, CnapBuiltinPermission(i), len) != 0))
		i++;
	return i;
}

/* Read the roles, which have access, and those built-in permissions listed. */
static void
read_roles(Snapshot snapshot)
{
	CnapScan	scan;
	HeapTuple	tuple;

	CnapBeginScan(&scan, CNAP_ROLE_DEFINITION, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = CnapNextRow(&scan)))
	{
		int			role;
		Datum	   *permissions;
		int			count;

		if (!read_name(&scan, tuple, fresh.role, CNAP_FIRST_OWN_ROLE, CNAP_LAST_ROLE, &role))
			continue;
		CnapMatrixAllow(&fresh.matrix, role, CNAP_ACCESS);
		count = read_names(&scan, tuple, Anum_role_definition_permissions, &permissions);
		for (int i = 0; i < count; i++)
		{
			text	   *name = DatumGetTextPP(permissions[i]);
			CnapPermission permission = find_builtin_permission(VARDATA_ANY(name),
																VARSIZE_ANY_EXHDR(name));

			if (permission < CNAP_FIRST_OWN_PERMISSION && CnapMayBeGiven(permission))
				CnapMatrixAllow(&fresh.matrix, role, permission);
		}
	}
	CnapEndScan(&scan);
}

/* Read the permissions, which the owner has, and the roles listed. */
static void
read_permissions(Snapshot snapshot)
{
	CnapScan	scan;
	HeapTuple	tuple;

	CnapBeginScan(&scan, CNAP_PERMISSION_DEFINITION, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = CnapNextRow(&scan)))
	{
		int			permission;
		Datum	   *roles;
		int			count;
		bool		isnull;

		if (!read_name(&scan, tuple, fresh.permission, CNAP_FIRST_OWN_PERMISSION,
					   CNAP_LAST_PERMISSION, &permission))
			continue;
		if (DatumGetBool(CnapField(&scan, tuple, Anum_permission_definition_delegable, &isnull)))
			fresh.delegable |= CnapPermissionBit(permission);
		CnapMatrixAllow(&fresh.matrix, CNAP_ROLE_OWNER, permission);
		count = read_names(&scan, tuple, Anum_permission_definition_roles, &roles);
		for (int i = 0; i < count; i++)
		{
			text	   *name = DatumGetTextPP(roles[i]);
			CnapRole	role = find_role(&fresh, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

			if (role != CNAP_ROLE_NONE)
				CnapMatrixAllow(&fresh.matrix, role, permission);
		}
	}
	CnapEndScan(&scan);
}

/*
 * Read all definitions, and return whether they are others than before.  The
 * snapshot was taken after that many events.  The permissions name the roles that
 * have them, so the roles come first.
 */
static bool
read_definitions(Snapshot snapshot, uint64 events)
{
	const Size	head = offsetof(Definitions, role);
	bool		differ;

	memset(&fresh, 0, sizeof(fresh));
	CnapBeginMatrix(&fresh.matrix);
	for (int i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_OWNER; i++)
		set_name(&fresh.role[i], CnapBuiltinRole(i), strlen(CnapBuiltinRole(i)));
	for (int i = 0; i < CNAP_FIRST_OWN_PERMISSION; i++)
		set_name(&fresh.permission[i], CnapBuiltinPermission(i), strlen(CnapBuiltinPermission(i)));
	fresh.delegable = CnapBuiltinDelegable();
	fresh.xmin = snapshot->xmin;

	read_roles(snapshot);
	sort_roles();
	read_permissions(snapshot);
	CnapEndMatrix(&fresh.matrix, fresh.delegable);

	differ = memcmp((char *) &fresh + head, (char *) &known + head, sizeof(fresh) - head) != 0;
	fresh.version = known.version + (differ ? 1 : 0);
	if (differ && known.as_of > CnapCurrentEpoch.anything)
		CnapEpochAdvance();		/* no message has said so */
	fresh.as_of = CnapEpochMayKeep() ? events + 1 : 0;
	memcpy(&known, &fresh, sizeof(known));
	CnapCurrentMatrix = fresh.matrix;
	return differ;
}

/* Likewise, as of now. */
static void
read_definitions_now(void)
{
	uint64		events = CnapCurrentEpoch.total;
	Snapshot	snapshot = CnapFreshSnapshot();

	read_definitions(snapshot, events);
	UnregisterSnapshot(snapshot);
}

void
CnapRefreshDefinitions(void)
{
	AcceptInvalidationMessages();
	if (unlikely(known.as_of <= CnapCurrentEpoch.anything))
		read_definitions_now();
}

uint64
CnapDefinitionsVersion(void)
{
	return known.version;
}

Snapshot
CnapDecisionSnapshot(void)
{
	Snapshot	snapshot;

	CnapRefreshDefinitions();
	decision_events = CnapCurrentEpoch.total;
	snapshot = CnapFreshSnapshot();
	CnapNoteRowsSince(known.xmin);
	return snapshot;
}

/*
 * Transaction ids wrap around; that these can be compared is explained in ways.c.
 */
bool
CnapDefinitionsDiffer(Snapshot snapshot)
{
	if (!known.alone && !CnapSawRowsSince() &&
		TransactionIdPrecedesOrEquals(known.xmin, snapshot->xmin))
		return false;
	return read_definitions(snapshot, decision_events);
}

CnapPermissions
CnapDelegable(void)
{
	return known.delegable;
}

/* ---- names ---- */

static bool
equals(const text *name, const char *string)
{
	size_t		length = VARSIZE_ANY_EXHDR(name);

	return strlen(string) == length && memcmp(VARDATA_ANY(name), string, length) == 0;
}

const char *
CnapRoleName(CnapRole role)
{
	if (role <= CNAP_ROLE_OWNER && role != CNAP_ROLE_NONE)
		return CnapBuiltinRole(role);
	return role <= CNAP_LAST_ROLE && known.role[role].len > 0 ? known.role[role].name : NULL;
}

const char *
CnapPermissionName(CnapPermission permission)
{
	if (permission < CNAP_FIRST_OWN_PERMISSION)
		return CnapBuiltinPermission(permission);
	return permission <= CNAP_LAST_PERMISSION && known.permission[permission].len > 0 ?
		known.permission[permission].name : NULL;
}

bool
CnapFindRole(const text *name, CnapRole *role)
{
	CnapRefreshDefinitions();
	*role = find_role(&known, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	return *role != CNAP_ROLE_NONE;
}

/*
 * This is asked for each row of a scan, mostly about the same permission as
 * before, so we look at that one first.
 */
bool
CnapFindPermission(const text *name, CnapPermission *permission)
{
	static CnapPermission last = 0;
	const char *string = VARDATA_ANY(name);
	int			len = VARSIZE_ANY_EXHDR(name);

	CnapRefreshDefinitions();
	if (len > 0 && compare_names(string, len, &known.permission[last]) == 0)
	{
		*permission = last;
		return true;
	}
	for (int i = 0; i <= CNAP_LAST_PERMISSION; i++)
	{
		if (len > 0 && compare_names(string, len, &known.permission[i]) == 0)
		{
			*permission = last = i;
			return true;
		}
	}
	return false;
}

/*
 * The role in a column.  It may have been defined since the definitions were
 * read; then they are read again.  One that is not defined, which foreign keys
 * prevent, allows nothing.
 */
CnapRole
CnapRoleFromDatum(Datum value)
{
	text	   *name = DatumGetTextPP(value);
	CnapRole	role = find_role(&known, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (role == CNAP_ROLE_NONE)
	{
		read_definitions_now();
		known.alone = true;
		role = find_role(&known, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	return role != CNAP_ROLE_NONE ? role : CNAP_ROLE_UNDEFINED;
}

Datum
CnapRoleToDatum(CnapRole role)
{
	const char *name = CnapRoleName(role);

	return CStringGetTextDatum(name != NULL ? name : "");
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
	if (name != NULL)
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
		(kind == CNAP_ORGANIZATION_ROLES ? role <= CNAP_ROLE_OWNER : role != CNAP_ROLE_OWNER))
		return role;

	if (equals(name, CnapBuiltinRole(CNAP_ROLE_OWNER)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid role"),
				 errdetail("The highest role allowed here is \"%s\".",
						   CnapBuiltinRole(CNAP_ROLE_ADMIN))));

	initStringInfo(&names);
	for (int i = CNAP_ROLE_MEMBER; i <= CNAP_LAST_ROLE; i++)
	{
		if (kind == CNAP_ORGANIZATION_ROLES ? i <= CNAP_ROLE_OWNER : i != CNAP_ROLE_OWNER)
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
	for (int i = 0; i <= CNAP_LAST_PERMISSION; i++)
		append_name(&names, CnapPermissionName(i));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("permission \"%s\" does not exist", shown(name)),
			 errhint("The permissions are: %s.", names.data)));
}

/*
 * Lower-case letters and digits, and _ : . - between them.  The built-in names
 * are taken.
 */
bool
CnapIsDefinableName(const char *string, int len)
{
	if (len < 1 || len > CNAP_MAX_DEFINED_NAME || string[0] < 'a' || string[0] > 'z')
		return false;
	for (int i = 1; i < len; i++)
	{
		char		c = string[i];
		bool		inner = c == '_' || c == ':' || c == '.' || c == '-';

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(inner && i < len - 1))
			return false;
	}
	for (CnapRole i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_OWNER; i++)
	{
		if ((int) strlen(CnapBuiltinRole(i)) == len && memcmp(string, CnapBuiltinRole(i), len) == 0)
			return false;
	}
	return find_builtin_permission(string, len) == CNAP_FIRST_OWN_PERMISSION;
}

/* cnap.is_definable(value) -> boolean, for the constraints of the tables */
Datum
cnap_is_definable(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(CnapIsDefinableName(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}

/*
 * cnap.is_permission_list(value) -> boolean, for the constraints of the tables
 *
 * It does not ask which permissions are defined, so that what it returns never
 * changes, and rows can be restored before the definitions.
 */
Datum
cnap_is_permission_list(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *elements;
	int			count;

	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		PG_RETURN_BOOL(false);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	if (count > CNAP_LAST_PERMISSION + 1)
		PG_RETURN_BOOL(false);
	for (int i = 0; i < count; i++)
	{
		text	   *name = DatumGetTextPP(elements[i]);

		if (!CnapIsDefinableName(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) &&
			find_builtin_permission(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) ==
			CNAP_FIRST_OWN_PERMISSION)
			PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(true);
}

/*
 * cnap.role_rank(role) -> integer
 *
 * The order of roles in listings: a higher number for a higher role.
 */
Datum
cnap_role_rank(PG_FUNCTION_ARGS)
{
	CnapRole	role;

	if (!CnapFindRole(PG_GETARG_TEXT_PP(0), &role))
		PG_RETURN_INT32(0);
	PG_RETURN_INT32(CnapRoleRank(role));
}
