/*
 * What each update ends with, before the pieces of the install script that follow:
 * the list of privileges is replaced, and so is the record of what was made.
 */
DROP FUNCTION cnap.privileges();
DELETE FROM cnap.made;

