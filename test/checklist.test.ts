import { describe, expect, it } from 'vitest';

import { coverage, LISTS, namedTests } from './checklist/coverage.ts';
import { FORGE_DEFECTS } from './checklist/forge-defects.ts';
import { report } from './checklist/report.ts';

const tests = namedTests();
const items = LISTS.flatMap((list) => list.items);

describe('the checklist', () => {
  it('names each item once', () => {
    expect(items.map(({ id }) => id)).toEqual([...new Set(items.map(({ id }) => id))]);
    expect(LISTS.map((list) => list.items.length)).toEqual([60, 16, FORGE_DEFECTS.length, 11, 32]);
  });

  it('has a test of a normal run for every item', () => {
    const missing = coverage(items, tests).filter((covered) => covered.tests.length === 0);

    expect(missing.map(({ id, what }) => `${id} ${what}`)).toEqual([]);
  });

  it('has an item for every id in the name of a test', () => {
    const known = new Set(items.map(({ id }) => id));
    const strange = tests.filter(({ ids }) => ids.some((id) => !known.has(id)));

    expect(strange.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
  });

  it('is printed in a hundred columns, with how many tests of parts and of the whole show each item', () => {
    const { text } = report();

    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
    const { whole, unit } = {
      whole: tests.filter((test) => test.runs && test.whole && test.ids.includes('G11')).length,
      unit: tests.filter((test) => test.runs && !test.whole && test.ids.includes('G11')).length,
    };
    expect(text).toMatch(new RegExp(`│ G11 +│ agents outlive.*│ ${unit} +│ ${whole} +│`));
  });
});
