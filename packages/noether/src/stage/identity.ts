import { contentId, sha256Hex } from '../canonical.ts';
import type { NType } from '../types/ntype.ts';
import type { Effect } from './effects.ts';

/** An effect as the wire and the ids have it. */
export type EffectJson = { readonly effect: string; readonly [payload: string]: string | number };

/** Effect kinds in the order sets of them are kept in. */
export const EFFECT_KINDS: readonly string[] = [
  'Cost',
  'Fallible',
  'FsRead',
  'FsWrite',
  'Llm',
  'Network',
  'NonDeterministic',
  'Process',
  'Pure',
  'Unknown',
];

/** What a signature id covers. */
export interface SignatureFacts {
  readonly name: string;
  readonly input: NType;
  readonly output: NType;
  /** In set order. */
  readonly effects: readonly EffectJson[];
}

/** Declared effects as a set: wire form, sorted by kind and payload, without doubles. */
export function effectSet(effects: readonly (Effect | EffectJson)[]): readonly EffectJson[] {
  const wire = effects.map((effect) => (typeof effect === 'string' ? { effect } : effect) as EffectJson);
  const sorted = wire.toSorted(
    (a, b) => EFFECT_KINDS.indexOf(a.effect) - EFFECT_KINDS.indexOf(b.effect) || comparePayload(a, b),
  );
  return sorted.filter((effect, i) => {
    const previous = sorted[i - 1];
    return previous === undefined || contentId(previous) !== contentId(effect);
  });
}

function comparePayload(a: EffectJson, b: EffectJson): number {
  const x = a['cents'] ?? a['path'] ?? a['model'] ?? '';
  const y = b['cents'] ?? b['path'] ?? b['model'] ?? '';
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Id of what a stage promises: SHA-256 over JCS of effects, types and name. */
export function signatureId(facts: SignatureFacts): string {
  const { name, input, output, effects } = facts;
  return contentId({ effects: { effects }, input, name, output });
}

/** Id of one implementation of a signature: the same preimage with the implementation's hash. */
export function stageId(facts: SignatureFacts, implementation_hash: string): string {
  const { name, input, output, effects } = facts;
  return contentId({ effects: { effects }, implementation_hash, input, name, output });
}

/** Hash of a stage's source: SHA-256 over JCS of path → SHA-256 of its text. */
export function implementationHash(archive: Readonly<Record<string, string>>): string {
  return contentId(
    Object.fromEntries(Object.entries(archive).map(([path, text]) => [path, sha256Hex(text)])),
  );
}
