import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { sha256Hex } from '../canonical.ts';
import type { Lifecycle, StageRecord } from '../stage-record.ts';
import { activateStage, buryStage, deprecateStage, findRecord, putStage } from './lifecycle.ts';
import { StageError } from './errors.ts';
import { recordHash, sealRecord } from './seal.ts';
import { signingKey } from './signing.ts';
import { recordFaults } from './verify.ts';

const key = signingKey('01'.repeat(32));
const seal = (record: StageRecord): StageRecord => sealRecord(record, key);

function stage(id: string, lifecycle: Lifecycle, signature = 'sig'): StageRecord {
  return {
    id: sha256Hex(id),
    signature_id: sha256Hex(signature),
    signature: {
      input: { kind: 'Any' },
      output: { kind: 'Any' },
      effects: { effects: [] },
      implementation_hash: sha256Hex(id),
    },
    name: id,
    capabilities: [],
    cost: {},
    description: '',
    examples: [],
    lifecycle,
    ed25519_signature: null,
    signer_public_key: null,
  };
}

const lives = (records: readonly StageRecord[]): readonly unknown[] =>
  records.map(({ name, lifecycle }) => [name, lifecycle]);
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe('a stage in its life', () => {
  it('becomes Active once, and takes the place of the Active one of its signature', () => {
    const put = putStage(
      [seal(stage('old', 'Active')), seal(stage('other', 'Active', 'else'))],
      stage('new', 'Draft'),
      seal,
    );
    expect(lives(put.records)).toEqual([
      ['old', 'Active'],
      ['other', 'Active'],
      ['new', 'Draft'],
    ]);

    const after = activateStage(put.records, sha256Hex('new'), seal);

    expect(lives(after.records)).toEqual([
      ['old', { Deprecated: { successor_id: sha256Hex('new') } }],
      ['other', 'Active'],
      ['new', 'Active'],
    ]);
    expect(after.supersedes).toEqual([sha256Hex('old')]);
    expect(
      after.records.flatMap((record) => recordFaults(record)).filter(({ field }) => field === 'lifecycle'),
    ).toEqual([]);
  });

  it('put as Active takes the place at once', () => {
    const { records, supersedes } = putStage([stage('old', 'Active')], stage('new', 'Active'), seal);

    expect(lives(records)).toEqual([
      ['old', { Deprecated: { successor_id: sha256Hex('new') } }],
      ['new', 'Active'],
    ]);
    expect(supersedes).toHaveLength(1);
  });

  it('is put once', () => {
    expect(() => putStage([stage('a', 'Tombstone')], stage('a', 'Draft'), seal)).toThrow(
      code('STAGE_EXISTS'),
    );
  });

  it('is deprecated in favour of one that is there and does not lead back', () => {
    const records = [stage('a', 'Active', '1'), stage('b', 'Active', '2'), stage('c', 'Tombstone', '3')];
    const [a, b, c] = records.map(({ id }) => id);

    const { records: after } = deprecateStage(records, a!, b!, seal);

    expect(lives(after).at(0)).toEqual(['a', { Deprecated: { successor_id: b } }]);
    expect(() => deprecateStage(after, b!, a!, seal)).toThrow(code('STAGE_SUCCESSOR_INVALID'));
    for (const successor of [b!, c!, sha256Hex('nobody')])
      expect(() => deprecateStage(records, b!, successor, seal)).toThrow(code('STAGE_SUCCESSOR_INVALID'));
  });

  const all: readonly Lifecycle[] = [
    'Draft',
    'Active',
    { Deprecated: { successor_id: sha256Hex('b') } },
    'Tombstone',
  ];
  it.each(all.map((from) => [from] as const))('from %j goes where it may and nowhere else', (from) => {
    const records = [stage('a', from, '1'), stage('b', 'Active', '2')];
    const id = sha256Hex('a');
    const reached = (change: () => unknown): boolean => {
      try {
        change();
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: 'STAGE_TRANSITION_INVALID' });
        return false;
      }
    };

    expect([
      reached(() => activateStage(records, id, seal)),
      reached(() => deprecateStage(records, id, sha256Hex('b'), seal)),
      reached(() => buryStage(records, id, seal)),
    ]).toEqual([from === 'Draft', from === 'Active', from === 'Active']);
  });
});

it('whatever is done to a store, a signature has one Active stage, successors are there, and every seal holds', () => {
  const step = fc.record({
    act: fc.constantFrom('put', 'draft', 'activate', 'deprecate', 'bury'),
    one: fc.nat(5),
    other: fc.nat(5),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      let records: readonly StageRecord[] = [];
      const made = (n: number, lifecycle: Lifecycle): StageRecord =>
        stage(`stage_${n}`, lifecycle, `signature_${n % 3}`);
      for (const { act, one, other } of steps) {
        const [id, to] = [made(one, 'Draft').id, made(other, 'Draft').id];
        try {
          if (act === 'put') ({ records } = putStage(records, made(one, 'Active'), seal));
          if (act === 'draft') ({ records } = putStage(records, made(one, 'Draft'), seal));
          if (act === 'activate') ({ records } = activateStage(records, id, seal));
          if (act === 'deprecate') ({ records } = deprecateStage(records, id, to, seal));
          if (act === 'bury') ({ records } = buryStage(records, id, seal));
        } catch (error) {
          expect(error).toBeInstanceOf(StageError);
        }
      }

      const active = records.filter(({ lifecycle }) => lifecycle === 'Active');
      expect(new Set(active.map(({ signature_id }) => signature_id)).size).toBe(active.length);
      const ids = new Set(records.map(({ id }) => id));
      expect(ids.size).toBe(records.length);
      for (const { lifecycle, ...record } of records) {
        if (typeof lifecycle === 'object') expect(ids).toContain(lifecycle.Deprecated.successor_id);
        expect(record.record_hash).toBe(recordHash({ lifecycle, ...record }));
      }
    }),
    { numRuns: 200 },
  );
});

describe('a record', () => {
  const records = [
    stage('parse', 'Active', '1'),
    { ...stage('old', 'Tombstone', '2'), name: 'parse' },
    stage('other', 'Active', '3'),
  ];

  it('is found by id, beginning of the id, signature and name, of which the Active one counts', () => {
    const { id, signature_id } = records[0]!;

    for (const reference of [id, id.slice(0, 12), signature_id, 'parse'])
      expect(findRecord(records, reference).id).toBe(id);
  });

  it('names what was probably meant, or that several are', () => {
    expect(() => findRecord(records, 'pasre')).toThrow('did you mean parse?');
    const twice = [stage('x', 'Draft'), { ...stage('y', 'Draft'), name: 'x' }];
    expect(() => findRecord(twice, 'x')).toThrow(code('STAGE_AMBIGUOUS'));
  });
});
