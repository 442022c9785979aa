/*-------------------------------------------------------------------------
 *
 * beat_worker.c
 *	  The background worker that renews the beat.
 *
 * It runs where the library is in shared_preload_libraries and
 * cnap.beat_database names a database; elsewhere, any scheduler can call
 * cnap_beat().  It is connected to that database, as the superuser who was
 * made by initdb, and executes nothing but our own statements.
 *
 * Where the extension does not exist, or the beat is another database's, it
 * does nothing and looks again after the interval.  It ends with an error if
 * the database does not exist, and is started again after a while.  DROP
 * DATABASE has to be told to end it (WITH (FORCE)), like any other session.
 * On a standby it starts with the promotion.
 *
 * A beat must not wait for synchronous standbys: the followers that do receive
 * it are as fresh as it says.  Nor must it end where an administrator has made
 * transactions read-only by default: nobody may change anything there, but the
 * followers would be closed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "core/compat.h"
#include "core/freshness.h"
#include "core/own_catalog.h"
#include "fleet/beat.h"
#include "fleet/beat_worker.h"

/* How long after an error it is started again, in seconds */
#define RESTART_TIME 5

#define WORKER_NAME "cnap_org beat"

static char *beat_database;
static int	beat_interval;		/* in ms */

pg_noreturn PGDLLEXPORT void cnap_beat_worker_main(Datum main_arg);

/* Renew the beat, if this database keeps its access data. */
static void
renew_beat(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!OidIsValid(get_extension_oid("cnap_org", true)))
		pgstat_report_activity(STATE_IDLE, "waiting for CREATE EXTENSION cnap_org");
	else if (CnapFleetRoleNow() != CNAP_ORIGIN)
		pgstat_report_activity(STATE_IDLE, "idle: another database keeps the access data");
	else
	{
		pgstat_report_activity(STATE_RUNNING, "renewing the beat");
		CnapBeat(false);
		pgstat_report_activity(STATE_IDLE, "the beat has been renewed");
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

/* The worker's main function */
void
cnap_beat_worker_main(Datum main_arg)
{
	uint32		wait_event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/*
	 * PostgreSQL starts workers with SIGHUP ignored, so one that was sent
	 * before this may be lost, while the settings are from before it.
	 */
	ConfigReloadPending = true;
	BackgroundWorkerInitializeConnection(beat_database, NULL, 0);
	SetConfigOption("application_name", WORKER_NAME, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION);

	wait_event = CnapWaitEvent("CnapBeat");
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		renew_beat();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 beat_interval, wait_event);
		ResetLatch(MyLatch);
	}
}

void
CnapBeatWorkerInit(void)
{
	BackgroundWorker worker = {0};

	DefineCustomIntVariable("cnap.beat_interval",
							"How often the background worker renews the beat.",
							NULL,
							&beat_interval,
							1000,
							10,
							3600 * 1000,
							PGC_SIGHUP,
							GUC_UNIT_MS | GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							NULL, NULL, NULL);
	if (!process_shared_preload_libraries_in_progress)
		return;

	/*
	 * A setting that can be set only at the start exists only where it is
	 * read.
	 */
	DefineCustomStringVariable("cnap.beat_database",
							   "The database in which a background worker renews the beat.",
							   "An empty string means that none does.",
							   &beat_database,
							   "",
							   PGC_POSTMASTER,
							   GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
	if (beat_database[0] == '\0')
		return;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_TIME;
	strlcpy(worker.bgw_library_name, "cnap_org", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "cnap_beat_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, WORKER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_type, WORKER_NAME, BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
