/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  What a long command of ours is doing, for those who look on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PROGRESS_H
#define CNAP_PROGRESS_H

/* What follows, until the next call or the end of the command, is one of so many parts. */
extern void CnapProgressPart(int part, int parts);

/* Show a statement of ours in place of the command that executes it. */
extern void CnapProgress(const char *statement);

/* Show the command again. */
extern void CnapProgressEnd(void);

#endif							/* CNAP_PROGRESS_H */
