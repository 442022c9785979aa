/*-------------------------------------------------------------------------
 *
 * notifications.h
 *	  Notifications of changes, on the channel "cnap".
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_NOTIFICATIONS_H
#define CNAP_NOTIFICATIONS_H

extern void CnapNotifyInit(void);

/* Send a copy of the payload when the transaction commits. */
extern void CnapNotify(const char *payload);

#endif							/* CNAP_NOTIFICATIONS_H */
