import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { canonicalJson, sha256Hex } from './canonical.ts';
import { type EffectJson, signatureId, stageId } from './stage/identity.ts';
import type { Facts, OperatorCase } from './testing/operator-case.ts';
import { originalFacts } from './testing/original-facts.ts';
import { ourFacts } from './testing/our-facts.ts';
import { FIXES, fixesFor, isDecided } from './testing/our-fixes.ts';
import { difference } from './testing/same-facts.ts';
import { childTypes } from './types/children.ts';
import type { NType } from './types/ntype.ts';
import { show } from './types/show.ts';
import { mismatch } from './types/subtype.ts';

function load<T>(name: string): T {
  return JSON.parse(
    readFileSync(new URL(`../../../test/conformance/${name}.json`, import.meta.url), 'utf8'),
  ) as T;
}

/** What was recorded of the original, and what its rules say beyond that, written by us. */
const cases = ['operator-cases', 'operator-more'].flatMap(
  (name) => load<{ readonly cases: readonly OperatorCase[] }>(name).cases,
);
const titled = cases.map((test) => [test.id, test.title, test] as const);

/** What differs, a line per field. */
function differences(test: OperatorCase, wanted: Facts, found: Facts, whose: 'original' | 'ours'): string[] {
  return Object.entries(wanted).flatMap(([field, value]) => {
    const found_ = difference(field, value, found, test, whose);
    return found_ === null ? [] : [`${field}: ${found_}`];
  });
}

describe("the original's operator cases, its way", () => {
  it.each(titled)('%s: %s', async (_id, _title, test) => {
    const observed = test.observed_check === undefined ? {} : { check: test.observed_check };

    expect(differences(test, { ...observed, ...test.expect }, await originalFacts(test), 'original')).toEqual(
      [],
    );
  });
});

/** Id of a case → `same`, or what we do otherwise and the fix it falls under. Cases without an entry are the same. */
const OURS = {
  ...load<Readonly<Record<string, unknown>>>('operator-ours'),
  ...load<Readonly<Record<string, unknown>>>('operator-more-ours'),
};

describe("the original's operator cases, our way", () => {
  it.each(titled)('%s: %s', async (id, _title, test) => {
    const facts = await ourFacts(test);
    const other = Object.entries(test.expect)
      .filter(([field, value]) => difference(field, value, facts, test, 'ours') !== null)
      .map(([field]) => field);
    const entry = OURS[id];

    // What is recorded of us holds; a case nobody recorded may differ only where a fix touches it.
    if (isDecided(entry)) {
      expect(differences(test, entry.expect, facts, 'ours')).toEqual([]);
      expect(other).not.toEqual([]);
      expect(fixesFor(test, other[0] ?? '').map(({ fix }) => fix)).toContain(entry.why);
    } else if (entry !== undefined) expect([entry, other]).toEqual(['same', []]);
    const unexplained = other.filter((field) => fixesFor(test, field).length === 0);
    expect(differences(test, pick(test.expect, unexplained), facts, 'ours')).toEqual([]);
  });

  it('record no case that does not exist, and no reason the design does not give', () => {
    const known = cases.map(({ id }) => id);
    const fixes = FIXES.map(({ fix }) => fix);
    const entries = Object.entries(OURS);

    expect(entries.map(([id]) => id).filter((id) => !known.includes(id))).toEqual([]);
    expect(
      entries.filter(([, entry]) => entry !== 'same' && !(isDecided(entry) && fixes.includes(entry.why))),
    ).toEqual([]);
  });

  it('each of the recorded files has what it is to have', () => {
    expect(cases.length).toBeGreaterThan(100);
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    expect(cases.filter(({ expect: wanted }) => Object.keys(wanted).length === 0)).toEqual([]);
  });
});

function pick(facts: Facts, fields: readonly string[]): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([field]) => fields.includes(field)));
}

interface SubtypeCase {
  readonly id: string;
  readonly sub: NType;
  readonly sup: NType;
  readonly expected: boolean;
  readonly reason?: string;
  readonly note: string;
  readonly sub_display: string;
  readonly sup_display: string;
}

const mentionsRefined = (type: NType): boolean =>
  type.kind === 'Refined' || childTypes(type).some(mentionsRefined);

/** JSON has one number 1: a text that tells 1.0 from it says the same here. */
const oneNumber = (text: string): string => text.replaceAll(/(?<=\d)\.0(?=[,\]\s]|$)/gu, '');

describe("the original's subtype cases", () => {
  const table = ['subtype-cases', 'subtype-more'].flatMap(
    (name) => load<{ readonly cases: readonly SubtypeCase[] }>(name).cases,
  );
  const named = table.map((test) => [test.id, test.note, test] as const);

  it.each(named)(
    '%s, its way: %s',
    (_id, _note, { sub, sup, expected, reason, sub_display, sup_display }) => {
      const onlyNumbers =
        canonicalJson(sub) === canonicalJson(sup) && sub_display !== sup_display && !expected;
      const found = mismatch(sub, sup, { compat: true });

      expect([show(sub), show(sup)]).toEqual([oneNumber(sub_display), oneNumber(sup_display)]);
      expect(found === null).toBe(expected || onlyNumbers);
      if (found !== null && reason !== undefined) expect(found).toBe(oneNumber(reason));
    },
  );

  it.each(named)('%s, our way: %s', (_id, _note, { sub, sup, expected }) => {
    const fits = mismatch(sub, sup) === null;

    // We accept more, and only where a refined type is involved.
    expect(fits).toBe(expected || (fits && (mentionsRefined(sub) || mentionsRefined(sup))));
  });
});

interface StdlibStage {
  readonly name: string;
  readonly stage_id: string;
  readonly signature_id: string;
  readonly implementation_hash: string;
  readonly input: NType;
  readonly output: NType;
  readonly effects: readonly EffectJson[];
}

describe('ids of the original', () => {
  const { stages } = load<{ readonly stages: readonly StdlibStage[] }>('stdlib-ids');

  it.each(stages.map((stage) => [stage.name, stage] as const))('%s', (name, stage) => {
    const implementation_hash = sha256Hex(`noether-stdlib-v0.1.0:${name}`);

    expect(implementation_hash).toBe(stage.implementation_hash);
    expect(signatureId(stage)).toBe(stage.signature_id);
    expect(stageId(stage, implementation_hash)).toBe(stage.stage_id);
  });

  it.each([
    ['Text', 'Number', 'abc123', '980de483c8940ece66165badd67c41a7f82aa286d1b170da5c12b149049e8ce3'],
    ['Bool', 'Bool', 'identity', '9ff5f0c6927b8f2eb767e5ed2288dc07f192b2e8c6e78246fdd452a54296dbbc'],
  ] as const)('the golden one from %s to %s', (from, to, hash, id) => {
    const signature = {
      name: 'test',
      input: { kind: from },
      output: { kind: to },
      effects: [{ effect: 'Pure' }],
    };

    expect(stageId(signature, hash)).toBe(id);
  });
});
