/*-------------------------------------------------------------------------
 *
 * version.h
 *	  The versions of the library, and of the objects in this database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_VERSION_H
#define CNAP_VERSION_H

extern void CnapVersionInit(void);

/*
 * Raise an error, or end the session, if this library is older than the version
 * of the extension's objects in this database.
 */
extern void CnapCheckVersion(const char *version);

#endif							/* CNAP_VERSION_H */
