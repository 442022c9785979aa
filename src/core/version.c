/*-------------------------------------------------------------------------
 *
 * version.c
 *	  The versions of the library, and of the objects in this database.
 *
 * The library is installed once for a server, the objects are updated in each
 * database by ALTER EXTENSION.  In between, and on a standby, a library meets
 * objects of another version:
 *
 * - A later library serves the objects of all earlier versions, since 1.0.0.
 * - An earlier library does not serve later objects: it might not know a column
 *	 by which access is denied now.  So it answers nothing.  A session that
 *	 loaded it before the update is ended, and connects again; where the server
 *	 has preloaded it, each call is an error until the server is restarted.
 *
 * own_catalog.c asks with each lookup of our tables after an invalidation, which
 * each update script sends first of all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/extension.h"
#include "miscadmin.h"

#include "core/version.h"

/* Does the server hand on this library to all sessions? */
static bool is_preloaded = false;

void
CnapVersionInit(void)
{
	is_preloaded = process_shared_preload_libraries_in_progress;
}

/* Read one of the numbers of a version, which is below 100. */
static bool
read_number(const char **position, int *number)
{
	const char *start = *position;

	*number = 0;
	while (**position >= '0' && **position <= '9' && *position - start < 2)
		*number = *number * 10 + *(*position)++ - '0';
	return *position > start;
}

/* The number of a version, 10203 for 1.2.3.  Any other text is the highest one. */
static int
version_number(const char *version)
{
	int			major;
	int			minor;
	int			patch;

	if (read_number(&version, &major) && *version++ == '.' &&
		read_number(&version, &minor) && *version++ == '.' &&
		read_number(&version, &patch) && *version == '\0')
		return (major * 100 + minor) * 100 + patch;
	return PG_INT32_MAX;
}

/*
 * Whoever updates the extension gets an error, so that the update is undone.  Nor
 * would it help to connect again where the server has preloaded this library.
 */
void
CnapCheckVersion(const char *version)
{
	if (version_number(version) <= version_number(CNAP_VERSION))
		return;
	ereport(is_preloaded || creating_extension ? ERROR : FATAL,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the library of extension \"cnap_org\" is older than its objects in this database"),
			 errdetail("The session has loaded the library of version %s, and the objects are of version %s.",
					   CNAP_VERSION, version),
			 is_preloaded ?
			 errhint("Install version %s or a later one, and restart the server, which preloads the library.", version) :
			 errhint("Install version %s or a later one, and connect again.", version)));
}
