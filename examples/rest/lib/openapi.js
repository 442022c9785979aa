/*
 * openapi.js: describes the requests in the format OpenAPI 3.1
 */
'use strict';

const v1 = require('./operations.js');
const { schemas } = require('./schemas.js');
const organization = require('./organization.js');

const reference = (schema) => ({ $ref: `#/components/schemas/${schema}` });
const content = (schema) => ({ 'application/json': { schema } });

function pageOf(schema) {
	return {
		type: 'object',
		properties: {
			data: { type: 'array', items: reference(schema) },
			pagination: reference('Pagination'),
		},
		required: ['data', 'pagination'],
		additionalProperties: false,
	};
}

// The schema of what an operation answers; undefined if it answers nothing
function answerOf({ schema, answer, list }) {
	if (schema !== undefined) return schema;
	if (list !== undefined) return pageOf(list);
	return answer && reference(answer);
}

function parametersOf({ path, query, required }) {
	return [
		...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
			name,
			in: 'path',
			required: true,
			schema: { type: 'string', format: 'uuid' },
		})),
		...Object.entries(query).map(([name, schema]) => ({
			name,
			in: 'query',
			required: required.includes(name),
			schema,
		})),
	];
}

// The schema of a query or a body
function inputOf(properties, required) {
	return {
		type: 'object',
		properties,
		required: required.filter((name) => name in properties),
		additionalProperties: false,
	};
}

function describe(operation, error) {
	const { id, summary, body, required, status } = operation;
	const answer = answerOf(operation);

	return {
		operationId: id,
		summary,
		parameters: parametersOf(operation),
		...(body && {
			requestBody: {
				required: required.some((name) => name in body),
				content: content(inputOf(body, required)),
			},
		}),
		responses: {
			[answer ? status : 204]: {
				description: 'What was asked for, or done',
				...(answer && { content: content(answer) }),
			},
			default: { description: 'What went wrong', content: content(reference(error)) },
		},
	};
}

function pathsOf(operations, error, security) {
	const paths = {};

	for (const operation of operations) {
		paths[operation.path] ??= {};
		paths[operation.path][operation.method] = { ...describe(operation, error), security };
	}
	return paths;
}

const document = {
	openapi: '3.1.0',
	info: {
		title: 'Organizations and workspaces',
		version: '1.0.0',
		description: 'The requests that examples/rest of cnap_org serves.',
		license: { name: 'PostgreSQL License', identifier: 'PostgreSQL' },
	},
	paths: {
		...pathsOf(v1.operations, 'Error', [{ bearer: [] }]),
		...pathsOf(organization.operations, 'OrganizationError', [{ key: [] }]),
	},
	components: {
		schemas: { ...schemas, ...organization.schemas },
		securitySchemes: {
			bearer: { type: 'http', scheme: 'bearer', description: 'an access token: `cnap_pat_…`' },
			key: {
				type: 'apiKey',
				in: 'header',
				name: 'authorization',
				description: 'the access token alone',
			},
		},
	},
};

module.exports = { document, inputOf };
