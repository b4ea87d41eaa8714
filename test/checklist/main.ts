import Table from 'cli-table3';

import { coverage } from './coverage.ts';

const covered = coverage();
const table = new Table({
  head: ['id', 'what holds', 'unit', 'whole', 'shown by'],
  colWidths: [5, 60, 6, 7, 62],
  wordWrap: true,
  style: { head: [], border: [] },
});
for (const { id, what, tests } of covered) {
  const whole = tests.filter(({ file }) => file.startsWith('test/'));
  const shown = [...new Set(tests.map(({ file }) => file))].join('\n');
  table.push([id, what, String(tests.length - whole.length), String(whole.length), shown]);
}
const missing = covered.filter(({ tests }) => tests.length === 0).map(({ id }) => id);
process.stdout.write(`${table.toString()}\n`);
process.stdout.write(`${covered.length - missing.length} of ${covered.length} items are shown by tests.`);
process.stdout.write(missing.length === 0 ? '\n' : ` Missing: ${missing.join(' ')}\n`);
process.exitCode = missing.length === 0 ? 0 : 1;
