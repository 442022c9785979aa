/*-------------------------------------------------------------------------
 *
 * notifications.c
 *	  Notifications of changes, on the channel "cnap".
 *
 * PostgreSQL refuses to PREPARE a transaction that has executed NOTIFY.  To
 * allow changing access data in a prepared transaction, notifications are
 * collected here and queued just before the transaction commits; those of a
 * prepared transaction are discarded.
 *
 * The list lives in TopTransactionContext.  Notifications of a subtransaction
 * are removed when it aborts, and passed to its parent when it commits.  They
 * are at the end of the list, so that a loop of many subtransactions need not
 * look at all that precede them.
 *
 * Hazard: any role can fill the queue of notifications, and a transaction that
 * finds it full fails at its commit.  A notification is no more than a hint to read
 * the audit log, so ours are off unless an administrator turns them on, and are
 * dropped once the queue is so full that PostgreSQL warns about it.  To make a
 * commit fail, somebody would have to fill the other half between our look at the
 * queue and the commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "nodes/pg_list.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "change/notifications.h"
#include "core/compat.h"

#define CHANNEL "cnap"

/* What the queue needs for each entry besides its payload, and more. */
#define ENTRY_OVERHEAD 64

typedef struct Notification
{
	int			level;			/* nesting level of its (sub)transaction */
	char	   *payload;
} Notification;

/*
 * How full the queue may become by our notifications.  PostgreSQL warns about one
 * that is fuller than that.
 */
#define QUEUE_LIMIT 0.5

static bool notify_enabled = false;
static List *pending = NIL;

void
CnapNotify(const char *payload)
{
	MemoryContext old;
	Notification *notification;

	if (!notify_enabled)
		return;

	old = MemoryContextSwitchTo(TopTransactionContext);
	notification = palloc(sizeof(Notification));
	notification->level = GetCurrentTransactionNestLevel();
	notification->payload = pstrdup(payload);
	pending = lappend(pending, notification);
	MemoryContextSwitchTo(old);
}

/*
 * Would all pending notifications leave the queue less full than the limit?  What
 * does not fit on a page goes to the next, so they need at most twice the number of
 * pages that they fill.
 */
static bool
queue_has_room(void)
{
	double		usage = DatumGetFloat8(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE));
	double		bytes = 0;
	ListCell   *lc;

	foreach(lc, pending)
	{
		Notification *notification = lfirst(lc);

		bytes += MAXALIGN(ENTRY_OVERHEAD + strlen(notification->payload));
	}
	return usage + (2 * bytes / BLCKSZ + 1) / CnapNotifyQueuePages() < QUEUE_LIMIT;
}

static void
send_pending(void)
{
	ListCell   *lc;

	if (pending == NIL)
		return;
	if (!queue_has_room())
	{
		ereport(WARNING,
				(errmsg("no notification of this change was sent, because the NOTIFY queue is too full"),
				 errdetail("The audit log has the change."),
				 errhint("Find the session that listens, and has been in a transaction for a long time.")));
		return;
	}
	foreach(lc, pending)
	{
		Notification *notification = lfirst(lc);

		Async_Notify(CHANNEL, notification->payload);
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
		send_pending();
	/* The memory is freed with TopTransactionContext. */
	pending = NIL;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId my_subid,
					  SubTransactionId parent_subid, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	int			count = list_length(pending);

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;

	while (count > 0)
	{
		Notification *notification = list_nth(pending, count - 1);

		if (notification->level < level)
			break;
		notification->level = level - 1;
		count--;
	}
	if (event == SUBXACT_EVENT_ABORT_SUB)
		pending = list_truncate(pending, count);
}

void
CnapNotifyInit(void)
{
	DefineCustomBoolVariable("cnap.notify",
							 "Sends changes of access data on the channel \"cnap\".",
							 "Every role of the database can listen to it.",
							 &notify_enabled,
							 false,
							 PGC_SUSET,
							 GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							 NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
