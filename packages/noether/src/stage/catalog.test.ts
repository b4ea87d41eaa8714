import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { sha256Hex } from '../canonical.ts';
import { buildCatalog, recordOf } from './catalog.ts';
import { stageKit } from './define-stage.ts';
import { effectSet } from './identity.ts';
import { recordFaults } from './verify.ts';

const defineStage = stageKit<{ clock: { readonly clock: { now(): string } } }>();

function stageNamed(name: string): Parameters<typeof recordOf>[0]['stage'] {
  return defineStage({
    name,
    description: 'Says yes.',
    effects: ['Pure'],
    input: z.object({ a: z.string() }),
    output: z.boolean(),
    examples: [{ input: { a: '' }, output: true }],
    run: () => true,
  });
}

describe('a record', () => {
  const record = recordOf({ stage: stageNamed('yes'), archive: { 'yes.ts': 'code' } });

  it('follows from its facts', () => {
    expect(recordFaults(record)).toEqual([]);
    expect(record.signature.implementation_hash).toBe(sha256Hex(`{"yes.ts":"${sha256Hex('code')}"}`));
  });

  it.each([
    ['code', { archive: { 'yes.ts': 'other' } }, ['implementation_hash']],
    ['name', { name: 'no' }, ['signature_id', 'id']],
    ['description', { description: 'Says no.' }, ['record_hash']],
    ['capabilities', { capabilities: ['clock'] }, ['record_hash']],
    ['types', { signature: { ...record.signature, output: { kind: 'Text' } } }, ['signature_id', 'id']],
  ])('whose %s was changed afterwards is found out', (_what, change, faults) => {
    expect(recordFaults({ ...record, ...change })).toEqual(faults);
  });

  it('keeps its ids when only the description changes, and its signature when only the code does', () => {
    const other = recordOf({
      stage: { ...stageNamed('yes'), description: 'x' },
      archive: { 'yes.ts': 'new code' },
    });

    expect(other.signature_id).toBe(record.signature_id);
    expect(other.id).not.toBe(record.id);
    expect(
      recordOf({ stage: { ...stageNamed('yes'), description: 'x' }, archive: { 'yes.ts': 'code' } }).id,
    ).toBe(record.id);
  });
});

describe('a catalog', () => {
  const catalog = buildCatalog(
    ['decide', 'evaluate'].map((name) => ({ stage: stageNamed(name), archive: {} })),
  );
  const [decide] = catalog.entries;

  it('finds a stage by id, signature, prefix and name', () => {
    const { id, signature_id } = decide!.record;

    expect(
      [id, signature_id, id.slice(0, 10), 'decide'].map((ref) => catalog.resolve(ref).record.name),
    ).toEqual(Array.from({ length: 4 }, () => 'decide'));
  });

  it('names what was probably meant', () => {
    expect(() => catalog.resolve('evalute')).toThrow('did you mean evaluate?');
  });

  it('has one stage of a name', () => {
    const twice = ['a', 'a'].map((name) => ({ stage: stageNamed(name), archive: {} }));

    expect(() => buildCatalog(twice)).toThrow(expect.objectContaining({ code: 'STAGE_NAME_TAKEN' }));
  });
});

it('keeps effects as a set: by kind, then payload, without doubles', () => {
  const given = effectSet([
    'Network',
    { effect: 'Cost', cents: 9 },
    'Fallible',
    { effect: 'Cost', cents: 2 },
    'Network',
  ]);

  expect(given).toEqual([
    { effect: 'Cost', cents: 2 },
    { effect: 'Cost', cents: 9 },
    { effect: 'Fallible' },
    { effect: 'Network' },
  ]);
});
