import pLimit from 'p-limit';

import type { Checked } from '../check/check.ts';
import { checkInputValue } from '../check/check-input.ts';
import type { CheckProblem } from '../check/problem.ts';
import type { Graph, Policy, StageNode } from '../graph/ast.ts';
import { GraphError } from '../graph/errors.ts';
import type { Json, Leases, OutputCache, RunFinished, RunInfo, TraceSink } from '../ports.ts';
import type { Catalog } from '../stage/catalog.ts';
import type { Called, Moment, RunContext } from './context.ts';
import { failureOf, hidden, type RunFailure, skips } from './failure.ts';
import { interpret } from './interpret.ts';
import { type HeldLease, holdLease, leaseName } from './lease.ts';
import { discreetCache, Memo } from './memo.ts';
import { type Prepared, prepare, requireCapabilities } from './prepare.ts';
import { type Redactor, redactor } from './redact.ts';
import { settle } from './settle.ts';
import { Tracing } from './tracing.ts';
import { valueHash } from './value-hash.ts';
import { breather, Ending, LONGEST_MS } from './wait.ts';

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
  /** A policy besides the graph's own; both bind. */
  readonly policy?: Policy | null | undefined;
  /** Whether the trace keeps inputs and outputs, secrets hidden. */
  readonly trace_values?: boolean | undefined;
  /** Texts that no trace and no error of the run shows; the list may grow while it runs. */
  readonly secrets?: readonly string[] | undefined;
  /** The secret an alias of a remote stage stands for; null when there is none. Without it there is none for any. */
  readonly credentials?: ((alias: string) => string | null) | undefined;
  /** Awaited before and after every stage call. */
  readonly observe?: ((moment: Moment) => void | Promise<void>) | undefined;
  readonly run_id?: string | undefined;
  /** For remote stages; the global one otherwise. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** How a run ended. `refused`: before any stage ran; `skipped`: another run holds the lease, or a stage said that there is nothing to do now. */
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
      readonly status: 'refused' | 'failed' | 'skipped';
      readonly run_id: string;
      readonly composition_id: string;
      readonly error: RunFailure;
      readonly duration_ms: number;
    };

type Outcome =
  | { readonly status: 'ok' | 'skipped'; readonly output: Json }
  | { readonly status: 'refused' | 'failed' | 'skipped'; readonly error: RunFailure };

/** Runs a graph: check, lease, stages, trace. Never throws for what the graph or its stages do: the result says it. */
export async function runGraph(options: RunOptions): Promise<RunResult> {
  const start = performance.now();
  const run_id = options.run_id ?? options.uuid();
  const { graph, catalog, policy = null, budget_cents = null } = options;
  const prepared = prepare(graph, { catalog, policy, budget_cents });
  const { checked, composition_id } = prepared;
  const input = settle(options.input);
  const trace = quiet(options.trace);
  const hide = redactor(options.secrets ?? []);
  await trace?.runStarted({
    run_id,
    composition_id,
    graph: options.graph_name,
    labels: Object.fromEntries(
      Object.entries(options.labels ?? {}).map(([name, label]) => [name, hide.text(label)]),
    ),
    started_at: options.clock.now(),
    input_hash: valueHash(input ?? null),
  });

  const problems = [
    ...checked.report.problems,
    ...checkInputValue(checked, input === undefined ? options.input : input),
  ];
  const hosts = hostsOf(checked.policies);
  const info = { run_id, composition_id, graph: options.graph_name, lease: null, hosts };
  const outcome =
    problems.length === 0 && input !== undefined
      ? await execute(options, prepared, { info, input, trace, hide })
      : refusal(problems);

  const duration_ms = Math.round(performance.now() - start);
  const shown = 'error' in outcome ? { ...outcome, error: hidden(outcome.error, hide) } : outcome;
  await trace?.runFinished(finished(run_id, shown, options.clock.now(), duration_ms));
  if ('error' in shown) return { ok: false, run_id, composition_id, ...shown, duration_ms };
  const { effects } = checked.report;
  return { ok: true, run_id, composition_id, ...shown, effects, duration_ms, warnings: checked.notices };
}

/** Hosts every policy allows; null where none says anything of hosts. */
function hostsOf(policies: readonly Policy[]): readonly string[] | null {
  const lists = policies.flatMap(({ hosts }) => (hosts ? [hosts] : []));
  const [first, ...others] = lists;
  return first ? first.filter((host) => others.every((list) => list.includes(host))) : null;
}

function finished(run_id: string, outcome: Outcome, finished_at: string, duration_ms: number): RunFinished {
  const facts = { run_id, finished_at, duration_ms, status: outcome.status };
  if (!('error' in outcome)) return { ...facts, output_hash: valueHash(outcome.output), error: null };
  const { code, message, path } = outcome.error;
  return { ...facts, output_hash: null, error: { code, message, path } };
}

function refusal(problems: readonly CheckProblem[]): Outcome {
  const [first] = problems;
  const [only] = problems.length === 1 ? problems : [];
  // Some say their place themselves.
  const placed = first?.message.startsWith(`${first.path}: `) === true;
  const place = first ? `${placed ? '' : `${first.path}: `}${first.message}` : '';
  const { code, message } = new GraphError('GRAPH_REFUSED', { count: problems.length, first: place });
  // One problem is the error itself; of several each is listed.
  return {
    status: 'refused',
    error: { code: only?.code ?? code, message: only ? place : message, path: first?.path ?? null, problems },
  };
}

interface Starting {
  readonly info: RunInfo;
  readonly input: Json;
  readonly trace: TraceSink | undefined;
  readonly hide: Redactor;
}

/** Takes the lease, runs, gives it back. */
async function execute(options: RunOptions, prepared: Prepared, starting: Starting): Promise<Outcome> {
  const control = new AbortController();
  const detach = followDeadlines(options, control);
  let held: HeldLease | null = null;
  try {
    const { lease } = options.graph;
    if (lease) {
      const name = leaseName(lease, starting.input);
      if (!options.leases)
        throw new GraphError('GRAPH_LEASE_INVALID', { name, reason: 'this runner keeps no leases' });
      const { run_id } = starting.info;
      held = await holdLease(options.leases, lease, { name, run_id }, (error) => control.abort(error));
      if (!held) return skipped(name);
    }
    const info = { ...starting.info, lease: held?.grant ?? null };
    return await interpreted(options, prepared, { ...starting, info }, control);
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

async function interpreted(
  options: RunOptions,
  { checked, repeated }: Prepared,
  { info, input, trace, hide }: Starting,
  control: AbortController,
): Promise<Outcome> {
  const capabilities = options.capabilities(info);
  requireCapabilities(options.graph, checked, capabilities);
  const { clock, trace_values: values = false } = options;
  const cache = options.cache ? discreetCache(options.cache, hide) : null;
  const { run_id } = info;
  const context: RunContext = {
    run_id,
    calledBy: (node) => calledBy(checked, node),
    capabilities,
    cache,
    memo: new Memo(cache, repeated),
    limit: pLimit(options.concurrency ?? DEFAULT_CONCURRENCY),
    signal: control.signal,
    ending: new Ending(control.signal),
    breathe: breather(),
    budget: { spent_cents: 0, limit_cents: options.budget_cents ?? null },
    fetch: options.fetch ?? globalThis.fetch,
    credentials: options.credentials ?? (() => null),
    tracing: trace
      ? new Tracing({ run_id, clock, values, hide, write: (step) => trace.stepFinished(step) })
      : null,
    observe: options.observe ?? null,
  };
  try {
    return { status: 'ok', output: await interpret(options.graph.root, 'root', input, context) };
  } catch (error) {
    // What ended the run explains it better than what a stage made of being stopped.
    const { signal } = control;
    const thrown: unknown = signal.aborted ? signal.reason : error;
    return { status: skips(thrown) ? 'skipped' : 'failed', error: failureOf(thrown) };
  }
}

function calledBy({ stages, callees }: Checked, node: StageNode): Called {
  const entry = stages.get(node);
  if (!entry) throw new GraphError('GRAPH_STAGE_UNKNOWN', { path: null, reference: node.id, nearest: [] });
  return { entry, callees: callees.get(node) ?? null };
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
      : setTimeout(() => stop(`its deadline of ${timeout_ms} ms passed`), Math.min(timeout_ms, LONGEST_MS));
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupted);
  };
}

/** A sink that throws never fails the run. */
function quiet(trace: TraceSink | undefined): TraceSink | undefined {
  if (!trace) return undefined;
  // The run's outcome matters more than its trace.
  const ignoring = (write: () => void | Promise<void>): void | Promise<void> => {
    try {
      return write()?.catch(() => undefined);
    } catch {
      return undefined;
    }
  };
  return {
    runStarted: (run) => ignoring(() => trace.runStarted(run)),
    stepFinished: (step) => ignoring(() => trace.stepFinished(step)),
    runFinished: (run) => ignoring(() => trace.runFinished(run)),
  };
}
