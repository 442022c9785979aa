/*-------------------------------------------------------------------------
 *
 * organization.c
 *	  Public functions about organizations.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/compat.h"
#include "core/rows.h"
#include "core/table_scan.h"

PG_FUNCTION_INFO_V1(cnap_create_organization);
PG_FUNCTION_INFO_V1(cnap_update_organization);
PG_FUNCTION_INFO_V1(cnap_delete_organization);
PG_FUNCTION_INFO_V1(cnap_organizations);
PG_FUNCTION_INFO_V1(cnap_organization);
PG_FUNCTION_INFO_V1(cnap_organization_members);
PG_FUNCTION_INFO_V1(cnap_organization_workspaces);
PG_FUNCTION_INFO_V1(cnap_organization_audit);

/* Check the texts that create and update have in common; '' means none. */
static void
check_texts(const text *slug, const text *logo, const text *email)
{
	if (slug != NULL && VARSIZE_ANY_EXHDR(slug) > 0)
		CnapCheckSlug(slug);
	if (logo != NULL && VARSIZE_ANY_EXHDR(logo) > 0)
		CnapCheckUrl(logo, "logo");
	if (email != NULL && VARSIZE_ANY_EXHDR(email) > 0)
		CnapCheckEmail(email, "management_email");
}

pg_noreturn static void
slug_taken(const text *slug)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("slug \"%s\" is taken", text_to_cstring(slug))));
}

/*
 * cnap_create_organization(name, slug, logo, management_email, owner) -> uuid
 */
Datum
cnap_create_organization(PG_FUNCTION_ARGS)
{
	static CnapStatement insert_organization = {
		"INSERT INTO cnap.organization (id, name, slug, logo, management_email, created_by)"
		" VALUES ($1, $2, nullif($3, ''), nullif($4, ''), nullif($5, ''), $6)"
		" ON CONFLICT (slug) DO NOTHING",
		6, {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	static CnapStatement insert_owner = {
		"INSERT INTO cnap.organization_member (organization_id, user_id, role, added_by)"
		" VALUES ($1, $2, 'owner', $3)",
		3, {UUIDOID, TEXTOID, TEXTOID}
	};
	CnapAct		act;
	text	   *owner;
	text	   *texts[3];
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};

	owner = CnapAuthorizeCreation(fcinfo, 4, &act);
	values[1] = PointerGetDatum(CnapRequiredName(fcinfo, 0));
	for (int i = 0; i < 3; i++)
	{
		texts[i] = CnapOptionalText(fcinfo, i + 1);
		values[i + 2] = PointerGetDatum(texts[i]);
		nulls[i + 2] = texts[i] != NULL ? ' ' : 'n';
	}
	check_texts(texts[0], texts[1], texts[2]);

	values[0] = CnapNewUuid();
	values[5] = PointerGetDatum(act.actor.user);
	nulls[5] = act.actor.user != NULL ? ' ' : 'n';
	if (CnapExecuteAct(&act, &insert_organization, values, nulls) == 0)
		slug_taken(texts[0]);

	values[1] = PointerGetDatum(owner);
	values[2] = values[5];
	nulls[2] = nulls[5];
	CnapExecuteAct(&act, &insert_owner, values, nulls);
	PG_RETURN_DATUM(values[0]);
}

/*
 * cnap_update_organization(organization, name, slug, logo, management_email,
 *							metadata, accepts) -> void
 *
 * Null means unchanged, '' clears.
 */
Datum
cnap_update_organization(PG_FUNCTION_ARGS)
{
	static CnapStatement update = {
		"UPDATE cnap.organization SET"
		" name = coalesce($2, name),"
		" slug = CASE WHEN $3 IS NULL THEN slug ELSE nullif($3, '') END,"
		" logo = CASE WHEN $4 IS NULL THEN logo ELSE nullif($4, '') END,"
		" management_email = CASE WHEN $5 IS NULL THEN management_email ELSE nullif($5, '') END,"
		" metadata = coalesce($6, metadata),"
		" accepts = coalesce($7, accepts)"
		" WHERE id = $1",
		7, {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID}
	};
	static CnapStatement other_with_slug = {
		"SELECT id FROM cnap.organization WHERE slug = $2 AND id <> $1",
		2, {UUIDOID, TEXTOID}
	};
	CnapAct		act;
	Datum		values[7];
	char		nulls[7];
	Datum		slug[2];

	CnapAuthorizeOrganization(CnapRequiredUuid(fcinfo, 0, "organization"),
							  CNAP_ORGANIZATION_UPDATE, CNAP_CHANGE, &act);
	if (!PG_ARGISNULL(1))
		CnapRequiredName(fcinfo, 1);
	check_texts(CnapOptionalText(fcinfo, 2), CnapOptionalText(fcinfo, 3),
				CnapOptionalText(fcinfo, 4));
	CnapCheckMetadata(fcinfo, 5);
	if (!PG_ARGISNULL(6))
		CnapCheckAccepts(PG_GETARG_TEXT_PP(6));

	CnapArguments(fcinfo, 7, values, nulls);
	/* That of a concurrent transaction is refused by the constraint. */
	slug[0] = values[0];
	slug[1] = values[2];
	if (!PG_ARGISNULL(2) && CnapQueryText(&other_with_slug, slug, NULL) != NULL)
		slug_taken(PG_GETARG_TEXT_PP(2));
	CnapExecuteActOnRow(&act, &update, values, nulls);
	PG_RETURN_VOID();
}

/*
 * End the open transactions of others that have locked workspaces which the
 * organization manages, before its deletion locks them.  A customer's would let
 * the organization's members keep access to all others.
 */
static void
end_customers_changes(const pg_uuid_t *organization)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	List	   *workspaces = NIL;
	ListCell   *lc;

	CnapKeyUuid(&key, Anum_workspace_managed_by, organization);
	CnapBeginScan(&scan, CNAP_WORKSPACE, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = CnapNextRow(&scan)))
	{
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
		bool		isnull;

		*id = *DatumGetUUIDP(CnapField(&scan, tuple, Anum_workspace_id, &isnull));
		workspaces = lappend(workspaces, id);
	}
	CnapEndScan(&scan);

	foreach(lc, workspaces)
		CnapEndLower(CNAP_HELD_WORKSPACE, lfirst(lc), CNAP_RANK_SYSTEM);
}

/*
 * cnap_delete_organization(organization) -> void
 *
 * The workspaces that it managed stay with their owners; the foreign key's
 * action sets their managed_by to null.  They are locked beforehand, in the
 * order of their ids, as everywhere, to avoid deadlocks.
 */
Datum
cnap_delete_organization(PG_FUNCTION_ARGS)
{
	static CnapStatement lock_workspaces = {
		"SELECT FROM cnap.workspace WHERE managed_by = $1 ORDER BY id FOR NO KEY UPDATE",
		1, {UUIDOID}
	};
	static CnapStatement delete = {
		"DELETE FROM cnap.organization WHERE id = $1",
		1, {UUIDOID}
	};
	CnapAct		act;
	Datum		value;

	CnapAuthorizeOrganization(CnapRequiredUuid(fcinfo, 0, "organization"),
							  CNAP_ORGANIZATION_DELETE, CNAP_REMOVE, &act);
	value = PG_GETARG_DATUM(0);
	end_customers_changes(DatumGetUUIDP(value));
	CnapEnterDeletion(DatumGetUUIDP(value), &act);
	CnapExecute(&lock_workspaces, &value, NULL);
	CnapExecuteActOnRow(&act, &delete, &value, NULL);
	PG_RETURN_VOID();
}

/* cnap_organizations() -> the current user's organizations */
Datum
cnap_organizations(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_organizations($1)", 1, {TEXTOID}
	};

	return CnapCurrentUserRows(fcinfo, &query);
}

/* cnap_organization(organization) -> one row */
Datum
cnap_organization(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.show_organization($1)", 1, {UUIDOID}
	};

	return CnapOrganizationRows(fcinfo, CNAP_ORGANIZATION_SEE, &query);
}

/* cnap_organization_members(organization, after, max_rows) -> its members */
Datum
cnap_organization_members(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_organization_members($1, $2, $3)",
		3, {UUIDOID, TEXTOID, INT4OID}, CURSOR_OPT_GENERIC_PLAN
	};

	if (!PG_ARGISNULL(1))
		CnapRequiredUserId(fcinfo, 1, "after");
	CnapCheckMaxRows(fcinfo, 2);
	return CnapOrganizationRows(fcinfo, CNAP_ORGANIZATION_SEE, &query);
}

/*
 * cnap_organization_workspaces(organization, after, max_rows) -> the workspaces
 * that it manages
 */
Datum
cnap_organization_workspaces(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_organization_workspaces($1, $2, $3, $4)",
		4, {UUIDOID, UUIDOID, INT4OID, TEXTOID}
	};
	const pg_uuid_t *organization = CnapRequiredUuid(fcinfo, 0, "organization");
	CnapAct		act;
	Datum		values[4];
	char		nulls[4];

	CnapCheckMaxRows(fcinfo, 2);
	CnapAuthorizeOrganization(organization, CNAP_ORGANIZATION_SEE, CNAP_READ, &act);
	CnapArguments(fcinfo, 3, values, nulls);
	nulls[3] = nulls[1];
	if (!PG_ARGISNULL(1))
	{
		const pg_uuid_t *after = PG_GETARG_UUID_P(1);
		CnapWorkspace workspace;
		text	   *name;

		if (!CnapFindNamedWorkspace(after, &workspace, &name) ||
			!CnapManagedNow(&workspace) ||
			memcmp(&workspace.managed_by, organization, sizeof(pg_uuid_t)) != 0)
			CnapNoWorkspace(after);
		values[3] = PointerGetDatum(name);
	}
	return CnapReturnRows(fcinfo, &query, values, nulls);
}

/*
 * cnap_organization_audit(organization, before, max_rows) -> its audit entries
 */
Datum
cnap_organization_audit(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_organization_audit($1, $2, $3)",
		3, {UUIDOID, INT8OID, INT4OID}, CURSOR_OPT_CUSTOM_PLAN
	};

	CnapCheckMaxRows(fcinfo, 2);
	return CnapOrganizationRows(fcinfo, CNAP_ORGANIZATION_READ_AUDIT, &query);
}
