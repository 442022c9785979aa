/*-------------------------------------------------------------------------
 *
 * statistics.h
 *	  What all sessions of the server have asked, and what it cost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_STATISTICS_H
#define CNAP_STATISTICS_H

extern void CnapStatisticsInit(void);

#endif							/* CNAP_STATISTICS_H */
