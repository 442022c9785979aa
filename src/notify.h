/*-------------------------------------------------------------------------
 *
 * notify.h
 *	  Notifications of changes, on the channel "cnap".
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_NOTIFY_H
#define CNAP_NOTIFY_H

extern void CnapNotifyInit(void);

/* Send a copy of the payload when the transaction commits. */
extern void CnapNotify(const char *payload);

#endif							/* CNAP_NOTIFY_H */
