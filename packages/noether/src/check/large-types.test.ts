import { expect, it } from 'vitest';

import { parseGraph } from '../graph/parse.ts';
import type { Json } from '../ports.ts';
import { buildCatalog } from '../stage/catalog.ts';
import { checkGraph } from './check.ts';
import type { CheckReport } from './problem.ts';

const catalog = buildCatalog([]);

function check(stages: readonly Json[]): CheckReport {
  const root = { op: 'Sequential', stages };
  return checkGraph(parseGraph({ description: '', version: '', root }, 'g'), catalog);
}

/** A record of a value twice, so often. */
function doubled(times: number): Json[] {
  const twice = { op: 'Project', fields: { l: { path: '' }, r: { path: '' } } };
  return [{ op: 'Const', value: 1 }, ...Array.from({ length: times }, () => twice)];
}

/** A field of the innermost record and one it has not. */
const inside = (depth: number, last: string): Json => ({
  op: 'RemoteStage',
  url: 'http://localhost',
  input: Array.from({ length: depth }).reduce<Json>((type) => ({ kind: 'Record', value: { l: type } }), {
    kind: last,
  }),
  output: { kind: 'Null' },
});

it('a type many parts share is followed while it can be, and shown at a length people read', () => {
  const fits = check([...doubled(14), inside(14, 'Number')]);
  const wrong = check([...doubled(14), inside(14, 'Text')]);

  expect(fits.problems).toEqual([]);
  expect(wrong.problems.map(({ message }) => message)).toEqual([
    expect.stringContaining('expected Text, got Number'),
  ]);
  expect(check(doubled(14)).output).toMatch(/^Record \{ l: .*<…>/u);
});

it.each([30, 400])('a type doubled %i times is not followed to its end, and told of', (times) => {
  const report = check(doubled(times));

  expect(report.problems).toEqual([]);
  expect(report.warnings).toContainEqual(
    expect.stringMatching(/^root\.stages\[\d+\]: the type of its output is too large to follow/u),
  );
  expect(report.output.length).toBeLessThan(1_000_000);
  expect(report.edges).toHaveLength(times + 1);
});
