/*-------------------------------------------------------------------------
 *
 * cascades.h
 *	  Whose code is executed when a row of our tables is deleted, or its key is changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CASCADES_H
#define CNAP_CASCADES_H

#include "nodes/bitmapset.h"

typedef struct CnapCascades
{
	bool		to_others;		/* may code of roles be executed that are no
								 * superusers? */
	Oid			owner;			/* whose AFTER triggers are fired; InvalidOid
								 * if nobody's */
} CnapCascades;

/*
 * Follow the foreign keys that refer to a table, to all tables of which rows may be deleted or
 * changed when rows of this one are deleted or, if columns are given, when these are updated,
 * and lock those.  Raises 55000 if AFTER triggers of several roles would be fired.  Not
 * needed, and not there, since PostgreSQL 18.
 */
extern CnapCascades CnapFindCascades(Oid relid, const Bitmapset *columns);

#endif							/* CNAP_CASCADES_H */
