import pLimit from 'p-limit';

import { contentId } from '../canonical.ts';
import { type Checked, check } from '../check/check.ts';
import type { CheckProblem } from '../check/problem.ts';
import { CodedError, messageOf } from '../errors.ts';
import type { Graph, Policy, StageNode } from '../graph/ast.ts';
import { compositionId } from '../graph/composition-id.ts';
import { GraphError } from '../graph/errors.ts';
import type { Json, LeaseGrant, Leases, OutputCache, RunFinished, RunInfo, TraceSink } from '../ports.ts';
import type { Catalog, CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';
import { pathOf, publicCode } from './call-stage.ts';
import type { Moment, RunContext } from './context.ts';
import { interpret } from './interpret.ts';
import { type HeldLease, holdLease, leaseName } from './lease.ts';
import { abortOf } from './wait.ts';

/** Stage calls at once in one run, unless the caller says otherwise. */
const DEFAULT_CONCURRENCY = 16;

/** What a run is given. */
export interface RunOptions {
  readonly graph: Graph;
  /** File or name, for people. */
  readonly graph_name: string;
  readonly input: Json;
  readonly catalog: Catalog;
  /** The clients of each capability, for this run. */
  readonly capabilities: (run: RunInfo) => Readonly<Record<string, object>>;
  readonly clock: { now(): string };
  readonly uuid: () => string;
  readonly leases?: Leases | undefined;
  readonly trace?: TraceSink | undefined;
  readonly cache?: OutputCache | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Deadline of the whole run, ms. */
  readonly timeout_ms?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Declared cost the run may reach, cents; each call is charged before it is made. */
  readonly budget_cents?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly policy?: Policy | null | undefined;
  /** Awaited before and after every stage call. */
  readonly observe?: ((moment: Moment) => void | Promise<void>) | undefined;
  readonly run_id?: string | undefined;
  /** For remote stages; the global one otherwise. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Why a run ended without an output. */
export interface RunFailure {
  readonly code: string;
  readonly message: string;
  /** Node it happened at; null when it concerns the run as a whole. */
  readonly path: string | null;
  readonly hint?: string;
  readonly problems?: readonly CheckProblem[];
}

/** How a run ended. `refused`: before any stage ran. */
export type RunResult =
  | {
      readonly ok: true;
      readonly status: 'ok' | 'skipped';
      readonly run_id: string;
      readonly composition_id: string;
      readonly output: Json;
      readonly effects: readonly string[];
      readonly duration_ms: number;
      readonly warnings: readonly string[];
    }
  | {
      readonly ok: false;
      readonly status: 'refused' | 'failed';
      readonly run_id: string;
      readonly composition_id: string;
      readonly error: RunFailure;
      readonly duration_ms: number;
    };

type Outcome =
  | { readonly status: 'ok' | 'skipped'; readonly output: Json }
  | { readonly status: 'refused' | 'failed'; readonly error: RunFailure };

/** Runs a graph: check, lease, stages, trace. Never throws for what the graph or its stages do: the result says it. */
export async function runGraph(options: RunOptions): Promise<RunResult> {
  const start = performance.now();
  const run_id = options.run_id ?? options.uuid();
  const composition_id = compositionId(options.graph);
  const trace = quiet(options.trace);
  const { graph_name: graph, labels = {}, input } = options;
  await trace.runStarted({
    run_id,
    composition_id,
    graph,
    labels,
    started_at: options.clock.now(),
    input_hash: contentId(input),
  });

  const checked = check(options.graph, options.catalog, { input, policy: options.policy ?? null });
  const outcome = checked.report.ok
    ? await execute(options, checked, { run_id, composition_id, graph, lease: null }, trace)
    : refusal(checked.report.problems);

  const duration_ms = Math.round(performance.now() - start);
  await trace.runFinished(finished(run_id, outcome, options.clock.now(), duration_ms));
  if ('error' in outcome) return { ok: false, run_id, composition_id, ...outcome, duration_ms };
  const { effects } = checked.report;
  return { ok: true, run_id, composition_id, ...outcome, effects, duration_ms, warnings: checked.notices };
}

function finished(run_id: string, outcome: Outcome, finished_at: string, duration_ms: number): RunFinished {
  const facts = { run_id, finished_at, duration_ms, status: outcome.status };
  if (!('error' in outcome)) return { ...facts, output_hash: contentId(outcome.output), error: null };
  const { code, message, path } = outcome.error;
  return { ...facts, output_hash: null, error: { code, message, path } };
}

function refusal(problems: readonly CheckProblem[]): Outcome {
  const [first] = problems;
  const [only] = problems.length === 1 ? problems : [];
  const place = first ? `${first.path}: ${first.message}` : '';
  const { code, message } = new GraphError('GRAPH_REFUSED', { count: problems.length, first: place });
  // One problem is the error itself; of several each is listed.
  return {
    status: 'refused',
    error: { code: only?.code ?? code, message: only ? place : message, path: first?.path ?? null, problems },
  };
}

/** Takes the lease, runs, gives it back. */
async function execute(
  options: RunOptions,
  checked: Checked,
  info: RunInfo,
  trace: TraceSink,
): Promise<Outcome> {
  const control = new AbortController();
  const detach = followDeadlines(options, control);
  let held: HeldLease | null = null;
  try {
    const { lease } = options.graph;
    if (lease) {
      const name = leaseName(lease, options.input);
      if (!options.leases)
        throw new GraphError('GRAPH_LEASE_INVALID', { name, reason: 'this runner keeps no leases' });
      held = await holdLease(options.leases, lease, { name, run_id: info.run_id }, (error) =>
        control.abort(error),
      );
      if (!held) return skipped(name);
    }
    return await interpreted(options, checked, { info, grant: held?.grant ?? null, control, trace });
  } catch (error) {
    return { status: 'refused', error: failureOf(error) };
  } finally {
    detach();
    await held?.release().catch(() => undefined);
  }
}

function skipped(name: string): Outcome {
  return { status: 'skipped', output: { status: 'skipped', reason: `another run holds the lease ${name}` } };
}

interface Running {
  readonly info: RunInfo;
  readonly grant: LeaseGrant | null;
  readonly control: AbortController;
  readonly trace: TraceSink;
}

async function interpreted(options: RunOptions, checked: Checked, running: Running): Promise<Outcome> {
  const capabilities = options.capabilities({ ...running.info, lease: running.grant });
  requireCapabilities(checked, capabilities);
  const context: RunContext = {
    run_id: running.info.run_id,
    stageOf: (node) => stageOf(checked.stages, node),
    capabilities,
    clock: options.clock,
    cache: options.cache ?? null,
    memo: new Map(),
    attempts: new Map(),
    limit: pLimit(options.concurrency ?? DEFAULT_CONCURRENCY),
    signal: running.control.signal,
    aborted: abortOf(running.control.signal),
    budget: { spent_cents: 0, limit_cents: options.budget_cents ?? null },
    fetch: options.fetch ?? globalThis.fetch,
    step: async (step) => running.trace.stepFinished(step),
    observe: options.observe ?? null,
  };
  try {
    return { status: 'ok', output: await interpret(options.graph.root, 'root', options.input, context) };
  } catch (error) {
    // What ended the run explains it better than what a stage made of being stopped.
    const { signal } = running.control;
    return { status: 'failed', error: failureOf(signal.aborted ? signal.reason : error) };
  }
}

function stageOf(stages: ReadonlyMap<StageNode, CatalogStage>, node: StageNode): CatalogStage {
  const entry = stages.get(node);
  if (!entry) throw new GraphError('GRAPH_STAGE_UNKNOWN', { path: null, reference: node.id, nearest: [] });
  return entry;
}

/** A client that is not there is found before the first effect. */
function requireCapabilities(checked: Checked, provided: Readonly<Record<string, object>>): void {
  for (const { path, stage, stage_id } of checked.report.steps) {
    const entry = [...checked.stages.values()].find(({ record }) => record.id === stage_id);
    const capability = entry?.stage.capabilities.find((name) => !Object.hasOwn(provided, name));
    if (capability !== undefined)
      throw new StageError('STAGE_CAPABILITY_MISSING', { stage, path, capability });
  }
}

function failureOf(error: unknown): RunFailure {
  const hint = error instanceof CodedError ? error.hint : undefined;
  const failure = { code: publicCode(error), message: messageOf(error), path: pathOf(error) };
  return hint === undefined ? failure : { ...failure, hint };
}

/** Aborts the run with the caller's signal or at its deadline; gives the undoing of both. */
function followDeadlines(options: RunOptions, control: AbortController): () => void {
  const stop = (reason: string): void =>
    control.abort(new GraphError('GRAPH_RUN_ABORTED', { reason }, { retryable: true }));
  const { signal, timeout_ms } = options;
  const interrupted = (): void => stop('it was interrupted');
  if (signal?.aborted) interrupted();
  signal?.addEventListener('abort', interrupted, { once: true });
  const timer =
    timeout_ms === undefined
      ? undefined
      : setTimeout(() => stop(`its deadline of ${timeout_ms} ms passed`), timeout_ms);
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupted);
  };
}

/** A sink that throws never fails the run. */
function quiet(trace: TraceSink | undefined): TraceSink {
  const ignoring = async (write: () => void | Promise<void> | undefined): Promise<void> => {
    try {
      await write();
    } catch {
      // The run's outcome matters more than its trace.
    }
  };
  return {
    runStarted: (run) => ignoring(() => trace?.runStarted(run)),
    stepFinished: (step) => ignoring(() => trace?.stepFinished(step)),
    runFinished: (run) => ignoring(() => trace?.runFinished(run)),
  };
}
