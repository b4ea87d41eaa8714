import {
  Cursors,
  DagState,
  type Event,
  keys,
  Timestamp,
  type Clock,
  type Id,
  type SprintCommit,
  type SprintSnapshot,
  type StateCommit,
} from '@caloron/types';
import { isSettled, type Json } from '@caloron/noether';
import { z } from 'zod';

import { StoreError } from './errors.ts';
import { KnownValues, provenValue, storedText, storedValue } from './json.ts';
import type { KvTable, Writer } from './kv.ts';
import type { Log } from './log.ts';
import type { OutboxTable } from './outbox.ts';
import type { Database } from './sql.ts';

const Sprint = z.strictObject({ sprint_id: z.string() });

/** The sprints as the store's other readers use them. */
export interface SprintTable {
  /** Newest first. */
  ids(): readonly Id[];
  /** `state.commit` of one run; `fence` is asked first in every write. */
  open(writer: Writer, fence: () => void): StateCommit;
}

/** The store's tables a commit writes to. */
export interface SprintDeps {
  readonly database: Database;
  readonly log: Log;
  readonly kv: KvTable;
  readonly outbox: OutboxTable;
  readonly clock: Clock;
}

/** Sprint state: reads of one instant and commits that are all or nothing. */
export function createSprints({ database, log, kv, outbox, clock }: SprintDeps): SprintTable {
  const { db } = database;
  const newest = db.prepare('SELECT sprint_id FROM sprints ORDER BY n DESC');
  const remember = db.prepare(
    'INSERT INTO seen_events (sprint_id, event_id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const ids = () => newest.all().map((row) => Sprint.parse(row).sprint_id);
  const unknown = (sprint_id: Id) => new StoreError('SPRINT_UNKNOWN', { sprint_id, known: ids() });

  const known = new KnownValues();
  const parsed = <T>(schema: z.ZodType<T>, key: string, row = kv.row(key)): T => {
    if (row === undefined)
      throw new StoreError('STORE_VALUE_INVALID', { key, issues: ['the key is missing'] });
    return provenValue(schema, known.valueOf(key, row.text), key);
  };
  const load = (sprint_id: Id): SprintSnapshot => {
    const row = kv.row(keys.state(sprint_id));
    if (row === undefined) throw unknown(sprint_id);
    const state = parsed(DagState, keys.state(sprint_id), row);
    const cursors = parsed(Cursors, keys.cursors(sprint_id));
    const polled = kv.row(keys.lastPoll(sprint_id));
    const last_poll = polled === undefined ? null : parsed(Timestamp, keys.lastPoll(sprint_id), polled);
    return { state, rev: row.rev, cursors, last_poll };
  };

  const checkRev = ({ sprint_id, expect_rev }: SprintCommit): void => {
    const key = keys.state(sprint_id);
    const actual = kv.rev(key) ?? 0;
    if (actual === expect_rev) return;
    if (actual === 0) throw unknown(sprint_id);
    throw new StoreError('STORE_CONFLICT', { key, expected: expect_rev, actual });
  };

  /** True when the log cursor only passed rows that no sprint reads: storing it would be a write per idle tick. */
  const isIdle = ({ sprint_id, cursors }: SprintCommit): boolean => {
    const row = kv.row(keys.cursors(sprint_id));
    if (row === undefined) return false;
    const { log_seq } = provenValue(
      Cursors,
      storedValue(row.text, keys.cursors(sprint_id)),
      keys.cursors(sprint_id),
    );
    return (
      row.text === storedText({ ...cursors, log_seq }, keys.cursors(sprint_id)) &&
      !log.hasEvents(sprint_id, log_seq, cursors.log_seq)
    );
  };

  const consume = (sprint_id: Id, events: readonly Event[], writer: Writer): boolean => {
    let changed = false;
    for (const event of events) {
      if (remember.run(sprint_id, event.event_id, clock.now()).changes === 0) continue;
      log.addEvent(sprint_id, event, writer.run_id);
      changed = true;
    }
    return changed;
  };

  const intend = ({ sprint_id, actions, now }: SprintCommit, writer: Writer): boolean => {
    let changed = false;
    for (const action of actions) {
      if (action.sprint_id !== sprint_id) {
        throw new StoreError('STORE_VALUE_INVALID', {
          key: `action ${action.action_id}`,
          issues: [`sprint_id expected ${sprint_id}`],
        });
      }
      changed = outbox.intend(action, now, writer.run_id) || changed;
    }
    return changed;
  };

  const announce = ({ sprint_id, announce }: SprintCommit, rev: number, writer: Writer): boolean => {
    let changed = false;
    for (const [i, { kind, payload }] of announce.entries()) {
      // Bound to the state's revision: an announcement repeated over the same state is one.
      const row = { event_id: `${kind}:${rev}:${i}`, kind, sprint_id, ...writer, payload };
      changed = log.add(row).appended || changed;
    }
    return changed;
  };

  const ignore = ({ sprint_id, ignored = [] }: SprintCommit, writer: Writer): boolean => {
    let changed = false;
    for (const { id, reason, task_id = null } of ignored) {
      const row = { event_id: `forge.ignored:${id}`, kind: 'forge.ignored', sprint_id, ...writer };
      changed = log.add({ ...row, payload: { id, reason, task_id } }).appended || changed;
    }
    return changed;
  };

  const commit = (
    change: SprintCommit,
    writer: Writer,
  ): { readonly changed: boolean; readonly rev: number } => {
    const { sprint_id, events, puts, last_poll } = change;
    const state = provenValue(DagState, change.state, keys.state(sprint_id));
    if (state.sprint_id !== sprint_id) {
      throw new StoreError('STORE_VALUE_INVALID', {
        key: keys.state(sprint_id),
        issues: [`sprint_id expected ${sprint_id}`],
      });
    }
    checkRev(change);

    const cursors = provenValue(Cursors, change.cursors, keys.cursors(sprint_id));
    const news = consume(sprint_id, events, writer);
    const put = kv.put(keys.state(sprint_id), state, writer);
    if (isSettled(state as unknown as Json))
      known.note(keys.state(sprint_id), storedText(state, keys.state(sprint_id)), state as unknown as Json);
    const done = [
      news,
      put.changed,
      last_poll === null
        ? kv.remove(keys.lastPoll(sprint_id), writer)
        : kv.put(
            keys.lastPoll(sprint_id),
            provenValue(Timestamp, last_poll, keys.lastPoll(sprint_id)),
            writer,
          ).changed,
      ...Object.entries(puts).map(([key, value]) => kv.put(key, value, writer).changed),
      intend(change, writer),
      ignore(change, writer),
      announce(change, put.rev, writer),
    ];
    if (!done.includes(true) && isIdle(change)) return { changed: false, rev: put.rev };
    const moved = kv.put(keys.cursors(sprint_id), cursors, writer).changed;
    return { changed: moved || done.includes(true), rev: put.rev };
  };

  return {
    ids,
    open: (writer, fence) => ({
      load: async (sprint_id) => database.read(() => load(sprint_id)),
      exists: async (sprint_id) => kv.rev(keys.state(sprint_id)) !== undefined,
      commit: (change) =>
        database.write(() => {
          fence();
          return commit(change, writer);
        }),
    }),
  };
}
