import type { StageRecord } from '@caloron/noether';
import { contentId, type Seal } from '@caloron/noether/records';

/** What making the store hold a program's stages did. */
export interface SeedResult {
  readonly records: readonly StageRecord[];
  /** Ids that were not there. */
  readonly imported: readonly string[];
  /** Ids that were there and said something else. */
  readonly updated: readonly string[];
  /** Ids of earlier versions that gave way. */
  readonly superseded: readonly string[];
}

/**
 * The store with a program's stages as they are now, Active; one that was buried stays so. Earlier versions, of the same
 * signature or of the same name from a program's code, become Deprecated in favour of the present one. `seal` is for the
 * program's stages, `reseal` for what lay in the store. Gives the same list when nothing changed.
 */
export function seedRecords(
  records: readonly StageRecord[],
  stages: readonly StageRecord[],
  { seal, reseal }: { readonly seal: Seal; readonly reseal: Seal },
): SeedResult {
  const known = new Map(records.map((record) => [record.id, record]));
  const present = new Map<string, StageRecord>();
  const [imported, updated]: [string[], string[]] = [[], []];
  for (const stage of stages) {
    const before = known.get(stage.id);
    const after = seal(before?.lifecycle === 'Tombstone' ? { ...stage, lifecycle: 'Tombstone' } : stage);
    if (before === undefined) imported.push(stage.id);
    else if (contentId(before) !== contentId(after)) updated.push(stage.id);
    else continue;
    present.set(stage.id, after);
  }
  const superseded: string[] = [];
  const successor = successorOf(stages);
  const kept = records.map((record) => {
    const now = present.get(record.id);
    if (now !== undefined) return now;
    const next = record.lifecycle === 'Active' ? successor(record) : undefined;
    if (next === undefined) return record;
    superseded.push(record.id);
    return reseal({ ...record, lifecycle: { Deprecated: { successor_id: next } } });
  });
  const added = imported.flatMap((id) => present.get(id) ?? []);
  const changed = added.length + updated.length + superseded.length > 0;
  return { records: changed ? [...kept, ...added] : records, imported, updated, superseded };
}

/** The present version of a stage that the program has no more. */
function successorOf(stages: readonly StageRecord[]): (record: StageRecord) => string | undefined {
  const ids = new Set(stages.map(({ id }) => id));
  const bySignature = new Map(stages.map(({ signature_id, id }) => [signature_id, id]));
  const byName = new Map(stages.map(({ name, id }) => [name, id]));
  return ({ id, signature_id, name, archive }) => {
    if (ids.has(id)) return undefined;
    return bySignature.get(signature_id) ?? (archive === undefined ? undefined : byName.get(name));
  };
}
