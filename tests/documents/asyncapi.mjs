// Checks an AsyncAPI document with the official parser: `node asyncapi.mjs FILE`. Exits 1 if there is any error.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const file = process.argv[2];
const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'), { source: file });
const LEVELS = ['error', 'warning', 'information', 'hint'];
for (const { severity, code, message, path } of diagnostics) {
  console.log(`${LEVELS[severity]}: ${message} (${code}, at /${path.join('/')})`);
}
const errors = diagnostics.filter(({ severity }) => severity === 0).length;
if (errors > 0 || document === undefined) {
  console.log(`${file}: ${errors} errors`);
  process.exit(1);
}
const { length: messages } = document.allMessages().all();
console.log(`${file}: no errors; ${document.channels().all().length} channels, ${messages} messages`);
