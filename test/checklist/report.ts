import Table from 'cli-table3';

import { coverage, type Covered, LISTS } from './coverage.ts';

const NO_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

/** A list as a table of 100 columns: each item, how many tests of parts and of the whole show it, and where they are. */
function tableOf(covered: readonly Covered[]): string {
  const table = new Table({
    head: ['id', 'what holds, and where it is shown', 'unit', 'whole'],
    colWidths: [8, 74, 6, 7],
    chars: NO_LINES,
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { id, what, tests } of covered) {
    const whole = tests.filter((test) => test.whole).length;
    const files = [...new Set(tests.map(({ file }) => `  ${file}`))];
    table.push([id, [what, ...files].join('\n'), String(tests.length - whole), String(whole)]);
  }
  return table.toString();
}

/** What is shown by tests and what is not, as text, and the ids no test names. */
export function report(): { readonly text: string; readonly missing: readonly string[] } {
  const lists = LISTS.map(({ title, items }) => ({ title, covered: coverage(items) }));
  const parts = lists.map(({ title, covered }) => {
    const missing = missingIn(covered);
    const rest = missing.length === 0 ? '' : ` Missing: ${missing.join(' ')}`;
    const sum = `${covered.length - missing.length} of ${covered.length} are shown by tests.${rest}`;
    return `${title}\n${tableOf(covered)}\n${sum}\n`;
  });
  return { text: parts.join('\n'), missing: lists.flatMap(({ covered }) => missingIn(covered)) };
}

function missingIn(covered: readonly Covered[]): readonly string[] {
  return covered.filter(({ tests }) => tests.length === 0).map(({ id }) => id);
}
