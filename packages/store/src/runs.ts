import type { Json, RunStarted, StepFinished } from '@caloron/noether';
import { z } from 'zod';

import type { RunQuery, RunRow, Runs, RunTrace } from './api.ts';
import { StoreError } from './errors.ts';
import { parseColumn, parseRow, storedValue } from './json.ts';
import type { Database, SqlValue, Statement } from './sql.ts';
import type { TraceBuffer } from './trace-buffer.ts';

/** Longest JSON text of one recorded value, characters; a longer one is told by its length alone. */
const MAX_VALUE = 262_144;
/** Candidates named when the beginning of an id fits several. */
const MAX_CANDIDATES = 8;

const RunError = z.strictObject({ code: z.string(), message: z.string(), path: z.string().nullable() });
const StepError = z.strictObject({ code: z.string(), message: z.string() });
const RunColumns = z.strictObject({
  run_id: z.string(),
  composition_id: z.string(),
  graph: z.string(),
  started_at: z.string(),
  input_hash: z.string(),
  labels: z.string(),
  status: z.enum(['running', 'ok', 'failed', 'skipped', 'refused']),
  finished_at: z.string().nullable(),
  duration_ms: z.number().nullable(),
  output_hash: z.string().nullable(),
  error: z.string().nullable(),
});
const StepColumns = z.strictObject({
  run_id: z.string(),
  path: z.string(),
  stage_id: z.string(),
  stage_name: z.string(),
  attempt: z.number(),
  started_at: z.string(),
  duration_ms: z.number(),
  status: z.enum(['ok', 'failed', 'cached']),
  input_hash: z.string(),
  output_hash: z.string().nullable(),
  error: z.string().nullable(),
  input: z.string().nullable(),
  output: z.string().nullable(),
});
const Labels = z.record(z.string(), z.string());
const Found = z.strictObject({ id: z.string(), graph: z.string(), started_at: z.string() });

const RUN =
  'SELECT run_id, composition_id, graph, started_at, input_hash, labels, status, finished_at, duration_ms, output_hash, error FROM runs';
const STEP =
  'SELECT run_id, path, stage_id, stage_name, attempt, started_at, duration_ms, status, input_hash, output_hash, error, input, output FROM run_steps';

function runOf(found: unknown): RunRow {
  const { labels, status, finished_at, duration_ms, error, output_hash, ...row } = parseRow(
    RunColumns,
    found,
    'runs',
    '',
  );
  const started: RunStarted = { ...row, labels: parseColumn(Labels, labels, 'runs', row.run_id) };
  if (finished_at === null || duration_ms === null) return { ...started, status };
  return {
    ...started,
    status,
    finished_at,
    duration_ms,
    output_hash,
    error: error === null ? null : parseColumn(RunError, error, 'runs', row.run_id),
  };
}

function stepOf(found: unknown): StepFinished {
  const { error, input, output, ...row } = parseRow(StepColumns, found, 'run_steps', '');
  return {
    ...row,
    error: error === null ? null : parseColumn(StepError, error, 'run_steps', row.run_id),
    ...(input === null ? {} : { input: storedValue(input, `input of ${row.path}`) }),
    ...(output === null ? {} : { output: storedValue(output, `output of ${row.path}`) }),
  };
}

/** A recorded value as text; null when none was recorded. */
function valueText(value: Json | undefined): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value);
  return text.length <= MAX_VALUE ? text : JSON.stringify({ left_out_characters: text.length });
}

function stepParameters(step: StepFinished): readonly SqlValue[] {
  const { error } = step;
  return [
    step.run_id,
    step.path,
    step.stage_id,
    step.stage_name,
    step.attempt,
    step.started_at,
    step.duration_ms,
    step.status,
    step.input_hash,
    step.output_hash,
    error === null ? null : JSON.stringify({ code: error.code, message: error.message }),
    valueText(step.input),
    valueText(step.output),
  ];
}

/** The largest text that begins with `prefix`, in SQLite's order of bytes. */
const upTo = (prefix: string): string => `${prefix}\u{10ffff}`;

function lister({ db }: Database): (query: RunQuery) => readonly RunRow[] {
  const statements = new Map<string, Statement>();
  return ({ limit = 50, composition_id, status, graph, labels = {}, since }) => {
    const wheres: string[] = [];
    const parameters: SqlValue[] = [];
    const where = (text: string, ...values: readonly SqlValue[]): void => {
      wheres.push(text);
      parameters.push(...values);
    };
    if (composition_id !== undefined)
      where('composition_id >= ? AND composition_id < ?', composition_id, upTo(composition_id));
    if (status !== undefined) where('status = ?', status);
    if (since !== undefined) where('started_at >= ?', since);
    for (const [label, value] of Object.entries(labels))
      where('EXISTS (SELECT 1 FROM json_each(labels) WHERE key = ? AND value = ?)', label, value);
    if (graph !== undefined) {
      const ends = [`/${graph}`, `/${graph}.json`];
      where(
        `(graph IN (?, ?) OR ${ends.map(() => 'substr(graph, -length(?)) = ?').join(' OR ')})`,
        graph,
        `${graph}.json`,
        ...ends.flatMap((end) => [end, end]),
      );
    }
    const source = `${RUN} ${wheres.length === 0 ? '' : `WHERE ${wheres.join(' AND ')}`} ORDER BY n DESC LIMIT ?`;
    const statement = statements.get(source) ?? db.prepare(source);
    statements.set(source, statement);
    return statement.all(...parameters, limit).map(runOf);
  };
}

function finder({ db }: Database): (reference: string) => RunRow | undefined {
  const byId = db.prepare(`${RUN} WHERE run_id = ?`);
  const latest = db.prepare(`${RUN} WHERE composition_id = ? ORDER BY n DESC LIMIT 1`);
  const runs = db.prepare(
    'SELECT run_id AS id, graph, started_at FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY n DESC LIMIT ?',
  );
  const compositions = db.prepare(
    'SELECT composition_id AS id, graph, max(started_at) AS started_at FROM runs WHERE composition_id >= ? AND composition_id < ? GROUP BY composition_id LIMIT ?',
  );
  const beginning = (statement: Statement, reference: string): readonly z.infer<typeof Found>[] =>
    statement
      .all(reference, upTo(reference), MAX_CANDIDATES)
      .map((row) => parseRow(Found, row, 'runs', reference));

  return (reference) => {
    if (reference === '') return undefined;
    const exact = byId.get(reference) ?? latest.get(reference);
    if (exact !== undefined) return runOf(exact);
    const run = beginning(runs, reference);
    const composition = beginning(compositions, reference);
    const [first] = run;
    const [of] = composition;
    if (run.length + composition.length > 1) {
      const candidates = [
        ...run.map(({ id, graph, started_at }) => `run ${id} of ${graph} (${started_at})`),
        ...composition.map(({ id, graph }) => `composition ${id.slice(0, 16)} of ${graph}`),
      ];
      throw new StoreError('RUN_AMBIGUOUS', { reference, candidates });
    }
    const found = first === undefined ? of && latest.get(of.id) : byId.get(first.id);
    return found === undefined ? undefined : runOf(found);
  };
}

/** Composition runs, failed ones too, and the attempts of their nodes. */
export function createRuns(database: Database, buffer: TraceBuffer): Runs {
  const { db } = database;
  const start = db.prepare(
    `INSERT INTO runs (run_id, composition_id, graph, started_at, input_hash, labels, status) VALUES (?, ?, ?, ?, ?, ?, 'running') ON CONFLICT DO NOTHING`,
  );
  const step = db.prepare(
    `INSERT INTO run_steps (run_id, path, stage_id, stage_name, attempt, started_at, duration_ms, status, input_hash, output_hash, error, input, output)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const finish = db.prepare(
    'UPDATE runs SET status = ?, finished_at = ?, duration_ms = ?, output_hash = ?, error = ? WHERE run_id = ?',
  );
  const steps = db.prepare(`${STEP} WHERE run_id = ? ORDER BY n`);
  const list = lister(database);
  const find = finder(database);

  return {
    runStarted: ({ run_id, composition_id, graph, started_at, input_hash, labels }) => {
      buffer.add({
        statement: start,
        parameters: [run_id, composition_id, graph, started_at, input_hash, JSON.stringify(labels)],
      });
      // Before it begins: other processes see that it runs, and a killed run is not forgotten.
      return buffer.soon();
    },
    stepFinished: (finished) => buffer.add({ statement: step, parameters: stepParameters(finished) }),
    runFinished: ({ run_id, finished_at, duration_ms, status, output_hash, error }) => {
      const failure =
        error === null
          ? null
          : JSON.stringify({ code: error.code, message: error.message, path: error.path });
      buffer.add({
        statement: finish,
        parameters: [status, finished_at, duration_ms, output_hash, failure, run_id],
      });
      return buffer.flush();
    },
    list: (query = {}) => {
      buffer.drain();
      return list(query);
    },
    get: (reference): RunTrace | undefined => {
      buffer.drain();
      const run = find(reference);
      return run && { run, steps: steps.all(run.run_id).map(stepOf) };
    },
  };
}
