import type { z } from 'zod';

import { canonicalJson, contentId, sha256Hex } from '../canonical.ts';
import { CodedError, codeOf, isRetryable, messageOf } from '../errors.ts';
import { GraphError } from '../graph/errors.ts';
import type { Json, StepFinished } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';
import { fitInput } from '../types/fit-input.ts';
import { brokenRefinement } from '../types/value.ts';
import { contextOf } from './clients.ts';
import type { RunContext } from './context.ts';
import { toJson } from './values.ts';

/** Largest canonical input, in characters, whose output is cached beyond the run. */
const MAX_CACHED_INPUT = 16_384;
/** Issues named in one error; more would hide the first. */
const MAX_ISSUES = 5;

/** Calls a stage on a merged input: schema, run, schema, with trace and cache. Throws StageError or the run's abort reason. */
export async function callStage(
  entry: CatalogStage,
  path: string,
  input: Json,
  run: RunContext,
): Promise<Json> {
  const input_hash = contentId(input);
  const { memo } = run;
  const text = memo !== null && isPure(entry) ? cacheText(entry, input) : null;
  if (memo === null || text === null) return run.limit(() => attempt(entry, path, input, input_hash, run));
  const cache_hash = sha256Hex(text);
  const key = `${entry.record.id}:${cache_hash}`;
  const known = memo.get(key);
  if (known) return cachedStep(entry, path, input_hash, run, await known);
  const durable = text.length <= MAX_CACHED_INPUT && !/"now":/u.test(text);
  const call = pureCall(entry, path, { input, input_hash, cache_hash, durable }, run);
  memo.set(key, call);
  call.catch(() => memo.delete(key));
  return call;
}

/** The canonical text of what the stage makes of its input: fields it does not declare do not matter. Null when it refuses it. */
function cacheText(entry: CatalogStage, input: Json): string | null {
  const parsed = readInput(entry, input);
  const json = parsed.success ? toJson(parsed.data) : undefined;
  return json === undefined ? null : canonicalJson(json);
}

/** Only what both the id covers and the stage declares as pure is remembered. */
function isPure(entry: CatalogStage): boolean {
  return [entry.effects, entry.effective_effects].every((effects) =>
    effects.some(({ effect }) => effect === 'Pure'),
  );
}

interface PureInput {
  readonly input: Json;
  readonly input_hash: string;
  /** Hash of the parsed input. */
  readonly cache_hash: string;
  /** Whether the output may be kept beyond this run. */
  readonly durable: boolean;
}

async function pureCall(entry: CatalogStage, path: string, call: PureInput, run: RunContext): Promise<Json> {
  const cache = call.durable ? run.cache : null;
  const found = cache && (await quietly(async () => cache.get(entry.record.id, call.cache_hash)));
  if (found !== undefined && found !== null) return cachedStep(entry, path, call.input_hash, run, found);
  const output = await run.limit(() => attempt(entry, path, call.input, call.input_hash, run));
  if (cache) await quietly(async () => cache.put(entry.record.id, call.cache_hash, output));
  return output;
}

/** A cache that cannot answer is no cache. */
async function quietly<T>(use: () => Promise<T>): Promise<T | undefined> {
  try {
    return await use();
  } catch {
    return undefined;
  }
}

type StepFacts = Pick<
  StepFinished,
  'status' | 'started_at' | 'duration_ms' | 'input_hash' | 'output_hash' | 'error'
>;

function report(entry: CatalogStage, path: string, run: RunContext, facts: StepFacts): Promise<void> {
  const attempt = (run.attempts.get(path) ?? 0) + 1;
  run.attempts.set(path, attempt);
  const { id: stage_id, name: stage_name } = entry.record;
  return run.step({ run_id: run.run_id, path, stage_id, stage_name, attempt, ...facts });
}

async function cachedStep(
  entry: CatalogStage,
  path: string,
  input_hash: string,
  run: RunContext,
  output: Json,
): Promise<Json> {
  const started_at = run.clock.now();
  await report(entry, path, run, {
    status: 'cached',
    started_at,
    duration_ms: 0,
    input_hash,
    output_hash: contentId(output),
    error: null,
  });
  return output;
}

async function attempt(
  entry: CatalogStage,
  path: string,
  input: Json,
  input_hash: string,
  run: RunContext,
): Promise<Json> {
  run.signal.throwIfAborted();
  const stage = entry.record.name;
  charge(entry, path, run);
  await run.observe?.({ kind: 'before', path, stage });
  const started_at = run.clock.now();
  const start = performance.now();
  const facts = (): Pick<StepFacts, 'started_at' | 'duration_ms' | 'input_hash'> => ({
    started_at,
    duration_ms: Math.round(performance.now() - start),
    input_hash,
  });
  try {
    const output = await execute(entry, path, input, run);
    await report(entry, path, run, { ...facts(), status: 'ok', output_hash: contentId(output), error: null });
    await run.observe?.({ kind: 'after', path, stage });
    return output;
  } catch (thrown) {
    const error = { code: publicCode(thrown), message: messageOf(thrown) };
    await report(entry, path, run, { ...facts(), status: 'failed', output_hash: null, error });
    throw thrown;
  }
}

/** Reserves a call's declared cost; failed calls are not refunded. Throws GRAPH_BUDGET_EXCEEDED. */
function charge(entry: CatalogStage, path: string, { budget }: RunContext): void {
  const cents = entry.effects.reduce((sum, effect) => sum + Number(effect['cents'] ?? 0), 0);
  const { spent_cents, limit_cents } = budget;
  if (limit_cents !== null && spent_cents + cents > limit_cents) {
    throw new GraphError('GRAPH_BUDGET_EXCEEDED', { path, spent_cents, budget_cents: limit_cents });
  }
  budget.spent_cents += cents;
}

async function execute(entry: CatalogStage, path: string, input: Json, run: RunContext): Promise<Json> {
  const { stage } = entry;
  const broken = brokenRefinement(input, entry.input);
  if (broken !== null) {
    const issues = [`input refinement violation ${broken}`];
    throw new StageError('STAGE_INPUT_INVALID', { stage: stage.name, path, issues });
  }
  const parsed = parseInput(entry, path, input);
  const context = contextOf(entry, path, run.capabilities);
  let answer: unknown;
  try {
    answer = stage.run(parsed, context, run.signal);
    if (answer instanceof Promise) {
      // Abandoned when the run ends first: its rejection then concerns nobody.
      answer.catch(() => undefined);
      if (isPure(entry)) throw new TypeError('a Pure stage answered with a promise');
      answer = await Promise.race([answer, run.aborted]);
    }
  } catch (cause) {
    throw failure(stage.name, path, cause, run.signal);
  }
  return parseOutput(entry, path, answer);
}

function readInput(entry: CatalogStage, input: Json): z.ZodSafeParseResult<unknown> {
  const schema = entry.stage.input;
  const first = schema.safeParse(input);
  return first.success ? first : schema.safeParse(fitInput(schema, input));
}

function parseInput(entry: CatalogStage, path: string, input: Json): unknown {
  const parsed = readInput(entry, input);
  if (parsed.success) return parsed.data;
  const issues = issuesOf(parsed.error);
  throw new StageError('STAGE_INPUT_INVALID', { stage: entry.stage.name, path, issues });
}

function parseOutput(entry: CatalogStage, path: string, answer: unknown): Json {
  const stage = entry.stage.name;
  const parsed = entry.stage.output.safeParse(answer);
  if (!parsed.success)
    throw new StageError('STAGE_OUTPUT_INVALID', { stage, path, issues: issuesOf(parsed.error) });
  const output = toJson(parsed.data);
  const broken = output === undefined ? null : brokenRefinement(output, entry.output);
  if (output !== undefined && broken === null) return output;
  const issue =
    broken === null
      ? 'the output holds something JSON cannot carry'
      : `output refinement violation ${broken}`;
  throw new StageError('STAGE_OUTPUT_INVALID', { stage, path, issues: [issue] });
}

function issuesOf(error: z.ZodError): readonly string[] {
  const issues = error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
  );
  return issues.length <= MAX_ISSUES
    ? issues
    : [...issues.slice(0, MAX_ISSUES), `and ${issues.length - MAX_ISSUES} more`];
}

/** What a stage threw, placed in the graph; its own code, hint and retryable are kept. */
function failure(stage: string, path: string, cause: unknown, signal: AbortSignal): Error {
  if (signal.aborted && cause === signal.reason) return cause as Error;
  const cause_code = cause instanceof CodedError ? String(cause.code) : null;
  const options = { cause, retryable: isRetryable(cause) };
  const hint = cause instanceof CodedError ? cause.hint : undefined;
  const details = { stage, path, cause_code, reason: messageOf(cause) };
  return new StageError('STAGE_FAILED', details, hint === undefined ? options : { ...options, hint });
}

/** The code people see for an error of a run: a failed stage's own code where it has one. */
export function publicCode(error: unknown): string {
  if (error instanceof StageError && error.code === 'STAGE_FAILED') {
    return (error as StageError<'STAGE_FAILED'>).details.cause_code ?? 'STAGE_FAILED';
  }
  return codeOf(error);
}

/** The node an error came from; null when it belongs to none. */
export function pathOf(error: unknown): string | null {
  if (!(error instanceof StageError || error instanceof GraphError)) return null;
  const details: object = error.details;
  return 'path' in details && typeof details.path === 'string' ? details.path : null;
}
