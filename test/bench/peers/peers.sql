-- peers.sql: ways to keep the same access data in PostgreSQL, written after the designs of others
--
-- array: the policy that guides for row-level security end with, a set from a SECURITY DEFINER
--     function that is computed once for a query, on the tables of the model
-- account: one row for each user and account, as account starters keep them; a function checks one
--     account, another lists them. The design knows no organization that manages accounts of others,
--     so its rows are copies: whoever joins an organization is added to each of its workspaces
-- claims: the same rows, copied by triggers into one JSON document for each user, which a check
--     reads like the claims of a token
--
-- Changes are made by join_organization and leave_organization of each.

DROP SCHEMA IF EXISTS peer CASCADE;
CREATE SCHEMA peer;

-- ---- array ----

CREATE FUNCTION peer.array_list(who text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT w.id FROM alt.workspace w WHERE w.owner_id = who
	UNION
	SELECT m.workspace_id FROM alt.workspace_member m WHERE m.user_id = who
	UNION
	SELECT w.id
	FROM alt.workspace w JOIN alt.organization_member o ON o.organization_id = w.managed_by
	WHERE o.user_id = who AND (w.managed_until IS NULL OR w.managed_until > now())
$$;

CREATE FUNCTION peer.array_check(who text, workspace uuid) RETURNS boolean
LANGUAGE sql STABLE
RETURN workspace = ANY (ARRAY(SELECT peer.array_list(who)));

CREATE FUNCTION peer.array_join(organization uuid, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO alt.organization_member (organization_id, user_id) VALUES (organization, who);
END;

CREATE FUNCTION peer.array_leave(organization uuid, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM alt.organization_member WHERE organization_id = organization AND user_id = who;
END;

-- ---- account ----

CREATE TABLE peer.account_user (
	user_id text COLLATE "C" NOT NULL,
	account_id uuid NOT NULL,
	role text NOT NULL,
	PRIMARY KEY (user_id, account_id)
);
INSERT INTO peer.account_user
SELECT owner_id, id, 'owner' FROM alt.workspace
ON CONFLICT DO NOTHING;
INSERT INTO peer.account_user
SELECT user_id, workspace_id, 'member' FROM alt.workspace_member
ON CONFLICT DO NOTHING;
INSERT INTO peer.account_user
SELECT o.user_id, w.id, 'member'
FROM alt.workspace w JOIN alt.organization_member o ON o.organization_id = w.managed_by
WHERE w.managed_until IS NULL OR w.managed_until > now()
ON CONFLICT DO NOTHING;
CREATE INDEX ON peer.account_user (account_id);

CREATE FUNCTION peer.account_check(who text, account uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM peer.account_user u WHERE u.user_id = who AND u.account_id = account);
END
$$;

CREATE FUNCTION peer.account_list(who text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT u.account_id FROM peer.account_user u WHERE u.user_id = who $$;

CREATE FUNCTION peer.account_join(organization uuid, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO peer.account_user
	SELECT who, w.id, 'member' FROM alt.workspace w WHERE w.managed_by = organization
	ON CONFLICT DO NOTHING;
END;

CREATE FUNCTION peer.account_leave(organization uuid, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM peer.account_user
	WHERE user_id = who AND account_id IN (SELECT id FROM alt.workspace WHERE managed_by = organization);
END;

-- ---- claims ----

CREATE TABLE peer.person (id text COLLATE "C" PRIMARY KEY, groups jsonb NOT NULL DEFAULT '{}');
INSERT INTO peer.person
SELECT user_id, jsonb_object_agg(account_id, jsonb_build_array(role)) FROM peer.account_user GROUP BY user_id;

CREATE TABLE peer.group_user (LIKE peer.account_user INCLUDING ALL);
INSERT INTO peer.group_user TABLE peer.account_user;

CREATE FUNCTION peer.copy_groups() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO peer.person AS p (id, groups)
		SELECT user_id, jsonb_object_agg(account_id, jsonb_build_array(role)) FROM changed GROUP BY user_id
		ON CONFLICT (id) DO UPDATE SET groups = p.groups || excluded.groups;
	ELSE
		UPDATE peer.person p SET groups = p.groups - c.accounts
		FROM (SELECT user_id, array_agg(account_id::text) AS accounts FROM changed GROUP BY user_id) c
		WHERE p.id = c.user_id;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER copy_insert AFTER INSERT ON peer.group_user
	REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION peer.copy_groups();
CREATE TRIGGER copy_delete AFTER DELETE ON peer.group_user
	REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION peer.copy_groups();

CREATE FUNCTION peer.claims_check(who text, workspace uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce((SELECT p.groups ? workspace::text FROM peer.person p WHERE p.id = who), false) $$;

CREATE FUNCTION peer.claims_list(who text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT jsonb_object_keys(p.groups)::uuid FROM peer.person p WHERE p.id = who $$;

CREATE FUNCTION peer.claims_join(organization uuid, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO peer.group_user
	SELECT who, w.id, 'member' FROM alt.workspace w WHERE w.managed_by = organization
	ON CONFLICT DO NOTHING;
END;

CREATE FUNCTION peer.claims_leave(organization uuid, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM peer.group_user
	WHERE user_id = who AND account_id IN (SELECT id FROM alt.workspace WHERE managed_by = organization);
END;

VACUUM (ANALYZE) peer.account_user, peer.group_user, peer.person;
