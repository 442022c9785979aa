/*
 * app.js: the server without its socket: requests to operations, operations to answers
 *
 * Identity is in the header of each request and nowhere else: there are no cookies, so no other site
 * can make a browser send a request with it, whatever its content type. That is why a body is taken
 * for JSON whether or not the client says so, as curl -d does not.
 */
'use strict';

const path = require('node:path');

const Ajv = require('ajv/dist/2020');
const express = require('express');

const { CODES, HttpError, describe } = require('./errors.js');
const { document, inputOf } = require('./openapi.js');
const organization = require('./organization.js');
const v1 = require('./operations.js');

// metadata has up to 64 kB, and JSON can escape each character
const LIMIT = '512kb';

const HEADERS = {
	'Content-Security-Policy': [
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self'",
		"connect-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	].join('; '),
	'Cross-Origin-Opener-Policy': 'same-origin',
	'Cross-Origin-Resource-Policy': 'same-origin',
	'Referrer-Policy': 'no-referrer',
	'X-Content-Type-Options': 'nosniff',
};

// ---- what a request says ----

const bodies = new Ajv({ strict: false, validateFormats: false });
// what a query says is text, and what it leaves out may have a default
const queries = new Ajv({ strict: false, validateFormats: false, coerceTypes: true, useDefaults: true });

function complaint({ keyword, instancePath, params, message }) {
	const where = instancePath.slice(1).replaceAll('/', '.');

	if (keyword === 'required') return `${params.missingProperty} is required`;
	if (keyword === 'additionalProperties') return `there is no parameter "${params.additionalProperty}"`;
	return `${where || 'the body'} ${message}`;
}

function checker(ajv, properties, required) {
	const valid = ajv.compile(inputOf(properties, required));

	return (value) => {
		if (!valid(value)) throw new HttpError(400, complaint(valid.errors[0]));
		return value;
	};
}

function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		throw new HttpError(400, 'the body is no valid JSON');
	}
}

// The token in the header: Authorization: Bearer TOKEN, or the token alone
function tokenOf(request) {
	const [, token] = /^(?:bearer +)?(\S+)$/i.exec(request.get('authorization') ?? '') ?? [];

	if (token === undefined) throw new HttpError(401, 'invalid API key');
	return token;
}

// ---- answers ----

function handler(database, operation) {
	const { query, body, required, status, run } = operation;
	const checkQuery = checker(queries, query, required);
	const checkBody = body && checker(bodies, body, required);

	return async (request, response) => {
		const token = tokenOf(request);
		const args = { ...checkQuery({ ...request.query }) };
		if (checkBody) Object.assign(args, checkBody(request.body ? parse(request.body) : {}));
		Object.assign(args, request.params);

		const answer = await database.asOwnerOf(token, (db) => run(db, args));
		if (operation.answer || operation.list || operation.schema) response.status(status).json(answer);
		else response.status(204).end();
	};
}

function routes(app, database, operations) {
	const readBody = express.text({ type: () => true, limit: LIMIT, inflate: false });
	const methods = new Map();

	for (const operation of operations) {
		const pattern = operation.path.replace(/\{(\w+)\}/g, ':$1');

		app[operation.method](pattern, ...(operation.body ? [readBody] : []), handler(database, operation));
		methods.set(pattern, [...(methods.get(pattern) ?? []), operation.method.toUpperCase()]);
	}
	for (const [pattern, allowed] of methods)
		app.all(pattern, (request, response) => {
			response.set('Allow', allowed.join(', '));
			throw new HttpError(405, `${request.method} is not possible here`);
		});
}

// A sentence begins with a capital letter, unless with a name such as orgId.
const capitalized = (text) =>
	text.replace(/^[a-z]+(?![\w])/, (word) => word.charAt(0).toUpperCase() + word.slice(1));

// Express knows it by its four parameters
function fail(error, request, response, _next) {
	const { status, message, sqlstate, detail, hint } = describe(error);

	if (status >= 500)
		process.stderr.write(`${request.method} ${request.path}: ${(error.cause ?? error).stack}\n`);
	if (status === 401) response.set('WWW-Authenticate', 'Bearer');
	if (status === 503) response.set('Retry-After', '1');
	// what is left of a body that was not read
	if (status === 413) response.set('Connection', 'close');
	response
		.status(status)
		.json(
			request.path === organization.PATH || request.path.startsWith(`${organization.PATH}/`)
				? { error: capitalized(message), status: 'KO' }
				: { error: { code: CODES[status], message, sqlstate, detail, hint } },
		);
}

function createApp(database) {
	const app = express();

	app.disable('x-powered-by');
	app.disable('etag');
	app.enable('case sensitive routing');
	app.set('query parser', 'simple');
	app.use((request, response, next) => {
		response.set(HEADERS);
		next();
	});
	app.use(express.static(path.join(__dirname, '../public')));
	app.use((request, response, next) => {
		response.set('Cache-Control', 'no-store');
		next();
	});
	app.get('/v1/openapi.json', (request, response) => response.json(document));
	routes(app, database, v1.operations);
	routes(app, database, organization.operations);
	app.use((request) => {
		throw new HttpError(404, `there is no ${request.path}`);
	});
	app.use(fail);
	return app;
}

module.exports = { createApp };
