import type { LimitFunction } from 'p-limit';

import type { StageNode } from '../graph/ast.ts';
import type { Json, OutputCache, StepFinished } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';

/** A moment of a run: just before or after a stage is called. */
export interface Moment {
  readonly kind: 'before' | 'after';
  /** Place in the graph. */
  readonly path: string;
  /** Name of the stage. */
  readonly stage: string;
}

/** The original's way of running, for its recorded cases; tests alone set it. */
export interface Compat {
  /** Runs the branches of a Parallel or the bindings of a Let; gives their outputs in the order of the names. */
  readonly together: (
    kind: 'parallel' | 'let',
    names: readonly string[],
    calls: readonly ((run: RunContext) => Promise<Json>)[],
    run: RunContext,
  ) => Promise<readonly Json[]>;
}

/** What the nodes of one run share. */
export interface RunContext {
  readonly run_id: string;
  /** The stage a node means, as the checker resolved it. */
  readonly stageOf: (node: StageNode) => CatalogStage;
  /** Capability name → the clients it brings. */
  readonly capabilities: Readonly<Record<string, object>>;
  readonly clock: { now(): string };
  readonly cache: OutputCache | null;
  /** Outputs of pure stages in this run, calls in flight included; null remembers nothing. */
  readonly memo: Map<string, Promise<Json>> | null;
  /** Executions per node path so far. */
  readonly attempts: Map<string, number>;
  /** Bounds stage calls at once, over the whole run. */
  readonly limit: LimitFunction;
  /** Aborted when the run is interrupted, out of time or without its lease; its reason is the error. */
  readonly signal: AbortSignal;
  /** Rejects when `signal` is aborted. */
  readonly aborted: Promise<never>;
  /** Declared cents of the calls made so far, and what the run may spend; null is no limit. */
  readonly budget: { spent_cents: number; readonly limit_cents: number | null };
  readonly fetch: typeof globalThis.fetch;
  readonly step: (step: StepFinished) => Promise<void>;
  readonly observe: ((moment: Moment) => void | Promise<void>) | null;
  /** Merge and Fanout in turn, every error retried without a wait, branches and bindings as it says. */
  readonly compat?: Compat;
}
