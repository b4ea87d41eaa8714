import { nearest } from '../types/nearest.ts';
import type { Lifecycle, StageRecord } from '../stage-record.ts';
import { StageError } from './errors.ts';

/** Puts the store's seal on a record that was added or changed. */
export type Seal = (record: StageRecord) => StageRecord;

/** Records after a change, and what the change did beside what was asked. */
export interface LifecycleChange {
  readonly records: readonly StageRecord[];
  readonly record: StageRecord;
  /** Ids of the stages this one has taken the place of. */
  readonly supersedes: readonly string[];
}

/** A lifecycle in one word. */
export function lifecycleWord(lifecycle: Lifecycle): 'Draft' | 'Active' | 'Deprecated' | 'Tombstone' {
  return typeof lifecycle === 'string' ? lifecycle : 'Deprecated';
}

/** Adds a record, sealed. An Active one takes the place of the Active one of its signature. Throws STAGE_EXISTS. */
export function putStage(records: readonly StageRecord[], added: StageRecord, seal: Seal): LifecycleChange {
  if (records.some(({ id }) => id === added.id))
    throw new StageError('STAGE_EXISTS', { stage: added.name, id: added.id });
  const record = seal(added);
  return succeed([...records, record], record, seal);
}

/** Draft → Active; the Active stage of the same signature becomes Deprecated in favour of this one. Throws STAGE_UNKNOWN, STAGE_TRANSITION_INVALID. */
export function activateStage(records: readonly StageRecord[], id: string, seal: Seal): LifecycleChange {
  const found = recordOfId(records, id);
  requireFrom(found, 'Draft', 'Active');
  const record = seal({ ...found, lifecycle: 'Active' });
  return succeed(replaced(records, record), record, seal);
}

/** Active → Deprecated. Throws STAGE_UNKNOWN, STAGE_TRANSITION_INVALID, STAGE_SUCCESSOR_INVALID. */
export function deprecateStage(
  records: readonly StageRecord[],
  id: string,
  successor_id: string,
  seal: Seal,
): LifecycleChange {
  const found = recordOfId(records, id);
  requireFrom(found, 'Active', 'Deprecated');
  requireSuccessor(records, found, successor_id);
  const record = seal({ ...found, lifecycle: { Deprecated: { successor_id } } });
  return { records: replaced(records, record), record, supersedes: [] };
}

/** Active → Tombstone: no graph finds it any more. Throws STAGE_UNKNOWN, STAGE_TRANSITION_INVALID. */
export function buryStage(records: readonly StageRecord[], id: string, seal: Seal): LifecycleChange {
  const found = recordOfId(records, id);
  requireFrom(found, 'Active', 'Tombstone');
  const record = seal({ ...found, lifecycle: 'Tombstone' });
  return { records: replaced(records, record), record, supersedes: [] };
}

/**
 * The record an exact id, a unique beginning of one, or a name means; of a name the Active one. Of a signature id the Active
 * one too. Throws STAGE_UNKNOWN with the nearest names, or STAGE_AMBIGUOUS.
 */
export function findRecord(records: readonly StageRecord[], reference: string): StageRecord {
  const exact = records.find(({ id }) => id === reference);
  if (exact !== undefined) return exact;
  const hex = reference.toLowerCase();
  const found =
    single(active(records.filter(({ signature_id }) => signature_id === hex)), reference) ??
    (/^[0-9a-f]+$/u.test(hex)
      ? single(
          records.filter(({ id }) => id.startsWith(hex)),
          reference,
        )
      : undefined) ??
    single(active(records.filter(({ name }) => name === reference)), reference);
  if (found !== undefined) return found;
  const names = records.map(({ name }) => name);
  throw new StageError(
    'STAGE_UNKNOWN',
    { reference, nearest: nearest(reference, names) },
    { hint: './noether stage list --lifecycle all shows every stage of the store' },
  );
}

/** The Active ones, where there are any. */
function active(records: readonly StageRecord[]): readonly StageRecord[] {
  const live = records.filter(({ lifecycle }) => lifecycle === 'Active');
  return live.length > 0 ? live : records;
}

function single(found: readonly StageRecord[], reference: string): StageRecord | undefined {
  if (found.length > 1) {
    const matches = found.map(({ name, id }) => `${name} ${id.slice(0, 16)}`);
    throw new StageError('STAGE_AMBIGUOUS', { reference, matches }, { hint: 'write more of its id' });
  }
  return found[0];
}

function recordOfId(records: readonly StageRecord[], id: string): StageRecord {
  const found = records.find((record) => record.id === id);
  if (found === undefined) throw new StageError('STAGE_UNKNOWN', { reference: id, nearest: [] });
  return found;
}

function requireFrom({ name, id, lifecycle }: StageRecord, from: 'Draft' | 'Active', to: string): void {
  if (lifecycle === from) return;
  throw new StageError('STAGE_TRANSITION_INVALID', { stage: name, id, from: lifecycleWord(lifecycle), to });
}

function requireSuccessor(records: readonly StageRecord[], old: StageRecord, successor: string): void {
  const refuse = (reason: string): StageError =>
    new StageError('STAGE_SUCCESSOR_INVALID', { stage: old.name, successor, reason });
  const byId = new Map(records.map((record) => [record.id, record]));
  const passed = new Set([old.id]);
  for (let next: string | null = successor; next !== null;) {
    if (passed.has(next)) throw refuse('it leads back to the stage itself');
    passed.add(next);
    const record = byId.get(next);
    if (record === undefined) throw refuse('the store has no stage with this id');
    if (record.lifecycle === 'Tombstone') throw refuse(`stage ${record.name} is a Tombstone`);
    next = typeof record.lifecycle === 'object' ? record.lifecycle.Deprecated.successor_id : null;
  }
}

function replaced(records: readonly StageRecord[], record: StageRecord): readonly StageRecord[] {
  return records.map((other) => (other.id === record.id ? record : other));
}

/** One Active stage per signature: the others become Deprecated in favour of this one. */
function succeed(records: readonly StageRecord[], record: StageRecord, seal: Seal): LifecycleChange {
  if (record.lifecycle !== 'Active') return { records, record, supersedes: [] };
  const supersedes: string[] = [];
  const changed = records.map((other) => {
    const old =
      other.id !== record.id && other.lifecycle === 'Active' && other.signature_id === record.signature_id;
    if (!old) return other;
    supersedes.push(other.id);
    return seal({ ...other, lifecycle: { Deprecated: { successor_id: record.id } } });
  });
  return { records: changed, record, supersedes };
}
