/*-------------------------------------------------------------------------
 *
 * beat_worker.h
 *	  The background worker that renews the beat.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_BEAT_WORKER_H
#define CNAP_BEAT_WORKER_H

/* Define its settings, and register it where the library is preloaded. */
extern void CnapBeatWorkerInit(void);

#endif							/* CNAP_BEAT_WORKER_H */
