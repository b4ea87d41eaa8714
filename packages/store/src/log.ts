import { Event, LOG_EVENT_TYPES, type Clock, type Id, type LogRead } from '@caloron/types';
import { z } from 'zod';

import type { EventLog, LogRow, NewLogRow } from './api.ts';
import { parseColumn, parseRow, storedText } from './json.ts';
import type { Database, SqlValue } from './sql.ts';

const Row = z.strictObject({
  seq: z.number(),
  event_id: z.string(),
  at: z.string(),
  kind: z.string(),
  version: z.number(),
  run_id: z.string().nullable(),
  actor: z.string().nullable(),
  sprint_id: z.string().nullable(),
  target: z.string().nullable(),
  causation_id: z.string().nullable(),
  correlation_id: z.string().nullable(),
  lamport: z.number(),
  payload: z.string(),
});
const LogType = z.enum(LOG_EVENT_TYPES);
const Seq = z.strictObject({ seq: z.number() });
const LastSeq = z.strictObject({ seq: z.number().nullable() });
const SeenId = z.strictObject({ event_id: z.string() });
const SeqAndPayload = z.strictObject({ seq: z.number(), payload: z.string() });

/** What one row came to: `appended` false when its event_id was there. */
export interface Appended {
  readonly appended: boolean;
  readonly seq: number;
}

/** The log as other tables use it inside their transactions. */
export interface Log extends EventLog, LogRead {
  /** Appends one row; call inside `write`. */
  add(row: NewLogRow): Appended;
  /** Appends one domain Event; call inside `write`. */
  addEvent(sprint_id: Id, event: Event, run_id?: string | null): Appended;
  /** True when rows of LOG_EVENT_TYPES with after < seq <= until exist. */
  hasEvents(sprint_id: Id, after: number, until: number): boolean;
}

/** The task or process an event is about. */
function targetOf(event: Event): string | null {
  if (event.type === 'action_succeeded' || event.type === 'action_failed') return event.action.task_id;
  if (event.type === 'agent_reported') return event.report.task_id;
  return 'task_id' in event ? event.task_id : null;
}

function causeOf(event: Event): string | null {
  if (event.type === 'action_succeeded' || event.type === 'action_failed') return event.action.action_id;
  return null;
}

/** One condition for kinds that are exact or end in `*`. */
function kindCondition(kinds: readonly string[]): {
  readonly sql: string;
  readonly values: readonly string[];
} {
  const parts = kinds.map((kind) =>
    kind.endsWith('*')
      ? { sql: '(kind >= ? AND kind < ?)', values: [kind.slice(0, -1), `${kind.slice(0, -1)}\u{10ffff}`] }
      : { sql: 'kind = ?', values: [kind] },
  );
  return {
    sql: `(${parts.map(({ sql }) => sql).join(' OR ')})`,
    values: parts.flatMap(({ values }) => values),
  };
}

function logRow(row: unknown): LogRow {
  const { payload, ...rest } = parseRow(Row, row, 'events', '');
  return { ...rest, payload: parseColumn(z.unknown(), payload, 'events', rest.seq) };
}

/** The append-only log of a database. */
export function createLog(database: Database, clock: Clock): Log {
  const { db } = database;
  const insert = db.prepare(
    `INSERT INTO events (event_id, at, kind, version, run_id, actor, sprint_id, target, causation_id, correlation_id, lamport, payload)
     VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, NULL, (SELECT coalesce(max(seq), 0) + 1 FROM events), ?) RETURNING seq`,
  );
  const find = db.prepare("SELECT seq FROM events WHERE coalesce(sprint_id, '') = ? AND event_id = ?");
  const last = db.prepare('SELECT max(seq) AS seq FROM events');
  const types = LOG_EVENT_TYPES.map((type) => `'${type}'`).join(', ');
  const since = db.prepare(
    `SELECT seq, payload FROM events WHERE sprint_id = ? AND kind IN (${types}) AND seq > ? ORDER BY seq`,
  );
  const between = db.prepare(
    `SELECT min(seq) AS seq FROM events WHERE sprint_id = ? AND kind IN (${types}) AND seq > ? AND seq <= ?`,
  );
  const seen = db.prepare(
    'SELECT event_id FROM seen_events WHERE sprint_id = ? AND event_id IN (SELECT value FROM json_each(?))',
  );

  const lastSeq = () => LastSeq.parse(last.get()).seq ?? 0;
  const add = (row: NewLogRow): Appended => {
    const {
      event_id,
      kind,
      run_id = null,
      actor = null,
      sprint_id,
      target = null,
      causation_id = null,
    } = row;
    // Looked up first: a refused insert would still move the sequence, and so write.
    const existing = find.get(sprint_id ?? '', event_id);
    if (existing !== undefined) return { appended: false, seq: Seq.parse(existing).seq };
    const payload = storedText(row.payload, `event ${event_id}`);
    const made = insert.get(
      event_id,
      clock.now(),
      kind,
      run_id,
      actor,
      sprint_id,
      target,
      causation_id,
      payload,
    );
    return { appended: true, seq: Seq.parse(made).seq };
  };
  const addEvent = (sprint_id: Id, event: Event, run_id: string | null = null): Appended =>
    add({
      event_id: event.event_id,
      kind: event.type,
      sprint_id,
      actor: event.actor,
      target: targetOf(event),
      run_id,
      causation_id: causeOf(event),
      payload: parseRow(Event, event, 'events', event.event_id),
    });

  /** A row that sprints will read as an Event must be one. */
  const checked = (row: NewLogRow): NewLogRow => {
    if (LogType.safeParse(row.kind).success) parseRow(Event, row.payload, 'events', row.event_id);
    return row;
  };

  return {
    add,
    addEvent,
    lastSeq,
    hasEvents: (sprint_id, after, until) => LastSeq.parse(between.get(sprint_id, after, until)).seq !== null,
    append: (rows) =>
      database.write(() => {
        const made = rows.map((row) => add(checked(row)));
        return { appended: made.filter(({ appended }) => appended).length, last_seq: lastSeq() };
      }),
    appendEvent: (sprint_id, event) => database.write(() => addEvent(sprint_id, event)),
    read: ({ after, kinds, sprint_id, limit }) => {
      const condition = kinds === undefined ? undefined : kindCondition(kinds);
      if (kinds?.length === 0) return [];
      const sql = [
        'SELECT * FROM events WHERE seq > ?',
        ...(condition === undefined ? [] : [condition.sql]),
        ...(sprint_id === undefined ? [] : ['sprint_id = ?']),
      ].join(' AND ');
      const values: SqlValue[] = [
        after,
        ...(condition?.values ?? []),
        ...(sprint_id === undefined ? [] : [sprint_id]),
        limit ?? -1,
      ];
      return database.read(() =>
        db
          .prepare(`${sql} ORDER BY seq LIMIT ?`)
          .all(...values)
          .map(logRow),
      );
    },
    since: async ({ sprint_id, after }) =>
      database.read(() => ({
        events: since.all(sprint_id, after).map((row) => {
          const { seq, payload } = parseRow(SeqAndPayload, row, 'events', '');
          return { seq, event: parseColumn(Event, payload, 'events', seq) };
        }),
        last_seq: lastSeq(),
      })),
    seen: async (sprint_id, event_ids) =>
      database.read(() =>
        seen.all(sprint_id, JSON.stringify(event_ids)).map((row) => SeenId.parse(row).event_id),
      ),
  };
}
