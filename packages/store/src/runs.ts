import type { RunStarted } from '@caloron/noether';
import { z } from 'zod';

import type { RunRow, Runs } from './api.ts';
import { parseColumn, parseRow } from './json.ts';
import type { Database } from './sql.ts';

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
});
const Labels = z.record(z.string(), z.string());

const RUN =
  'SELECT run_id, composition_id, graph, started_at, input_hash, labels, status, finished_at, duration_ms, output_hash, error FROM runs';
const STEP =
  'SELECT run_id, path, stage_id, stage_name, attempt, started_at, duration_ms, status, input_hash, output_hash, error FROM run_steps';

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

function stepOf(found: unknown) {
  const { error, ...row } = parseRow(StepColumns, found, 'run_steps', '');
  return { ...row, error: error === null ? null : parseColumn(StepError, error, 'run_steps', row.run_id) };
}

/** Composition runs, failed ones too, and the attempts of their nodes. */
export function createRuns(database: Database): Runs {
  const { db } = database;
  const start = db.prepare(
    `INSERT INTO runs (run_id, composition_id, graph, started_at, input_hash, labels, status) VALUES (?, ?, ?, ?, ?, ?, 'running') ON CONFLICT DO NOTHING`,
  );
  const step = db.prepare(
    `INSERT INTO run_steps (run_id, path, stage_id, stage_name, attempt, started_at, duration_ms, status, input_hash, output_hash, error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const finish = db.prepare(
    'UPDATE runs SET status = ?, finished_at = ?, duration_ms = ?, output_hash = ?, error = ? WHERE run_id = ?',
  );
  const all = db.prepare(`${RUN} ORDER BY n DESC LIMIT ?`);
  const ofComposition = db.prepare(`${RUN} WHERE composition_id = ? ORDER BY n DESC LIMIT ?`);
  const exact = db.prepare(`${RUN} WHERE run_id = ?`);
  const prefixed = db.prepare(`${RUN} WHERE run_id >= ? AND run_id < ? ORDER BY n DESC LIMIT 1`);
  const steps = db.prepare(`${STEP} WHERE run_id = ? ORDER BY n`);

  return {
    runStarted: ({ run_id, composition_id, graph, started_at, input_hash, labels }) =>
      database.write(
        () => void start.run(run_id, composition_id, graph, started_at, input_hash, JSON.stringify(labels)),
      ),
    stepFinished: ({
      run_id,
      path,
      stage_id,
      stage_name,
      attempt,
      started_at,
      duration_ms,
      status,
      input_hash,
      output_hash,
      error,
    }) =>
      database.write(() => {
        const failure = error === null ? null : JSON.stringify({ code: error.code, message: error.message });
        step.run(
          run_id,
          path,
          stage_id,
          stage_name,
          attempt,
          started_at,
          duration_ms,
          status,
          input_hash,
          output_hash,
          failure,
        );
      }),
    runFinished: ({ run_id, finished_at, duration_ms, status, output_hash, error }) =>
      database.write(() => {
        const failure =
          error === null
            ? null
            : JSON.stringify({ code: error.code, message: error.message, path: error.path });
        finish.run(status, finished_at, duration_ms, output_hash, failure, run_id);
      }),
    list: ({ limit = 50, composition_id } = {}) =>
      (composition_id === undefined ? all.all(limit) : ofComposition.all(composition_id, limit)).map(runOf),
    get: (run_id) => {
      const found =
        exact.get(run_id) ?? (run_id === '' ? undefined : prefixed.get(run_id, `${run_id}\u{10ffff}`));
      if (found === undefined) return undefined;
      const run = runOf(found);
      return { run, steps: steps.all(run.run_id).map(stepOf) };
    },
  };
}
