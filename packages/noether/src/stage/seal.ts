import { contentId } from '../canonical.ts';
import type { StageRecord } from '../stage-record.ts';
import type { SigningKey } from './signing.ts';

/** Fields that make the seal and so cannot be under it. */
const SEAL: readonly string[] = ['record_fields', 'record_hash', 'record_signature', 'record_signer'];

/** Field → SHA-256 over JCS of its value, for every field of a record that its seal covers, unknown ones too. */
export function fieldHashes(record: StageRecord): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([field, value]) => !SEAL.includes(field) && value !== undefined)
      .map(([field, value]) => [field, contentId(value)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** The hash over all of a record but its seal. */
export function recordHash(record: StageRecord): string {
  return contentId(fieldHashes(record));
}

/** The record under a seal of this key: every later edit of any field is found out. */
export function sealRecord(record: StageRecord, key: SigningKey): StageRecord {
  const record_fields = fieldHashes(record);
  const record_hash = contentId(record_fields);
  const record_signature = key.sign(record_hash);
  return { ...record, record_fields, record_hash, record_signature, record_signer: key.public_key };
}

/** The record without a seal: whoever reads it is told that none covers it. */
export function unsealed(record: StageRecord): StageRecord {
  const bare = Object.entries(record).filter(([field]) => !SEAL.includes(field));
  return Object.fromEntries(bare) as unknown as StageRecord;
}

/** The record signed by its author; one that is signed already is left as it is. The seal is for {@link sealRecord}. */
export function signRecord(record: StageRecord, key: SigningKey): StageRecord {
  if (record.ed25519_signature !== null) return record;
  return { ...record, ed25519_signature: key.sign(record.id), signer_public_key: key.public_key };
}
