/*
 * What existed before this script: nothing.
 */
CREATE TABLE cnap.present_before (classid oid, objid oid);
