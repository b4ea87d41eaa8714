import { readFileSync } from 'node:fs';

import { buildCatalog, show } from '@caloron/noether';
import { expect, it } from 'vitest';

import { catalog as library } from './index.ts';
import { PURE } from './pure.ts';

const document = readFileSync(new URL('../../../docs/standard-library.md', import.meta.url), 'utf8');
const section = document.split('<!-- computing -->')[1]?.split('<!-- /computing -->')[0] ?? '';

/** Cells of a row of a table; a `\|` parts nothing. */
function cells(row: string): readonly string[] {
  return row
    .split(/(?<!\\)\|/u)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

it('the document lists every stage that computes with what it takes, gives and does', () => {
  const catalog = buildCatalog(library.map(({ stage }) => ({ stage, archive: {}, ...stage })));
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;
  const expected = PURE.map(([name]) => {
    const { input, output, stage } = catalog.resolve(name);
    return [code(name), code(show(input)), code(show(output)), stage.description.replace(/\.$/u, '')];
  });

  const order = ([a = '']: readonly string[], [b = '']: readonly string[]): number => (a < b ? -1 : 1);

  expect(rows.map(cells).toSorted(order)).toEqual(expected.toSorted(order));
});
