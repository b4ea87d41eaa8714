import { z } from 'zod';

import { canonicalJson, contentId, sha256Hex } from '../canonical.ts';
import type { StageRecord } from '../stage-record.ts';
import { NType } from '../types/ntype.ts';
import { EFFECT_KINDS, effectSet, implementationHash, signatureId, stageId } from './identity.ts';
import { isOriginalStage, originalHash } from './original-ids.ts';
import { fieldHashes } from './seal.ts';
import { isSignedBy, ORIGINAL_PUBLIC_KEY, sameText } from './signing.ts';

/** A field of a record that is not what follows from the record's other facts. */
export interface RecordFault {
  readonly field: string;
  /** What the store holds: a hash, an id, a signature; null when it holds nothing. */
  readonly stored: string | null;
  /** What it would have to be; null when that cannot be computed, as a signature. */
  readonly recomputed: string | null;
}

/** Why an intact record is not relied on. */
export interface Distrust {
  readonly reason: 'unsigned' | 'unsealed' | 'author' | 'sealer';
  /** The key nobody trusts; null where there is no signature. */
  readonly public_key: string | null;
}

/** Longest stored or recomputed text a fault shows. */
const SHOWN = 64;

/**
 * What of a record does not follow from its facts: ids and implementation hash recomputed, every field against its hash in the
 * seal, both signatures verified. None when the record is what it says.
 */
export function recordFaults(record: StageRecord): readonly RecordFault[] {
  return [...idFaults(record), ...sealFaults(record), ...signatureFaults(record)];
}

function compare(field: string, stored: string | undefined, recomputed: string): readonly RecordFault[] {
  const held = stored ?? null;
  return held !== null && sameText(held, recomputed) ? [] : [{ field, stored: held, recomputed }];
}

/** Effects as ids cover them; their payloads are scalars. */
const Effects = z.array(
  z.object({ effect: z.enum(EFFECT_KINDS) }).catchall(z.union([z.string(), z.number()])),
);

function idFaults(record: StageRecord): readonly RecordFault[] {
  const { signature, name, id, signature_id } = record;
  const input = NType.safeParse(signature.input);
  const output = NType.safeParse(signature.output);
  const effects = Effects.safeParse(signature.effects.effects);
  if (!input.success) return [noSuch('signature.input', signature.input)];
  if (!output.success) return [noSuch('signature.output', signature.output)];
  if (!effects.success) return [noSuch('signature.effects', signature.effects.effects)];
  const facts = { name, input: input.data, output: output.data, effects: effectSet(effects.data) };
  return [
    ...compare('signature_id', signature_id, signatureId(facts)),
    ...compare('id', id, stageId(facts, signature.implementation_hash)),
    ...implementationFaults(record),
  ];
}

/** A part of the signature that is none. */
function noSuch(field: string, held: unknown): RecordFault {
  return { field, stored: canonicalJson(held).slice(0, SHOWN), recomputed: null };
}

/** An original's standard library stage has a hash of its name; one without code here has a hash nothing can be compared with. */
function implementationFaults({
  id,
  name,
  archive,
  implementation_code,
  signature,
}: StageRecord): readonly RecordFault[] {
  const stored = signature.implementation_hash;
  if (isOriginalStage(id, name) && sameText(stored, originalHash(name))) return [];
  const recomputed =
    implementation_code !== undefined
      ? sha256Hex(implementation_code)
      : archive && implementationHash(archive);
  return recomputed === undefined ? [] : compare('implementation_hash', stored, recomputed);
}

function sealFaults(record: StageRecord): readonly RecordFault[] {
  const { record_fields, record_hash, record_signature, record_signer } = record;
  // A hash alone is no seal: whoever changes the record can change it too.
  const seal = [record_fields, record_signature, record_signer];
  if (seal.every((part) => part === undefined)) return [];
  const now = fieldHashes(record);
  const then = new Map(Object.entries(record_fields ?? {}));
  const fields = [...new Set([...then.keys(), ...Object.keys(now)])].toSorted();
  return [
    ...fields.flatMap((field) => {
      const [stored, recomputed] = [then.get(field), Object.hasOwn(now, field) ? now[field] : undefined];
      if (recomputed !== undefined) return compare(field, stored, recomputed);
      return [{ field, stored: stored ?? null, recomputed: null }];
    }),
    ...compare('record_hash', record_hash, contentId(record_fields ?? {})),
    ...signed('record_signature', record_hash ?? '', record_signature ?? null, record_signer ?? null),
  ];
}

function signatureFaults({ id, ed25519_signature, signer_public_key }: StageRecord): readonly RecordFault[] {
  if (ed25519_signature === null && signer_public_key === null) return [];
  return signed('ed25519_signature', id, ed25519_signature, signer_public_key);
}

function signed(
  field: string,
  text: string,
  signature: string | null,
  public_key: string | null,
): readonly RecordFault[] {
  const fault = { field, stored: signature?.slice(0, SHOWN) ?? null, recomputed: null };
  if (signature === null || public_key === null) return [fault];
  try {
    return isSignedBy(public_key, text, signature) ? [] : [fault];
  } catch {
    return [fault];
  }
}

/** Why an intact record is not relied on, given the public keys that are; null when it is. */
export function distrustOf(record: StageRecord, trusted: ReadonlySet<string>): Distrust | null {
  const { signer_public_key: author, record_signer: sealer } = record;
  if (author === null) return { reason: 'unsigned', public_key: null };
  if (!trusted.has(author) && !isOriginalAuthor(record)) return { reason: 'author', public_key: author };
  if (sealer === undefined) return { reason: 'unsealed', public_key: null };
  return trusted.has(sealer) ? null : { reason: 'sealer', public_key: sealer };
}

/** The original's key says nothing of an author, as everyone has it; it is taken for the stages it was made for. */
function isOriginalAuthor({ id, name, signer_public_key, signature }: StageRecord): boolean {
  return (
    signer_public_key === ORIGINAL_PUBLIC_KEY &&
    isOriginalStage(id, name) &&
    signature.implementation_hash === originalHash(name)
  );
}
