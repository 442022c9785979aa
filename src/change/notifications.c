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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "nodes/pg_list.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "change/notifications.h"
#include "core/compat.h"

#define CHANNEL "cnap"

typedef struct Notification
{
	int			level;			/* nesting level of its (sub)transaction */
	char	   *payload;
} Notification;

static bool notify_enabled = true;
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

static void
at_transaction_end(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (event == XACT_EVENT_PRE_COMMIT)
	{
		foreach(lc, pending)
		{
			Notification *notification = lfirst(lc);

			Async_Notify(CHANNEL, notification->payload);
		}
	}
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
							 true,
							 PGC_SUSET,
							 GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							 NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
