/*
 * browser.js: Chromium, for the tests of pages
 *
 * open() starts it; person(URL) is a new profile with a page at the URL, and what can be done there.
 * Waiting is done from here, since the page's policy does not let a script make others.
 */
'use strict';

const puppeteer = require('puppeteer-core');

const { atExit } = require('../../clients/lib/tap.js');

const PATIENCE = 60_000;

// -> what look() returns, as soon as that is true; what() says what there was instead
async function until(look, what) {
	const end = Date.now() + PATIENCE;

	for (;;) {
		const found = await look();
		if (found) return found;
		if (Date.now() > end) throw new Error(typeof what === 'function' ? await what() : `no ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

class Person {
	constructor(page) {
		this.page = page;
		this.complaints = [];
		page.on('console', (message) => {
			if (['error', 'warn'].includes(message.type())) this.complaints.push(message.text());
		});
		page.on('pageerror', (error) => this.complaints.push(error.message));
		page.on('dialog', (dialog) => {
			this.complaints.push(`dialog: ${dialog.message()}`);
			dialog.dismiss();
		});
	}

	// The text of what matches a selector, with blanks as they are seen
	text(selector) {
		return this.page.evaluate(
			(wanted) => document.querySelector(wanted)?.innerText.replace(/\s+/g, ' ').trim(),
			selector,
		);
	}

	texts(selector) {
		return this.page.evaluate(
			(wanted) =>
				[...document.querySelectorAll(wanted)].map((one) =>
					one.textContent.replace(/\s+/g, ' ').trim(),
				),
			selector,
		);
	}

	// Waits until the page's heading is the text
	async heading(wanted) {
		await until(
			async () => (await this.text('h1')) === wanted,
			async () => `no heading "${wanted}", but "${await this.text('h1')}"`,
		);
	}

	async says(selector, wanted) {
		await until(
			async () => (await this.texts(selector)).some((text) => text.includes(wanted)),
			async () => `no "${wanted}" in ${selector}: ${await this.texts(selector)}`,
		);
	}

	// The element of a role with an accessible name
	find(role, name) {
		return until(() => this.page.$(`::-p-aria([name="${name}"][role="${role}"])`), `${role} "${name}"`);
	}

	async has(role, name) {
		return (await this.page.$(`::-p-aria([name="${name}"][role="${role}"])`)) !== null;
	}

	async click(role, name) {
		await (await this.find(role, name)).evaluate((element) => element.click());
	}

	async fill(form, values) {
		const element = await this.find('form', form);

		for (const [name, value] of Object.entries(values)) {
			const control = await element.$(`[name="${name}"]`);
			await control.evaluate((input, text) => {
				input.value = text;
			}, value);
		}
		await element.$eval('button[type=submit]', (button) => button.click());
	}

	async go(hash) {
		await this.page.evaluate((wanted) => {
			location.hash = wanted;
		}, hash);
	}
}

async function open() {
	const browser = await puppeteer.launch({
		executablePath: '/usr/bin/chromium',
		headless: true,
		// in containers there is mostly no other way
		args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-extensions'],
	});
	atExit(() => browser.process()?.kill('SIGKILL'));

	return {
		close: () => browser.close(),
		person: async (url) => {
			const context = await browser.createBrowserContext();
			const page = await context.newPage();
			const person = new Person(page);

			await page.setViewport({ width: 1200, height: 900 });
			await page.goto(url);
			return person;
		},
	};
}

module.exports = { open, until };
