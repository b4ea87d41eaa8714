import type { LeaseGrant } from '@caloron/noether';
import {
  Action,
  ActionError,
  ActionResult,
  addMs,
  OutboxRow,
  type Clock,
  type Id,
  type Timestamp,
} from '@caloron/types';
import { z } from 'zod';

import type { OutboxQueue } from './api.ts';
import { StoreError } from './errors.ts';
import { parseColumn, parseRow, storedText } from './json.ts';
import { LEASE_CURRENT, type LeaseTable } from './leases.ts';
import type { Log } from './log.ts';
import type { Database } from './sql.ts';

/** A row started without a lease counts as abandoned after this long. */
const ABANDONED_MS = 60_000;

const Row = z.strictObject({
  action_id: z.string(),
  sprint_id: z.string().nullable(),
  action: z.string(),
  status: OutboxRow.shape.status,
  attempts: z.number(),
  next_at: z.string(),
  lease: z.string().nullable(),
  holder: z.string().nullable(),
  fence: z.number(),
  result: z.string().nullable(),
  error: z.string().nullable(),
  interrupted: z.number(),
});
type Row = z.infer<typeof Row>;
const NextAt = z.strictObject({ next_at: z.string().nullable() });
const Count = z.strictObject({ rows: z.number() });

/** An outbox row and whether its runner is gone. */
export type OutboxItem = OutboxRow & { readonly interrupted: boolean };

/** The run that works on actions. */
export interface Runner {
  readonly run_id: string;
  readonly lease: LeaseGrant | null;
}

/** The outbox as other tables use it inside their transactions. */
export interface OutboxTable {
  /** Adds a pending row and its event inside `write`; false when the action is there already. */
  intend(action: Action, next_at: Timestamp, run_id: string | null): boolean;
  rows(sprint_id: Id | null): readonly OutboxItem[];
  open(runner: Runner): OutboxQueue;
}

/** True while a running row's runner is gone. */
const INTERRUPTED = `(o.status = 'running' AND CASE WHEN o.lease IS NULL THEN o.started_at <= :abandoned
  ELSE NOT EXISTS (SELECT 1 FROM leases l WHERE l.name = o.lease AND l.fence = o.fence AND l.holder = o.holder AND ${LEASE_CURRENT}) END)`;
const COLUMNS = `SELECT o.action_id, o.sprint_id, o.action, o.status, o.attempts, o.next_at, o.lease, o.holder, o.fence, o.result, o.error, ${INTERRUPTED} AS interrupted
  FROM outbox o`;

function itemOf(row: Row): OutboxItem {
  const { action_id: id, lease: _lease, holder: _holder, interrupted, action, result, error, ...rest } = row;
  return {
    action_id: id,
    ...rest,
    action: parseColumn(Action, action, 'outbox', id),
    result: result === null ? null : parseColumn(ActionResult, result, 'outbox', id),
    error: error === null ? null : parseColumn(ActionError, error, 'outbox', id),
    interrupted: interrupted === 1,
  };
}

/** Intended effects and how far they have come. */
export function createOutbox(database: Database, log: Log, leases: LeaseTable, clock: Clock): OutboxTable {
  const { db } = database;
  const insert = db.prepare(
    "INSERT INTO outbox (action_id, sprint_id, action, status, attempts, next_at, fence) VALUES (?, ?, ?, 'pending', 0, ?, 0)",
  );
  const ofSprint = db.prepare(`${COLUMNS} WHERE o.sprint_id IS :sprint_id ORDER BY o.n`);
  const byId = db.prepare(`${COLUMNS} WHERE o.action_id = :action_id`);
  const dueRows = db.prepare(
    `${COLUMNS} WHERE o.sprint_id IS :sprint_id AND o.status IN ('pending', 'running', 'failed')
     AND (o.status = 'pending' OR (o.status = 'failed' AND o.next_at <= :due) OR ${INTERRUPTED}) ORDER BY o.n LIMIT :limit`,
  );
  const take = db.prepare(
    `UPDATE outbox SET status = 'running', attempts = attempts + 1, lease = ?, holder = ?, fence = ?, started_at = ? WHERE action_id = ?`,
  );
  const settle = db.prepare(
    'UPDATE outbox SET status = ?, next_at = ?, result = ?, error = ? WHERE action_id = ?',
  );
  const back = db.prepare(
    "UPDATE outbox SET status = 'failed', attempts = attempts - 1, next_at = ?, error = ? WHERE action_id = ?",
  );
  const next = db.prepare(
    "SELECT min(next_at) AS next_at FROM outbox WHERE sprint_id IS ? AND status = 'failed'",
  );
  const open_rows = db.prepare(
    "SELECT count(*) AS rows FROM outbox WHERE sprint_id IS ? AND status IN ('pending', 'running', 'failed')",
  );

  const times = () => ({ now: clock.now(), abandoned: addMs(clock.now(), -ABANDONED_MS) });
  const rowOf = (action_id: string): Row => {
    const found = byId.get({ action_id, ...times() });
    if (found === undefined) throw new StoreError('ACTION_UNKNOWN', { action_id });
    return parseRow(Row, found, 'outbox', action_id);
  };
  const item = (row: unknown) => itemOf(parseRow(Row, row, 'outbox', ''));
  /** What is of no sprint is told by its row alone: the log would grow with each delivery of a job's webhook, for ever. */
  const record = (
    kind: string,
    row: Pick<Row, 'action_id' | 'sprint_id'>,
    suffix: string,
    run_id: string | null,
    payload: object,
  ): void => {
    if (row.sprint_id === null) return;
    log.add({
      event_id: `outbox.${kind}:${row.action_id}${suffix}`,
      kind: `outbox.${kind}`,
      sprint_id: row.sprint_id,
      target: row.action_id,
      actor: 'caloron',
      run_id,
      causation_id: row.action_id,
      payload: { action_id: row.action_id, ...payload },
    });
  };

  const intend: OutboxTable['intend'] = (action, next_at, run_id) => {
    const { action_id, sprint_id, type } = parseRow(Action, action, 'outbox', action.action_id);
    if (byId.get({ action_id, ...times() }) !== undefined) return false;
    insert.run(action_id, sprint_id, storedText(action, `action ${action_id}`), next_at);
    record('intended', { action_id, sprint_id }, '', run_id, { type, task_id: action.task_id });
    return true;
  };

  const open = ({ run_id, lease }: Runner): OutboxQueue => {
    const mine = { lease: lease?.name ?? null, holder: lease?.holder ?? run_id, fence: lease?.fence ?? 0 };
    const fence = () => {
      if (lease !== null) leases.check(lease);
    };
    const owned = (row: Row) =>
      row.lease === mine.lease && row.holder === mine.holder && row.fence === mine.fence;
    /** The row as this run may settle it; undefined when it already is as wanted. */
    const held = (action_id: string, settled: readonly Row['status'][]): Row | undefined => {
      const row = rowOf(action_id);
      if (settled.includes(row.status) && (row.status === 'done' || owned(row))) return undefined;
      if (row.status !== 'running')
        throw new StoreError('ACTION_NOT_RUNNING', { action_id, status: row.status });
      if (!owned(row))
        throw new StoreError('STORE_FENCED', {
          lease: row.lease ?? `action ${action_id}`,
          fence: mine.fence,
          actual: row.fence,
        });
      return row;
    };
    const announce = (
      row: Row,
      event:
        | { readonly type: 'action_succeeded'; readonly result: ActionResult }
        | { readonly type: 'action_failed'; readonly error: ActionError; readonly final: boolean },
      suffix = event.type === 'action_failed' ? `:${row.attempts}` : '',
    ) => {
      if (row.sprint_id === null) return;
      const base = {
        event_id: `${event.type}:${row.action_id}${suffix}`,
        created_at: clock.now(),
        actor: 'caloron',
        trusted: true,
      };
      log.addEvent(
        row.sprint_id,
        { ...base, ...event, action: parseColumn(Action, row.action, 'outbox', row.action_id) },
        run_id,
      );
    };

    return {
      intend: (actions) =>
        database.write(() => {
          fence();
          return { added: actions.filter((action) => intend(action, clock.now(), run_id)).length };
        }),
      due: async ({ sprint_id, now, limit }) =>
        database.read(() => dueRows.all({ sprint_id, due: now, limit, ...times() }).map(item)),
      start: (action_id) =>
        database.write(() => {
          fence();
          const row = rowOf(action_id);
          if (row.status !== 'pending' && row.status !== 'failed' && row.interrupted === 0) return false;
          take.run(mine.lease, mine.holder, mine.fence, clock.now(), action_id);
          const attempt = row.attempts + 1;
          record('started', row, `:${attempt}`, run_id, {
            attempt,
            fence: mine.fence,
            interrupted: row.interrupted === 1,
          });
          return true;
        }),
      succeed: (action_id, result) =>
        database.write(() => {
          fence();
          const row = held(action_id, ['done']);
          if (row === undefined) return;
          settle.run(
            'done',
            row.next_at,
            storedText(parseRow(ActionResult, result, 'outbox', action_id), `result of ${action_id}`),
            null,
            action_id,
          );
          record('done', row, '', run_id, { attempt: row.attempts });
          announce(row, { type: 'action_succeeded', result });
        }),
      fail: (action_id, error, next_at) =>
        database.write(() => {
          fence();
          const row = held(action_id, ['failed', 'dead']);
          if (row === undefined) return;
          const status = next_at === null ? 'dead' : 'failed';
          settle.run(
            status,
            next_at ?? row.next_at,
            null,
            storedText(parseRow(ActionError, error, 'outbox', action_id), `error of ${action_id}`),
            action_id,
          );
          record(status, row, `:${row.attempts}`, run_id, { attempt: row.attempts, error, next_at });
          announce(row, { type: 'action_failed', error, final: next_at === null });
        }),
      postpone: (action_id, error, next_at, again = false) =>
        database.write(() => {
          fence();
          const row = held(action_id, []);
          if (row === undefined) return;
          back.run(
            next_at,
            storedText(parseRow(ActionError, error, 'outbox', action_id), `error of ${action_id}`),
            action_id,
          );
          const before = itemOf(row).error?.code;
          // An action may wait for days: it is told why, and not how often it asked.
          if (before === error.code && !again) return;
          const suffix = `:${row.attempts}:${clock.now()}`;
          record('postponed', row, suffix, run_id, { attempt: row.attempts, error, next_at });
          announce(row, { type: 'action_failed', error, final: false }, suffix);
        }),
      nextDue: async (sprint_id) => database.read(() => NextAt.parse(next.get(sprint_id)).next_at),
      countOpen: async (sprint_id) => database.read(() => Count.parse(open_rows.get(sprint_id)).rows),
    };
  };

  return {
    intend,
    open,
    rows: (sprint_id) => database.read(() => ofSprint.all({ sprint_id, ...times() }).map(item)),
  };
}
