/*
 * The beat of the database that keeps the access data, and where it stood in
 * the write-ahead log (src/core/freshness.c, src/fleet/beat.c).
 */
CREATE TABLE cnap.beat (
	only_one boolean NOT NULL DEFAULT true
		CONSTRAINT beat_pkey PRIMARY KEY
		CONSTRAINT beat_only_one CHECK (only_one),
	origin text NOT NULL
		CONSTRAINT beat_origin_short CHECK (octet_length(origin) < 64),
	at timestamptz NOT NULL,
	"position" pg_lsn NOT NULL,
	restored boolean NOT NULL DEFAULT false,
	version text
		CONSTRAINT beat_version_short CHECK (octet_length(version) < 64)
);
COMMENT ON TABLE cnap.beat IS
'until when this database''s access data is known to be complete, and which database keeps it; no row: this one, and none follows';
COMMENT ON COLUMN cnap.beat.origin IS 'the identifier of the server and the OID of the database that keep the access data';
COMMENT ON COLUMN cnap.beat.at IS 'whatever had been committed there at this time is here';
COMMENT ON COLUMN cnap.beat."position" IS 'the position in the origin''s write-ahead log at that time';
COMMENT ON COLUMN cnap.beat.restored IS 'the row came with a copy of the data, or while one was being made, so it proves nothing';
COMMENT ON COLUMN cnap.beat.version IS 'the version of the extension in the origin''s database';

CREATE TABLE cnap.beat_trail (
	slot integer CONSTRAINT beat_trail_pkey PRIMARY KEY
		CONSTRAINT beat_trail_slots CHECK (slot BETWEEN 0 AND 63),
	at timestamptz NOT NULL,
	"position" pg_lsn NOT NULL
);
COMMENT ON TABLE cnap.beat_trail IS
'the last beats of this database, by which the age of what a follower has applied is found';

SELECT pg_extension_config_dump('cnap.beat', '');
