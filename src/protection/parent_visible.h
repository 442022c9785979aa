/*-------------------------------------------------------------------------
 *
 * parent_visible.h
 *	  cnap.parent_visible(), which checks a row's parent, and its planner
 *	  support.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PARENT_VISIBLE_H
#define CNAP_PARENT_VISIBLE_H

extern void CnapParentVisibleInit(void);

#endif							/* CNAP_PARENT_VISIBLE_H */
