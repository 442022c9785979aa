/*-------------------------------------------------------------------------
 *
 * precedence.c
 *	  Who waits for whose open transaction.
 *
 * Whatever a public function changes, it keeps locked until its transaction ends,
 * and a client can leave that open for as long as it likes.  A manager who has
 * renamed a workspace could so prevent its owner from revoking the management, and
 * keep access meanwhile.  So there are ranks: whoever is about to end access does
 * not wait for the open transaction of somebody of a lower rank, but has it ended.
 *
 * Each function, before it locks something, takes a lock that says so, and by which
 * rank: its presence.  Presences do not conflict with each other, the functions
 * still wait for each other's rows.  Whoever ends access first closes a gate, through
 * which everybody of a lower rank has to pass, and then waits for those who are
 * present, each of whom is a transaction:
 *
 * - one that waits for its client is terminated after deadlock_timeout, a time in
 *	 which a client that is not stuck sends its next statement;
 * - one that executes a statement is terminated after ten times that.
 *
 * A transaction passes the gates before it takes its presence, and keeps them open
 * while it does, so that it is either seen or stopped.  It never waits at one gate
 * while it keeps another one open, nor at any gate if it is present already, by
 * whatever rank: that would be a deadlock, of which PostgreSQL might make the other
 * side the victim.  For the same reason a deletion closes no gate, since it may have
 * to wait for somebody who has inserted a reference, and wants to enter after that.
 *
 * A prepared transaction has no session to terminate, so PREPARE TRANSACTION is
 * refused to ranks below the owner's.
 *
 * The locks are advisory ones with a class that SQL functions cannot name.  Nobody
 * ends the system's transactions, so the system has no presence, and can change any
 * number of objects without filling the table of locks.
 *
 * Hazard: the wait is for the end of a whole transaction, so it must not begin
 * before the gate is closed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "change/precedence.h"
#include "core/compat.h"

/* Classes of advisory locks; pg_advisory_lock() and its like have 1 and 2. */
#define PRESENCE_CLASS	0x4300
#define GATE_CLASS		0x4380

/* How often a transaction that is waited for is looked at, in a deadlock_timeout. */
#define LOOKS			10

/* The transaction that is being waited for; the signal handler reads this. */
static struct
{
	PGPROC	   *volatile proc;	/* NULL if there is none */
	int			pid;
	LocalTransactionId lxid;
	volatile int looks;			/* so far */
	volatile int idle_looks;	/* the latest of them that found it idle */
	volatile bool terminated;
}			waited_for;

static TimeoutId look_timeout = MAX_TIMEOUTS;

/* Has the transaction entered something that a higher rank may want? */
static bool entered_below_owner = false;

static LOCKTAG
lock_tag(uint16 class, CnapHeld held, const pg_uuid_t *id, CnapRank rank)
{
	LOCKTAG		tag;
	uint64		hash = hash_bytes_extended(id->data, UUID_LEN, held);

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash,
						 class + rank);
	return tag;
}

/* ---- ending a transaction ---- */

/*
 * Look at the transaction that is waited for, and terminate its session if it is
 * time.  This is a signal handler.
 */
static void
look(void)
{
	PGPROC	   *proc = waited_for.proc;

	if (proc == NULL || waited_for.terminated ||
		proc->pid != waited_for.pid || CnapProcTransaction(proc) != waited_for.lxid)
		return;
	waited_for.looks++;
	if (proc->wait_event_info == WAIT_EVENT_CLIENT_READ)
		waited_for.idle_looks++;
	else
		waited_for.idle_looks = 0;
	if (waited_for.idle_looks > LOOKS || waited_for.looks > LOOKS * LOOKS)
	{
		waited_for.terminated = true;
		kill(waited_for.pid, SIGTERM);
	}
}

/* Wait for the end of a transaction, and bring it about if it does not come. */
static void
wait_for_end(VirtualTransactionId vxid)
{
	PGPROC	   *proc = CnapProcOf(vxid);
	int			interval = Max(DeadlockTimeout / LOOKS, 1);

	if (proc == NULL)
		return;					/* ended, or prepared */
	if (look_timeout == MAX_TIMEOUTS)
		look_timeout = RegisterTimeout(USER_TIMEOUT, look);

	waited_for.pid = proc->pid;
	waited_for.lxid = vxid.localTransactionId;
	waited_for.looks = waited_for.idle_looks = 0;
	waited_for.terminated = false;
	waited_for.proc = proc;
	PG_TRY();
	{
		enable_timeout_every(look_timeout,
							 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), interval),
							 interval);
		VirtualXactLock(vxid, true);
	}
	PG_FINALLY();
	{
		waited_for.proc = NULL;
		disable_timeout(look_timeout, false);
	}
	PG_END_TRY();

	if (waited_for.terminated)
		ereport(LOG,
				(errmsg("terminated process %d, whose open transaction prevented access from being ended",
						waited_for.pid)));
}

/*
 * Wait for all who hold a lock.  Those who acquire it meanwhile are not waited
 * for.
 */
static void
wait_for_holders(const LOCKTAG *tag)
{
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(tag, ExclusiveLock, &count);

	for (int i = 0; i < count; i++)
		wait_for_end(holders[i]);
	pfree(holders);
}

void
CnapEndLower(CnapHeld held, const pg_uuid_t *id, CnapRank rank)
{
	for (int lower = CNAP_RANK_OUTSIDER; lower < (int) rank; lower++)
	{
		LOCKTAG		presence = lock_tag(PRESENCE_CLASS, held, id, lower);

		wait_for_holders(&presence);
	}
}

/* ---- entering ---- */

/*
 * Acquire a presence, after passing the gates of all higher ranks.  Returns false,
 * without waiting, if somebody else has it in a mode that conflicts.
 */
static bool
pass_gates(CnapHeld held, const pg_uuid_t *id, CnapRank rank,
		   const LOCKTAG *presence, LOCKMODE mode)
{
	bool		acquired;
	int			first = (int) rank + 1;
	int			open;

	for (;;)
	{
		LOCKTAG		gate = {0};

		for (open = first; open <= CNAP_RANK_SYSTEM; open++)
		{
			gate = lock_tag(GATE_CLASS, held, id, open);
			if (LockAcquire(&gate, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
				break;
		}
		acquired = open > CNAP_RANK_SYSTEM &&
			LockAcquire(presence, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
		for (int passed = first; passed < open; passed++)
		{
			LOCKTAG		tag = lock_tag(GATE_CLASS, held, id, passed);

			LockRelease(&tag, ShareLock, false);
		}
		if (open > CNAP_RANK_SYSTEM)
			return acquired;

		LockAcquire(&gate, ShareLock, false, false);
		LockRelease(&gate, ShareLock, false);
	}
}

static void
enter(CnapHeld held, const pg_uuid_t *id, CnapRank rank, LOCKMODE mode)
{
	LOCKTAG		presence = lock_tag(PRESENCE_CLASS, held, id, rank);
	bool		is_present = false;

	if (rank == CNAP_RANK_SYSTEM)
		return;
	if (rank < CNAP_RANK_OWNER)
		entered_below_owner = true;
	for (int any = CNAP_RANK_OUTSIDER; any < CNAP_RANK_SYSTEM && !is_present; any++)
	{
		LOCKTAG		tag = lock_tag(PRESENCE_CLASS, held, id, any);

		is_present = CnapLockHeldByMe(&tag, mode);
	}
	if (is_present)
		LockAcquire(&presence, mode, false, false);
	else
	{
		while (!pass_gates(held, id, rank, &presence, mode))
			wait_for_holders(&presence);
	}
}

void
CnapEnter(CnapHeld held, const pg_uuid_t *id, CnapRank rank)
{
	enter(held, id, rank, ShareLock);
}

void
CnapEnterAlone(CnapHeld held, const pg_uuid_t *id, CnapRank rank)
{
	enter(held, id, rank, ExclusiveLock);
}

void
CnapEnterFirst(CnapHeld held, const pg_uuid_t *id, CnapRank rank)
{
	LOCKTAG		gate = lock_tag(GATE_CLASS, held, id, rank);

	CnapEnter(held, id, rank);
	if (rank > CNAP_RANK_OUTSIDER)
		LockAcquire(&gate, ExclusiveLock, false, false);
	CnapEndLower(held, id, rank);
}

pg_uuid_t
CnapUserKey(const text *user)
{
	pg_uuid_t	key;
	uint64		hashes[2];

	for (int i = 0; i < 2; i++)
		hashes[i] = hash_bytes_extended((const unsigned char *) VARDATA_ANY(user),
										VARSIZE_ANY_EXHDR(user), i);
	memcpy(key.data, hashes, UUID_LEN);
	return key;
}

/* ---- transactions ---- */

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE && entered_below_owner)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot prepare a transaction that somebody with more rights may have to end"),
				 errdetail("Only owners can prepare changes of organizations and workspaces.")));
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE)
		entered_below_owner = false;
}

void
CnapPrecedenceInit(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}
