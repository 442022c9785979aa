/*-------------------------------------------------------------------------
 *
 * own_catalog.h
 *	  The extension's own tables and functions, by OID.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_OWN_CATALOG_H
#define CNAP_OWN_CATALOG_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/relcache.h"


typedef enum CnapTable
{
	CNAP_ORGANIZATION,
	CNAP_ORGANIZATION_MEMBER,
	CNAP_WORKSPACE,
	CNAP_WORKSPACE_MEMBER,
	CNAP_AUDIT_LOG,
	CNAP_ACCESS_TOKEN,
	CNAP_ACCESS_TOKEN_USE,
	CNAP_INSTALL_LINK,
	CNAP_REDEMPTION,
	CNAP_INVITATION,
	CNAP_BEAT,
	CNAP_ROLE_USER,
	CNAP_ROLE_DEFINITION,
	CNAP_PERMISSION_DEFINITION,
	CNAP_ASSIGNMENT
} CnapTable;

#define CNAP_TABLES (CNAP_ASSIGNMENT + 1)

/* The columns that C code uses, numbered as in CREATE TABLE. */
#define Anum_organization_id 1
#define Anum_organization_name 2
#define Anum_organization_slug 3
#define Anum_organization_logo 4
#define Anum_organization_management_email 5
#define Anum_organization_customer_id 6
#define Anum_organization_accepts 7
#define Anum_organization_metadata 8
#define Anum_organization_created_by 9
#define Anum_organization_updated_at 11

#define Anum_organization_member_organization_id 1
#define Anum_organization_member_user_id 2
#define Anum_organization_member_role 3
#define Anum_organization_member_added_by 4
#define Anum_organization_member_updated_at 6
#define Anum_organization_member_membership_id 7

#define Anum_workspace_id 1
#define Anum_workspace_name 2
#define Anum_workspace_owner_id 3
#define Anum_workspace_managed_by 4
#define Anum_workspace_managed_role 5
#define Anum_workspace_managed_until 6
#define Anum_workspace_managed_since 7
#define Anum_workspace_managed_access 8
#define Anum_workspace_managed_activation 9
#define Anum_workspace_management_id 10
#define Anum_workspace_billing_email 11
#define Anum_workspace_customer_id 12
#define Anum_workspace_metadata 13
#define Anum_workspace_updated_at 15

#define Anum_assignment_workspace_id 1
#define Anum_assignment_user_id 2
#define Anum_assignment_until 3
#define Anum_assignment_reason 4
#define Anum_assignment_assigned_by 5
#define Anum_assignment_management_id 7
#define Anum_assignment_membership_id 8

#define Anum_audit_log_id 1
#define Anum_audit_log_occurred_at 2
#define Anum_audit_log_actor 3
#define Anum_audit_log_database_role 4
#define Anum_audit_log_action 5
#define Anum_audit_log_organization_id 6
#define Anum_audit_log_workspace_id 7
#define Anum_audit_log_subject 8
#define Anum_audit_log_path 9
#define Anum_audit_log_detail 10
#define Anum_audit_log_xid 11
#define Natts_audit_log 11

#define Anum_access_token_id 1
#define Anum_access_token_user_id 2
#define Anum_access_token_name 3
#define Anum_access_token_token_hash 4
#define Anum_access_token_expires_at 5
#define Anum_access_token_revoked_at 6
#define Anum_access_token_workspaces 7
#define Anum_access_token_permissions 8

#define Anum_access_token_use_token_id 1
#define Anum_access_token_use_last_used_at 2

#define Anum_role_user_role 1
#define Anum_role_user_user_id 2

#define Anum_install_link_id 1
#define Anum_install_link_organization_id 2
#define Anum_install_link_label 3
#define Anum_install_link_token_hash 4
#define Anum_install_link_role 5
#define Anum_install_link_duration 6
#define Anum_install_link_managers 7
#define Anum_install_link_activation 8
#define Anum_install_link_max_uses 9
#define Anum_install_link_uses 10
#define Anum_install_link_expires_at 11
#define Anum_install_link_revoked_at 12
#define Anum_install_link_created_by 13

#define Anum_redemption_link_id 1
#define Anum_redemption_workspace_id 2

#define Anum_invitation_id 1
#define Anum_invitation_organization_id 2
#define Anum_invitation_workspace_id 3
#define Anum_invitation_token_hash 4
#define Anum_invitation_role 5
#define Anum_invitation_inviter 6
#define Anum_invitation_expires_at 7
#define Anum_invitation_outcome 8
#define Anum_invitation_outcome_by 10
#define Anum_invitation_user_id 12

#define Anum_beat_origin 2
#define Anum_beat_at 3
#define Anum_beat_position 4
#define Anum_beat_restored 5
#define Anum_beat_version 6

/*
 * The tables of members have the same layout, and access_token the same
 * user_id.
 */
#define Anum_workspace_member_workspace_id Anum_organization_member_organization_id
#define Anum_workspace_member_user_id Anum_organization_member_user_id
#define Anum_workspace_member_role Anum_organization_member_role

/* Assignments have their key in the same columns. */
StaticAssertDecl(Anum_assignment_workspace_id == Anum_organization_member_organization_id &&
				 Anum_assignment_user_id == Anum_organization_member_user_id,
				 "the tables of users' rows differ");

/* The tables of definitions begin alike. */
#define Anum_role_definition_name 1
#define Anum_role_definition_number 2
#define Anum_role_definition_permissions 3
#define Anum_permission_definition_roles 3
#define Anum_permission_definition_delegable 4

extern void CnapRelationsInit(void);

/* The OID of a table as of its last lookup; InvalidOid if there was none. */
extern Oid	CnapKnownTableOid(CnapTable table);

/*
 * All of these raise 55000 (object_not_in_prerequisite_state) if the extension
 * is not installed in this database, or with a version that this library does not
 * serve, or that does not have the table or function yet.
 */
extern Oid	CnapTableOid(CnapTable table);
extern bool CnapIsOwnTable(Oid relid);
extern Oid	CnapReachableFunction(Oid user_type);
extern Oid	CnapNeverFunction(void);
extern Oid	CnapAtFirstFunction(void);
extern Oid	CnapFillFunction(void);
extern Oid	CnapIndexOid(CnapTable table, AttrNumber leading);
extern Relation CnapOpenTable(CnapTable table);
extern CnapTable CnapTableOf(Relation relation);
extern Oid	CnapOwner(void);
extern Oid	CnapReadExtension(Oid extension, char **name, Oid *schema, Oid *owner);
extern Oid	CnapFindExtension(Oid function, char **name, Oid *schema, Oid *owner);

/* Does a column differ between two versions of a row? */
extern bool CnapColumnDiffers(TupleDesc desc, HeapTuple before, HeapTuple after,
							  AttrNumber attno);

#endif							/* CNAP_OWN_CATALOG_H */
