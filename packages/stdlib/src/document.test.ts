import { readFileSync } from 'node:fs';

import { buildCatalog, show } from '@caloron/noether';
import { expect, it } from 'vitest';

import { EFFECTFUL } from './effectful.ts';
import { catalog as library } from './index.ts';
import { PURE } from './pure.ts';

const document = readFileSync(new URL('../../../docs/standard-library.md', import.meta.url), 'utf8');
const catalog = buildCatalog(library.map(({ stage }) => ({ ...stage, stage, archive: {} })));

/** The tables between two marks of the document. */
function rowsBetween(mark: string): readonly (readonly string[])[] {
  const section = document.split(`<!-- ${mark} -->`)[1]?.split(`<!-- /${mark} -->`)[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map(cells);
}

/** Cells of a row of a table; a `\|` parts nothing. */
function cells(row: string): readonly string[] {
  return row
    .split(/(?<!\\)\|/u)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;
const order = ([a = '']: readonly string[], [b = '']: readonly string[]): number => (a < b ? -1 : 1);
const sentence = (text: string): string => text.replace(/\.$/u, '');

it('the document lists every stage that computes with what it takes, gives and does', () => {
  const expected = PURE.map(([name]) => {
    const { input, output, stage } = catalog.resolve(name);
    return [code(name), code(show(input)), code(show(output)), sentence(stage.description)];
  });

  expect(rowsBetween('computing').toSorted(order)).toEqual(expected.toSorted(order));
});

it('the document lists every stage that reaches outside with its effects and capabilities too', () => {
  const expected = EFFECTFUL.map(([name]) => {
    const { input, output, effective_effects, stage } = catalog.resolve(name);
    const effects = effective_effects.map(({ effect, ...payload }) =>
      [effect, ...Object.values(payload).map((value) => `(${value})`)].join(''),
    );
    const capabilities = stage.capabilities.map(code).join(', ');
    const types = [code(show(input)), code(show(output))];
    return [code(name), ...types, effects.join(', '), capabilities || '–', sentence(stage.description)];
  });

  expect(rowsBetween('effectful').toSorted(order)).toEqual(expected.toSorted(order));
});
