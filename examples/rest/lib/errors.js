/*
 * errors.js: which HTTP status an error has
 *
 * What the extension says is meant for the user, so is passed on. What PostgreSQL says about its own
 * affairs can name tables and columns, so is logged, and the client told only what it can do.
 */
'use strict';

// By SQLSTATE, or by its class: the status, and the message if not the database's own.
const STATUS = {
	22: [400],
	22023: [400],
	23001: [409],
	23503: [409, 'other data still refers to it'],
	23505: [409],
	23514: [400, 'a value is not allowed'],
	25006: [409],
	28000: [401],
	42501: [403],
	42704: [404],
	55000: [409],
	'08': [503, 'the database is not available'],
	40: [503, 'somebody else was changing the same: try again'],
	53: [503, 'the database is not available'],
	57: [503, 'the database is not available'],
};

// What has the same SQLSTATE, but is no fault of the client's
const NOT_NOW = [/^access data is stale/];
const OURS = [/^an access token cannot be signed in/, /^there cannot be two current users/];

const CODES = {
	400: 'bad_request',
	401: 'unauthorized',
	403: 'forbidden',
	404: 'not_found',
	405: 'method_not_allowed',
	409: 'conflict',
	413: 'payload_too_large',
	415: 'unsupported_media_type',
	500: 'internal_error',
	503: 'unavailable',
};

class HttpError extends Error {
	constructor(status, message, options) {
		super(message, options);
		this.status = status;
	}
}

// What body-parser and the router say about a request that they cannot read
const READING = {
	'entity.too.large': 'the body is too large',
	'encoding.unsupported': 'the body must not be compressed',
	'charset.unsupported': 'the body must be in UTF-8',
	'request.aborted': 'the body is incomplete',
	'request.size.invalid': 'the body is incomplete',
};

function statusOfDatabase({ code, message }) {
	if (NOT_NOW.some((text) => text.test(message))) return [503];
	if (OURS.some((text) => text.test(message))) return [500];
	return STATUS[code] ?? STATUS[code.slice(0, 2)] ?? [500];
}

// -> the status, the message for the client, and a detail and a hint if there are any
function describe(error) {
	if (error instanceof HttpError) return { status: error.status, message: error.message };
	if (/^[0-9A-Z]{5}$/.test(error.code) && error.severity !== undefined) {
		const [status, message] = statusOfDatabase(error);
		const { code: sqlstate, detail, hint } = error;

		if (status !== 500)
			return message === undefined
				? { status, message: error.message, sqlstate, detail, hint }
				: { status, message, sqlstate };
	} else if (error.type in READING) {
		return { status: error.status, message: READING[error.type] };
	} else if (error instanceof URIError || error.status === 400) {
		return { status: 400, message: 'the URL is malformed' };
	} else if (/^Connection terminated/.test(error.message)) {
		// node-postgres, about a server that has gone away
		return { status: 503, message: 'the database is not available' };
	}
	return { status: 500, message: 'internal error' };
}

module.exports = { CODES, HttpError, describe };
