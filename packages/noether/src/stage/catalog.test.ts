import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { canonicalJson, sha256Hex } from '../canonical.ts';
import { buildCatalog, recordOf } from './catalog.ts';
import { stageKit } from './define-stage.ts';
import { effectSet } from './identity.ts';
import { sealRecord, signRecord } from './seal.ts';
import { signingKey } from './signing.ts';
import { distrustOf, recordFaults } from './verify.ts';

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

/** What the stage store's reader has seen to before anything is verified: the kinds of the fields that verifying reads. */
function isRecord(value: unknown): boolean {
  const text = z.string();
  const shape = z.object({
    id: text,
    signature_id: text,
    signature: z.object({
      effects: z.object({ effects: z.array(z.unknown()) }),
      implementation_hash: text,
    }),
    name: text,
    ed25519_signature: text.nullable(),
    signer_public_key: text.nullable(),
    archive: z.record(text, text).exactOptional(),
    record_fields: z.record(text, text).exactOptional(),
    record_hash: text.exactOptional(),
    record_signature: text.exactOptional(),
    record_signer: text.exactOptional(),
  });
  return shape.safeParse(value).success;
}

describe('a record', () => {
  const key = signingKey('07'.repeat(32));
  const plain = recordOf({ stage: stageNamed('yes'), archive: { 'yes.ts': 'code' } });
  const record = sealRecord(signRecord(plain, key), key);

  it('follows from its facts', () => {
    expect(recordFaults(plain)).toEqual([]);
    expect(recordFaults(record)).toEqual([]);
    expect(record.signature.implementation_hash).toBe(sha256Hex(`{"yes.ts":"${sha256Hex('code')}"}`));
  });

  it.each([
    ['code', { archive: { 'yes.ts': 'other' } }, ['implementation_hash', 'archive']],
    ['name', { name: 'no' }, ['signature_id', 'id', 'name']],
    ['description', { description: 'Says no.' }, ['description']],
    ['examples', { examples: [] }, ['examples']],
    ['capabilities', { capabilities: ['clock'] }, ['capabilities']],
    ['cost', { cost: { memory_mb: 1 } }, ['cost']],
    ['tags', { tags: ['x'] }, ['tags']],
    ['lifecycle', { lifecycle: 'Tombstone' }, ['lifecycle']],
    ['further fields', { note: 'x' }, ['note']],
    ['signature', { ed25519_signature: '00'.repeat(64) }, ['ed25519_signature', 'ed25519_signature']],
    ['author', { signer_public_key: null }, ['signer_public_key', 'ed25519_signature']],
    ['seal', { record_hash: 'a'.repeat(64) }, ['record_hash', 'record_signature']],
    ['sealer', { record_signer: signingKey('08'.repeat(32)).public_key }, ['record_signature']],
    [
      'types',
      { signature: { ...plain.signature, output: { kind: 'Text' } } },
      ['signature_id', 'id', 'signature'],
    ],
    [
      'types, which are none,',
      { signature: { ...plain.signature, input: { kind: 'Txt' } } },
      ['signature.input', 'signature'],
    ],
  ])('whose %s was changed afterwards is found out, field by field', (_what, change, fields) => {
    const changed = JSON.parse(JSON.stringify({ ...record, ...change })) as typeof record;

    expect(recordFaults(changed).map(({ field }) => field)).toEqual(fields);
  });

  it('is found out whatever single value of it is changed or removed', () => {
    const text = JSON.stringify(record);
    const places: (readonly string[])[] = [];
    const look = (value: unknown, path: readonly string[]): void => {
      if (path.length > 0) places.push(path);
      if (typeof value === 'object' && value !== null)
        for (const [key, item] of Object.entries(value)) look(item, [...path, key]);
    };
    look(JSON.parse(text), []);
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.option(fc.jsonValue(), { nil: undefined }),
        (path, value) => {
          const changed = JSON.parse(text) as Record<string, never>;
          const holder = path
            .slice(0, -1)
            .reduce((at: Record<string, unknown>, key) => at[key] as never, changed);
          holder[path.at(-1) ?? ''] = value;
          const edited = JSON.parse(JSON.stringify(changed)) as typeof record;
          fc.pre(canonicalJson(edited) !== canonicalJson(record) && isRecord(edited));

          expect(recordFaults(edited)).not.toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('that says only a hash, as earlier versions of this program wrote it, has no seal and is not trusted', () => {
    const old = { ...signRecord(plain, key), record_hash: 'a'.repeat(64) };

    expect(recordFaults(old)).toEqual([]);
    expect(distrustOf(old, new Set([key.public_key]))?.reason).toBe('unsealed');
  });

  it('tells what is stored and what it would have to be', () => {
    const [fault] = recordFaults({ ...plain, id: 'a'.repeat(64) });

    expect(fault).toEqual({ field: 'id', stored: 'a'.repeat(64), recomputed: plain.id });
  });

  it('without its seal is intact, as nothing says otherwise: it is not trusted', () => {
    expect(distrustOf(record, new Set([key.public_key]))).toBeNull();
    expect(distrustOf(record, new Set())).toEqual({ reason: 'author', public_key: key.public_key });
    expect(distrustOf(plain, new Set([key.public_key]))).toEqual({ reason: 'unsigned', public_key: null });
    expect(distrustOf(signRecord(plain, key), new Set([key.public_key]))?.reason).toBe('unsealed');
    const other = signingKey('08'.repeat(32));
    expect(distrustOf(sealRecord(record, other), new Set([key.public_key]))).toEqual({
      reason: 'sealer',
      public_key: other.public_key,
    });
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
