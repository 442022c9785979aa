/*-------------------------------------------------------------------------
 *
 * cascades.h
 *	  Whose code is executed when a row of our tables is deleted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CASCADES_H
#define CNAP_CASCADES_H

typedef struct CnapCascades
{
	bool		to_others;		/* may code of roles be executed that are no
								 * superusers? */
	Oid			owner;			/* whose AFTER triggers are fired; InvalidOid
								 * if nobody's */
} CnapCascades;

/*
 * Follow the foreign keys that refer to a table, to all tables of which rows may be deleted or
 * changed when rows of this one are deleted, and lock those.  Raises 55000 if AFTER triggers
 * of several roles would be fired.  Not needed, and not there, since PostgreSQL 18.
 */
extern CnapCascades CnapFindCascades(Oid relid);

#endif							/* CNAP_CASCADES_H */
