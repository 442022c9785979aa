-- spicedb.sql: a PostgreSQL datastore for SpiceDB 1.54, with the access data of the model
--
-- The package of the embedded library has no command that creates a datastore; the names and types
-- here are those that the library asks for, at the version of the datastore in alembic_version.

DROP SCHEMA IF EXISTS spicedb CASCADE;
CREATE SCHEMA spicedb;
SET search_path = spicedb;

CREATE TABLE alembic_version (version_num varchar NOT NULL);
INSERT INTO alembic_version VALUES ('populate-schema-tables');

CREATE TABLE metadata (unique_id varchar PRIMARY KEY);
INSERT INTO metadata VALUES (gen_random_uuid());

CREATE TABLE relation_tuple_transaction (
	xid xid8 NOT NULL DEFAULT pg_current_xact_id() CONSTRAINT pk_rttx PRIMARY KEY,
	timestamp timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
	snapshot pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
	metadata jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ix_relation_tuple_transaction_by_timestamp ON relation_tuple_transaction (timestamp);
CREATE INDEX ix_relation_tuple_transaction_xid_desc_timestamp
	ON relation_tuple_transaction (xid DESC, timestamp);

-- Everything else is kept from one transaction until another.
CREATE TABLE lifetime (
	created_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	deleted_xid xid8 NOT NULL DEFAULT '9223372036854775807'
);

CREATE TABLE relation_tuple (
	namespace varchar NOT NULL,
	object_id varchar NOT NULL,
	relation varchar NOT NULL,
	userset_namespace varchar NOT NULL,
	userset_object_id varchar NOT NULL,
	userset_relation varchar NOT NULL,
	caveat_name varchar,
	caveat_context jsonb,
	expiration timestamptz,
	LIKE lifetime INCLUDING DEFAULTS,
	CONSTRAINT pk_relation_tuple PRIMARY KEY (namespace, object_id, relation, userset_namespace,
		userset_object_id, userset_relation, created_xid, deleted_xid),
	CONSTRAINT uq_relation_tuple_living_xid UNIQUE (namespace, object_id, relation,
		userset_namespace, userset_object_id, userset_relation, deleted_xid)
);
CREATE INDEX ix_relation_tuple_by_subject ON relation_tuple
	(userset_object_id, userset_namespace, userset_relation, namespace, relation);
CREATE INDEX ix_relation_tuple_by_subject_relation ON relation_tuple
	(userset_namespace, userset_relation, namespace, relation);
CREATE INDEX ix_relation_tuple_alive_by_resource_rel_subject_covering ON relation_tuple
	(namespace, relation, userset_namespace)
	INCLUDE (userset_object_id, userset_relation, caveat_name, caveat_context)
	WHERE deleted_xid = '9223372036854775807'::xid8;
CREATE INDEX ix_watch_api_index ON relation_tuple (created_xid);
CREATE INDEX ix_relation_tuple_expired ON relation_tuple (expiration) WHERE expiration IS NOT NULL;
CREATE INDEX ix_gc_index ON relation_tuple (deleted_xid DESC)
	WHERE deleted_xid < '9223372036854775807'::xid8;

CREATE TABLE namespace_config (
	namespace varchar NOT NULL,
	serialized_config bytea NOT NULL,
	LIKE lifetime INCLUDING DEFAULTS,
	CONSTRAINT pk_namespace_config PRIMARY KEY (namespace, created_xid, deleted_xid),
	CONSTRAINT uq_namespace_living_xid UNIQUE (namespace, deleted_xid)
);

CREATE TABLE caveat (
	name varchar NOT NULL,
	definition bytea NOT NULL,
	LIKE lifetime INCLUDING DEFAULTS,
	CONSTRAINT pk_caveat_v2 PRIMARY KEY (name, deleted_xid),
	CONSTRAINT uq_caveat_v2 UNIQUE (name, created_xid, deleted_xid)
);

CREATE TABLE relationship_counter (
	name varchar NOT NULL CONSTRAINT pk_relationship_counter PRIMARY KEY,
	serialized_filter bytea NOT NULL,
	current_count bigint NOT NULL DEFAULT 0,
	updated_revision_snapshot pg_snapshot,
	LIKE lifetime INCLUDING DEFAULTS,
	CONSTRAINT uq_relationship_counter_living UNIQUE (name, deleted_xid)
);

CREATE TABLE schema (
	name varchar NOT NULL,
	chunk_index int NOT NULL,
	chunk_data bytea NOT NULL,
	LIKE lifetime INCLUDING DEFAULTS,
	CONSTRAINT pk_schema PRIMARY KEY (name, chunk_index, created_xid)
);
CREATE TABLE schema_revision (
	name varchar NOT NULL DEFAULT 'current',
	hash bytea NOT NULL,
	LIKE lifetime INCLUDING DEFAULTS,
	CONSTRAINT pk_schema_revision PRIMARY KEY (name, created_xid)
);
DROP TABLE lifetime;

-- ---- the relationships that count now ----

BEGIN;
INSERT INTO relation_tuple_transaction DEFAULT VALUES;
INSERT INTO relation_tuple (namespace, object_id, relation, userset_namespace, userset_object_id,
	userset_relation)
SELECT 'workspace', id, 'owner', 'user', owner_id, '...' FROM alt.workspace
UNION ALL
SELECT 'workspace', workspace_id, 'member', 'user', user_id, '...' FROM alt.workspace_member
UNION ALL
SELECT 'workspace', id, 'managed_by', 'organization', managed_by::text, '...' FROM alt.workspace
WHERE managed_by IS NOT NULL AND (managed_until IS NULL OR managed_until > now())
UNION ALL
SELECT 'organization', organization_id, 'member', 'user', user_id, '...' FROM alt.organization_member;
COMMIT;
VACUUM (ANALYZE) relation_tuple, relation_tuple_transaction;
