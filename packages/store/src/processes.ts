import { epochMs, Exit, ProcessRow, keys, type Clock, type Id, type Timestamp, Usage } from '@caloron/types';
import { z } from 'zod';

import type { AgentRows } from './agents.ts';
import type { Beat, Processes } from './api.ts';
import { StoreError } from './errors.ts';
import { parseColumn, parseRow, storedText } from './json.ts';
import { KnownProcesses } from './known-processes.ts';
import type { Log } from './log.ts';
import type { Database } from './sql.ts';

const Stored = z.strictObject({ row: z.string() });
const SeenRow = z.strictObject({ at: z.string() });
const SpentRow = z.strictObject({
  usage: z.string().nullable(),
  tokens_used: z.number(),
  task_started_at: z.string(),
});

function processOf(found: unknown): ProcessRow {
  return parseColumn(ProcessRow, parseRow(Stored, found, 'processes', '').row, 'processes', '');
}

/** Usage as it is stored: read by this room alone, so its members need no order. It is written at every beat. */
function usageText(usage: Usage): string {
  const text = JSON.stringify(usage);
  return text.includes('\\ud') ? storedText(usage, 'usage') : text;
}

/** The shell's rows. */
export function createProcesses(database: Database, log: Log, agents: AgentRows, clock: Clock): Processes {
  const { db } = database;
  const known = new KnownProcesses(database, clock);
  const insert = db.prepare('INSERT INTO processes (row) VALUES (?)');
  const update = db.prepare('UPDATE processes SET row = ?, settled_at = ? WHERE process_id = ?');
  const addToken = db.prepare('INSERT INTO agent_tokens (token_hash, process_id) VALUES (?, ?)');
  const byId = db.prepare('SELECT row FROM processes WHERE process_id = ?');
  const byAction = db.prepare('SELECT row FROM processes WHERE action_id = ?');
  const newest = db.prepare(
    'SELECT row FROM processes WHERE sprint_id = ? AND task_id = ? AND role = ? ORDER BY n DESC LIMIT 1',
  );
  const unsettled = db.prepare('SELECT row FROM processes WHERE settled_at IS NULL ORDER BY n');
  const all = db.prepare('SELECT row FROM processes ORDER BY n');
  const ofSprint = db.prepare('SELECT row FROM processes WHERE sprint_id = ? ORDER BY n');
  const setAgent = db.prepare(
    `INSERT INTO agents (sprint_id, agent_id, process_id, task_started_at, tokens_used, rev) VALUES (?, ?, ?, ?, 0, 1)
     ON CONFLICT (sprint_id, agent_id) DO UPDATE SET process_id = excluded.process_id, task_started_at = excluded.task_started_at,
     last_heartbeat_at = NULL, last_progress_at = NULL, progress_kind = NULL, last_cpu_at = NULL, next_by = NULL, said = NULL, tokens_used = 0, usage = NULL, rev = rev + 1`,
  );
  const spent = db.prepare('SELECT usage, tokens_used, task_started_at FROM agents WHERE process_id = ?');
  const paused = db.prepare("SELECT 1 FROM kv WHERE namespace = '' AND key = ? AND value IS NOT NULL");
  const agent = db.prepare('SELECT 1 FROM agents WHERE sprint_id = ? AND agent_id = ?');
  // Progress and tokens only grow; a process that was replaced says nothing about the one that replaced it. What lies after
  // this beat was written before the clock was set back: it would hide a silence for as long.
  const setBeat = db.prepare(
    `UPDATE agents SET last_heartbeat_at = @at, task_started_at = min(task_started_at, @at),
     progress_kind = CASE WHEN @progress_at >= coalesce(min(last_progress_at, @at), '') THEN @progress_kind ELSE progress_kind END,
     last_progress_at = max(coalesce(min(last_progress_at, @at), @progress_at), coalesce(@progress_at, min(last_progress_at, @at))),
     last_cpu_at = max(coalesce(min(last_cpu_at, @at), @cpu_at), coalesce(@cpu_at, min(last_cpu_at, @at))),
     usage = CASE WHEN @usage IS NOT NULL AND @tokens_used >= tokens_used THEN @usage ELSE usage END,
     next_by = @next_by, said = @status, tokens_used = max(tokens_used, @tokens_used), rev = rev + 1
     WHERE sprint_id = @sprint_id AND agent_id = @agent_id AND process_id = coalesce(@process_id, process_id)`,
  );
  const seen = db.prepare(
    'SELECT coalesce(last_heartbeat_at, task_started_at) AS at FROM agents WHERE sprint_id = ? AND agent_id = ? AND process_id = ?',
  );
  const touch = db.prepare('UPDATE agents SET rev = rev + 1 WHERE process_id = ?');

  const find = (found: unknown): ProcessRow | undefined =>
    found === undefined ? undefined : processOf(found);
  const need = (process_id: string): ProcessRow => {
    const row = find(byId.get(process_id));
    if (row === undefined) throw new StoreError('PROCESS_UNKNOWN', { process_id });
    return row;
  };
  const save = (row: ProcessRow, settled_at: Timestamp | null) => {
    update.run(
      storedText(parseRow(ProcessRow, row, 'processes', row.process_id), `process ${row.process_id}`),
      settled_at,
      row.process_id,
    );
    touch.run(row.process_id);
    known.forget();
  };

  /** What is known of the spending of a process that ended: a harness that was killed told it with its heartbeats alone. */
  const spending = (process_id: string, at: Timestamp): { duration_ms?: number; usage?: Usage } => {
    const found = spent.get(process_id);
    if (found === undefined) return {};
    const { usage, tokens_used, task_started_at } = parseRow(SpentRow, found, 'agents', process_id);
    const untold = { model: 'unknown', input: 0, output: tokens_used, cache_read: 0, cache_write: 0 };
    const told = usage === null ? undefined : parseColumn(Usage, usage, 'agents', process_id);
    return {
      duration_ms: Math.max(0, epochMs(at) - epochMs(task_started_at)),
      ...(told === undefined && tokens_used === 0 ? {} : { usage: told ?? [untold] }),
    };
  };

  const beat = (
    sprint_id: Id,
    agent_id: Id,
    process_id: string | null,
    said: Beat,
    at: Timestamp,
  ): boolean => {
    const { changes } = setBeat.run({
      progress_at: said.progress_at,
      progress_kind: said.progress_kind ?? null,
      cpu_at: said.cpu_at ?? null,
      next_by: said.next_by,
      status: said.status,
      tokens_used: said.tokens_used ?? 0,
      usage: said.usage ? usageText(said.usage) : null,
      at,
      sprint_id,
      agent_id,
      process_id,
    });
    return changes > 0 || agent.get(sprint_id, agent_id) !== undefined;
  };

  return {
    begin: (given, token_hash) =>
      database.write(() => {
        const row = parseRow(ProcessRow, given, 'processes', given.process_id);
        const existing = find(byAction.get(row.action_id) ?? byId.get(row.process_id));
        if (existing !== undefined)
          throw new StoreError('PROCESS_EXISTS', {
            action_id: row.action_id,
            process_id: existing.process_id,
          });
        // In the row's own transaction: whoever pauses, and looks at the rows afterwards, misses no start.
        if (paused.get(keys.paused(row.sprint_id)) !== undefined)
          throw new StoreError('SPRINT_PAUSED', { sprint_id: row.sprint_id });
        insert.run(storedText(row, `process ${row.process_id}`));
        addToken.run(token_hash, row.process_id);
        setAgent.run(row.sprint_id, row.agent_id, row.process_id, clock.now());
        known.forget();
      }),
    running: (process_id, started) =>
      database.write(() => {
        const row = need(process_id);
        // A process may be seen to end before its start was recorded.
        const settled = row.state === 'exited' || row.state === 'lost';
        if (!settled) save({ ...row, ...started, state: 'running' }, null);
      }),
    pause: (process_id, reason) =>
      database.write(() => {
        const row = need(process_id);
        if (row.state === 'exited' || row.state === 'lost' || row.pause !== undefined) return;
        save({ ...row, pause: reason }, null);
      }),
    settle: (process_id, exit, state, kept) =>
      database.write(() => {
        const row = need(process_id);
        if (row.state === 'exited' || row.state === 'lost') return;
        const { sprint_id, task_id, role } = row;
        save({ ...row, state, exit: parseRow(Exit, exit, 'processes', process_id) }, clock.now());
        log.addEvent(sprint_id, {
          type: 'agent_exited',
          event_id: `agent_exited:${process_id}`,
          created_at: exit.at,
          actor: 'caloron',
          trusted: true,
          process_id,
          task_id,
          role,
          exit,
          ...spending(process_id, exit.at),
          ...kept,
        });
      }),
    get: (process_id) => known.get(process_id),
    byAction: (action_id) => find(byAction.get(action_id)),
    latest: (sprint_id, task_id, role) => find(newest.get(sprint_id, task_id, role)),
    open: () => unsettled.all().map(processOf),
    list: (sprint_id) => (sprint_id === undefined ? all.all() : ofSprint.all(sprint_id)).map(processOf),
    beat: ({ sprint_id, agent_id, process_id }, said, at) =>
      database.write(() => beat(sprint_id, agent_id, process_id, said, at)),
    seenAt: ({ sprint_id, agent_id, process_id }) => {
      const found = seen.get(sprint_id, agent_id, process_id);
      return found === undefined ? undefined : parseRow(SeenRow, found, 'agents', process_id).at;
    },
    byTokenHash: (token_hash) => known.byTokenHash(token_hash),
    agents: (sprint_id) => agents.list(sprint_id).map(({ agent_id, info }) => ({ ...info, agent_id })),
  };
}
