import { sha256Hex } from '../canonical.ts';
import type { StageRecord } from '../stage-record.ts';
import { NType } from '../types/ntype.ts';
import { recordHash } from './catalog.ts';
import { type EffectJson, effectSet, implementationHash, signatureId, stageId } from './identity.ts';

/** The ids and hashes of a record that do not follow from its facts; none when the record is what it says. */
export function recordFaults(record: StageRecord): readonly string[] {
  const { signature, name } = record;
  const input = NType.safeParse(signature.input);
  const output = NType.safeParse(signature.output);
  if (!input.success || !output.success) return ['signature'];
  const effects = effectSet(signature.effects.effects as readonly EffectJson[]);
  const facts = { name, input: input.data, output: output.data, effects };
  const checks: readonly (readonly [string, boolean])[] = [
    ['signature_id', record.signature_id === signatureId(facts)],
    ['id', record.id === stageId(facts, signature.implementation_hash)],
    ['implementation_hash', hashes(record).includes(signature.implementation_hash)],
    ['record_hash', record.record_hash === undefined || record.record_hash === recordHash(record)],
  ];
  return checks.filter(([, holds]) => !holds).map(([field]) => field);
}

/** What a record's implementation hash may be: of its archive, or the name's for the original's standard library. */
function hashes({ name, archive, signature }: StageRecord): readonly string[] {
  const own = archive === undefined ? signature.implementation_hash : implementationHash(archive);
  return [own, sha256Hex(`noether-stdlib-v0.1.0:${name}`)];
}
