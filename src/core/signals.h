/*-------------------------------------------------------------------------
 *
 * signals.h
 *	  How a session learns that access data changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_SIGNALS_H
#define CNAP_SIGNALS_H

/* Register the callback that counts what others announce. */
extern void CnapSignalsInit(void);

#endif							/* CNAP_SIGNALS_H */
