import { GraphError } from '../graph/errors.ts';
import type { GraphNode } from '../graph/ast.ts';
import { walk } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import type { Compat } from '../run/context.ts';
import { interpret } from '../run/interpret.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';
import { type BareStep, bareContext, withSteps } from './bare-runner.ts';
import { type Facts, type OperatorCase, Panic, type Received } from './operator-case.ts';

/** An error of a run as the original has it. */
class OriginalRunError extends Error {
  override readonly name = 'OriginalRunError';
  readonly kind: string;

  constructor(kind: string, display: string) {
    super(display);
    this.kind = kind;
  }
}

/** One thread of a run: entries counted from 0. */
interface Thread {
  readonly entries: Json[][];
  calls: number;
}

/** What a run counted. */
export interface Counts {
  readonly root: GraphNode;
  readonly stages: readonly CatalogStage[];
  readonly received: Received;
}

/** Runs a graph the original's way and says what it says. */
export async function originalRun(test: OperatorCase, counts: Counts): Promise<Facts> {
  const main: Thread = { entries: [], calls: 0 };
  const cache = { hits: 0, misses: 0 };
  const bare = bareContext(test, counts.stages, (node) => exactly(counts.stages, node.id));
  const context = withSteps({ ...bare, compat: compatIn(main) }, (step) => {
    noteIn(main)(step);
    if (step.status === 'cached') cache.hits += 1;
    else if (bare.memo && isPure(counts.stages, step.stage_id)) cache.misses += 1;
  });
  const start = performance.now();
  const outcome = await outcomeOf(interpret(counts.root, 'root', test.input ?? null, context), counts.root);
  const failed = 'error' in outcome || main.entries.some(([, , status]) => status === 'Failed');
  return {
    ...outcome,
    calls: countsOf(counts.received),
    received: counts.received,
    trace: main.entries,
    trace_status: failed ? 'Failed' : 'Ok',
    cache,
    spent_cents: context.budget.spent_cents,
    wall_ms: performance.now() - start,
  };
}

/** The bare runner knows exact ids, of any lifecycle. */
function exactly(stages: readonly CatalogStage[], id: string): CatalogStage {
  const found = stages.find(({ record }) => record.id === id);
  if (found) return found;
  throw new GraphError('GRAPH_STAGE_UNKNOWN', { path: null, reference: id, nearest: [] });
}

/** Whether a stage is declared pure: only then it is looked for in the cache. */
export function isPure(stages: readonly CatalogStage[], id: string): boolean {
  return stages.some(
    ({ record, effects }) => record.id === id && effects.some(({ effect }) => effect === 'Pure'),
  );
}

/** Calls per stage. */
export function countsOf(received: Received): Json {
  const counts = new Map<string, number>();
  for (const [id] of received) counts.set(id, (counts.get(id) ?? 0) + 1);
  return Object.fromEntries(counts);
}

function noteIn(thread: Thread): (step: BareStep) => void {
  return ({ stage_id, status }) => {
    thread.entries.push([stage_id, thread.calls, status === 'failed' ? 'Failed' : 'Ok']);
    thread.calls += 1;
  };
}

/** A thread per branch: its steps join the thread that waits, in key order, and are lost when any branch fails. */
function compatIn(thread: Thread): Compat {
  return {
    together: async (kind, names, calls, run) => {
      const threads = names.map((): Thread => ({ entries: [], calls: 0 }));
      const outcomes = await Promise.allSettled(
        calls.map((call, i) => {
          const own = threads[i] ?? thread;
          return call(withSteps({ ...run, memo: null, compat: compatIn(own) }, noteIn(own)));
        }),
      );
      const outputs = outcomes.map((outcome, i) => {
        if (outcome.status === 'fulfilled') return outcome.value;
        throw isPanic(outcome.reason) ? panicked(kind, names[i] ?? '') : outcome.reason;
      });
      thread.entries.push(...threads.flatMap(({ entries }) => entries));
      return outputs;
    },
  };
}

function isPanic(error: unknown): boolean {
  return error instanceof Panic || (error instanceof Error && isPanic(error.cause));
}

function panicked(kind: 'parallel' | 'let', name: string): OriginalRunError {
  const what = kind === 'parallel' ? 'parallel branch' : 'let binding';
  return new OriginalRunError(
    'StageFailed',
    `stage StageId("${kind}:${name}") failed: ${what} "${name}" panicked during execution`,
  );
}

async function outcomeOf(running: Promise<Json>, root: GraphNode): Promise<Facts> {
  try {
    return { output: await running };
  } catch (error) {
    const { kind, message } = originalError(error, root);
    return { error: { kind, display: message } };
  }
}

function originalError(error: unknown, root: GraphNode): OriginalRunError {
  if (error instanceof OriginalRunError) return error;
  if (error instanceof StageError && error.code === 'STAGE_FAILED') {
    const { path, reason } = (error as StageError<'STAGE_FAILED'>).details;
    return new OriginalRunError('StageFailed', `stage StageId("${idAt(root, path)}") failed: ${reason}`);
  }
  if (!(error instanceof GraphError)) throw error;
  switch (error.code) {
    case 'GRAPH_STAGE_UNKNOWN': {
      const { reference } = (error as GraphError<'GRAPH_STAGE_UNKNOWN'>).details;
      return new OriginalRunError('StageNotFound', `stage StageId("${reference}") not found`);
    }
    case 'GRAPH_BUDGET_EXCEEDED': {
      const { spent_cents, budget_cents } = (error as GraphError<'GRAPH_BUDGET_EXCEEDED'>).details;
      return new OriginalRunError(
        'BudgetExceeded',
        `cost budget exceeded: spent ${spent_cents}¢ of ${budget_cents}¢ limit`,
      );
    }
    case 'GRAPH_RETRY_EXHAUSTED': {
      const { attempts } = (error as GraphError<'GRAPH_RETRY_EXHAUSTED'>).details;
      const display = `retry exhausted after ${attempts} attempts for stage StageId("unknown")`;
      return new OriginalRunError('RetryExhausted', display);
    }
    default:
      throw error;
  }
}

function idAt(root: GraphNode, path: string): string {
  for (const { path: at, node } of walk(root)) if (at === path && node.op === 'Stage') return node.id;
  throw new Error(`no stage at ${path}`);
}
