/*-------------------------------------------------------------------------
 *
 * beat.h
 *	  The beat of the origin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_BEAT_H
#define CNAP_BEAT_H

#include "datatype/timestamp.h"

/*
 * Renew the beat, or make the first one, in the current transaction.  Raises
 * 25006 (read_only_sql_transaction) where the access data is kept elsewhere.
 */
extern void CnapBeat(bool take_over);

#endif							/* CNAP_BEAT_H */
