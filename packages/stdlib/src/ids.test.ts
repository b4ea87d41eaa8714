import { readFileSync } from 'node:fs';

import { buildCatalog, sha256Hex, show } from '@caloron/noether';
import { expect, it } from 'vitest';

import { catalog } from './index.ts';
import { ORIGINALS } from './testing/originals.ts';

interface Vector {
  readonly name: string;
  readonly stage_id: string;
  readonly signature_id: string;
  readonly implementation_hash: string;
  readonly input: unknown;
  readonly output: unknown;
  readonly effects: unknown;
}

const root = new URL('../../../', import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const { stages: vectors } = JSON.parse(text('test/conformance/stdlib-ids.json')) as {
  stages: readonly Vector[];
};
const { entries } = buildCatalog(catalog.map(({ stage }) => ({ ...stage, stage, archive: {} })));
const stages = new Map(entries.map((entry) => [entry.record.name, entry]));
const here = vectors.filter(({ name }) => stages.has(name));

it.each(here)('$name has the ids of the original', (vector) => {
  const { name, ...facts } = vector;
  const { signature, id: stage_id, signature_id } = stages.get(name)!.record;
  const { input, output, implementation_hash } = signature;

  expect({
    stage_id,
    signature_id,
    implementation_hash,
    input,
    output,
    effects: signature.effects.effects,
  }).toEqual({
    stage_id: facts.stage_id,
    signature_id: facts.signature_id,
    implementation_hash: facts.implementation_hash,
    input: facts.input,
    output: facts.output,
    effects: facts.effects,
  });
});

/** Effects as the list of originals words them: a payload in parentheses. */
function words(effects: readonly { readonly effect: string }[]): string {
  return effects
    .map(({ effect, ...payload }) =>
      [effect, ...Object.values(payload).map((value) => `(${String(value)})`)].join(''),
    )
    .join(', ');
}

it.each(ORIGINALS.filter(([name]) => stages.has(name)))('%s promises what the original does', (...row) => {
  const [name] = row;
  const { input, output, effects, record } = stages.get(name)!;

  expect([name, show(input), show(output), words(effects)]).toEqual(row);
  expect(record.signature.implementation_hash).toBe(sha256Hex(`noether-stdlib-v0.1.0:${name}`));
});

it('keeps the ids of an original for no stage of its own', () => {
  const names = new Set(ORIGINALS.map(([name]) => name));
  const kept = catalog
    .filter(({ stage }) => stage.declared?.implementation_hash !== undefined)
    .map(({ stage }) => stage.name);

  expect(kept).toEqual(catalog.map(({ stage }) => stage.name).filter((name) => names.has(name)));
});

it('has every stage of the original, or the document says why not', () => {
  const section =
    text('docs/standard-library.md').split('<!-- absent -->')[1]?.split('<!-- /absent -->')[0] ?? '';
  const absent = [...section.matchAll(/^\| `([a-z0-9_]+)`\s*\|\s*\S/gm)].map(([, name = '']) => name);

  expect(absent.toSorted()).toEqual(
    ORIGINALS.map(([name]) => name)
      .filter((name) => !stages.has(name))
      .toSorted(),
  );
});
