import { CodedError, codeOf, isRetryable, messageOf } from '../errors.ts';
import { GraphError } from '../graph/errors.ts';
import type { Json } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';
import { takeInput, takeOutput } from './boundary.ts';
import { contextOf } from './clients.ts';
import type { Called, RunContext } from './context.ts';
import { settle } from './settle.ts';
import { callsOf } from './stage-calls.ts';
import { inTurn } from './wait.ts';

/** Calls a stage on a merged input: schema, run, schema, with trace and cache. Throws StageError or the run's abort reason. */
export async function callStage(called: Called, path: string, input: Json, run: RunContext): Promise<Json> {
  const { entry, callees } = called;
  // The stages it calls take their own turn and are remembered themselves.
  if (callees !== null) return attempt({ called, path, input }, run);
  if (!isPure(entry)) return inTurn(run, () => attempt({ called, path, input }, run));
  const taken = run.memo?.pays(entry) === true ? comparable(entry, path, input) : undefined;
  if (taken === undefined || run.memo === null) return attempt({ called, path, input }, run);
  const { output, cached } = await run.memo.output(entry, taken, () =>
    attempt({ called, path, input, taken }, run),
  );
  if (cached) await tellCached({ called, path, input }, output, run);
  return output;
}

/** Only what both the id covers and the stage declares as pure is remembered, and waits for nobody. */
function isPure(entry: CatalogStage): boolean {
  return entry.effects.some(isPureEffect) && entry.effective_effects.some(isPureEffect);
}

function isPureEffect({ effect }: { readonly effect: string }): boolean {
  return effect === 'Pure';
}

/** What the stage makes of its input, where two of them can be compared: fields it does not declare do not matter. */
function comparable(entry: CatalogStage, path: string, input: Json): Json | undefined {
  try {
    const taken = takeInput(entry, path, input);
    return taken === input ? input : settle(taken);
  } catch (error) {
    // The attempt meets it again, and tells the trace.
    if (error instanceof StageError) return undefined;
    throw error;
  }
}

interface Attempt {
  readonly called: Called;
  readonly path: string;
  readonly input: Json;
  /** What its schema made of the input, where that is known. */
  readonly taken?: unknown;
}

function tellCached({ called, path, input }: Attempt, output: Json, run: RunContext): void | Promise<void> {
  const { tracing } = run;
  if (!tracing) return;
  const step = { ...nodeFacts(called.entry, path), input, output, status: 'cached' as const };
  return tracing.step({ ...step, began: null, started_at: tracing.now() });
}

function nodeFacts(
  { record, stage }: CatalogStage,
  path: string,
): {
  readonly path: string;
  readonly stage_id: string;
  readonly stage_name: string;
  readonly schemas: CatalogStage['stage'];
} {
  return { path, stage_id: record.id, stage_name: record.name, schemas: stage };
}

async function attempt(call: Attempt, run: RunContext): Promise<Json> {
  const { called, path, input } = call;
  const { tracing } = run;
  const pause = run.breathe();
  if (pause) await pause;
  run.signal.throwIfAborted();
  const stage = called.entry.record.name;
  charge(called.entry, path, run);
  if (run.observe) await run.observe({ kind: 'before', path, stage });
  const started_at = tracing?.now() ?? '';
  const began = performance.now();
  const facts = tracing && { ...nodeFacts(called.entry, path), input, started_at, began };
  let output: Json;
  try {
    output = await execute(call, run);
  } catch (thrown) {
    const error = { code: publicCode(thrown), message: messageOf(thrown) };
    if (facts) await tracing?.step({ ...facts, status: 'failed', error });
    throw thrown;
  }
  const told = facts && tracing?.step({ ...facts, status: 'ok', output });
  if (told) await told;
  if (run.observe) await run.observe({ kind: 'after', path, stage });
  return output;
}

/** Reserves a call's declared cost; failed calls are not refunded. Throws GRAPH_BUDGET_EXCEEDED. */
function charge(entry: CatalogStage, path: string, { budget }: RunContext): void {
  const cents = entry.effective_effects.reduce((sum, effect) => sum + Number(effect['cents'] ?? 0), 0);
  const { spent_cents, limit_cents } = budget;
  if (limit_cents !== null && spent_cents + cents > limit_cents) {
    throw new GraphError('GRAPH_BUDGET_EXCEEDED', { path, spent_cents, budget_cents: limit_cents });
  }
  budget.spent_cents += cents;
}

async function execute({ called, path, input, taken }: Attempt, run: RunContext): Promise<Json> {
  const { entry, callees } = called;
  const { stage } = entry;
  const given = taken === undefined ? takeInput(entry, path, input) : taken;
  const clients = contextOf(entry, path, run.capabilities);
  const context = callees === null ? clients : { ...clients, stages: callsOf(callees, path, run, callStage) };
  let answer: unknown;
  try {
    answer = stage.run(given, context, run.signal);
    if (answer instanceof Promise) {
      if (isPure(entry) && callees === null) {
        answer.catch(() => undefined);
        throw new TypeError('a Pure stage answered with a promise');
      }
      // Abandoned when the run ends first.
      answer = await run.ending.first(answer);
    }
  } catch (cause) {
    throw failure(stage.name, path, cause, run.signal);
  }
  return takeOutput(entry, path, answer);
}

/** What a stage threw, placed in the graph; its own code, hint, retryable and skips are kept. */
function failure(stage: string, path: string, cause: unknown, signal: AbortSignal): Error {
  if (signal.aborted && cause === signal.reason) return cause as Error;
  // What a stage it called failed of has its place already.
  if (pathOf(cause)?.startsWith(`${path}.calls[`) === true) return cause as Error;
  const cause_code = cause instanceof CodedError ? String(cause.code) : null;
  const options = { cause, retryable: isRetryable(cause) };
  const { hint, skips = false } = cause instanceof CodedError ? cause : {};
  const details = { stage, path, cause_code, reason: messageOf(cause) };
  return new StageError('STAGE_FAILED', details, {
    ...options,
    skips,
    ...(hint !== undefined && { hint }),
  });
}

/** The code people see for an error of a run: a failed stage's own code where it has one. */
export function publicCode(error: unknown): string {
  if (error instanceof StageError && error.code === 'STAGE_FAILED') {
    return (error as StageError<'STAGE_FAILED'>).details.cause_code ?? 'STAGE_FAILED';
  }
  return codeOf(error);
}

/** What the stage itself said, without its place in the graph; undefined where it said nothing under a code of its own. */
export function saidOf(error: unknown): string | undefined {
  if (!(error instanceof StageError) || error.code !== 'STAGE_FAILED') return undefined;
  const { cause_code, reason } = (error as StageError<'STAGE_FAILED'>).details;
  return cause_code === null ? undefined : reason;
}

/** The node an error came from; null when it belongs to none. */
export function pathOf(error: unknown): string | null {
  if (!(error instanceof StageError || error instanceof GraphError)) return null;
  const details: object = error.details;
  return 'path' in details && typeof details.path === 'string' ? details.path : null;
}
