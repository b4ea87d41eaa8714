import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { OperatorCase } from './testing/operator-case.ts';
import { originalFacts } from './testing/original-facts.ts';
import { difference } from './testing/same-facts.ts';

const { cases } = JSON.parse(
  readFileSync(new URL('../../../test/conformance/operator-cases.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly OperatorCase[] };

describe("the original's operator cases, its way", () => {
  it.each(cases.map((test) => [test.id, test.title, test] as const))('%s: %s', async (_id, _title, test) => {
    const facts = await originalFacts(test);

    const wanted = {
      ...(test.observed_check !== undefined && { check: test.observed_check }),
      ...test.expect,
    };
    const differences = Object.entries(wanted).flatMap(([field, value]) => {
      const found = difference(field, value, facts, test);
      return found === null ? [] : [`${field}: ${found}`];
    });
    expect(differences).toEqual([]);
  });

  it('are there', () => {
    expect(cases.length).toBeGreaterThan(100);
  });
});
