import type { LimitFunction } from 'p-limit';

import type { StageNode } from '../graph/ast.ts';
import type { Json, OutputCache } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import type { Memo } from './memo.ts';
import type { Tracing } from './tracing.ts';
import type { Ending } from './wait.ts';

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

/** A stage to call and the stages its config names, by the text of the reference. */
export interface Called {
  readonly entry: CatalogStage;
  /** Null for a stage without references. */
  readonly callees: ReadonlyMap<string, CatalogStage> | null;
}

/** What the nodes of one run share. */
export interface RunContext {
  readonly run_id: string;
  /** What a node calls, as the checker resolved it. */
  readonly calledBy: (node: StageNode) => Called;
  /** Capability name → the clients it brings. */
  readonly capabilities: Readonly<Record<string, object>>;
  readonly cache: OutputCache | null;
  /** Outputs of pure stages in this run, calls in flight included; null remembers nothing. */
  readonly memo: Memo | null;
  /** Bounds what goes on at once outside this process, over the whole run; pure stages take no time to wait in. */
  readonly limit: LimitFunction;
  /** Aborted when the run is interrupted, out of time or without its lease, or the node out of time; its reason is the error. */
  readonly signal: AbortSignal;
  /** For those who wait until `signal` is aborted. */
  readonly ending: Ending;
  /** Now and then a promise to wait for, so that stages that take no time let timers and others have their turn. */
  readonly breathe: () => Promise<void> | undefined;
  /** Declared cents of the calls made so far, and what the run may spend; null is no limit. */
  readonly budget: { spent_cents: number; readonly limit_cents: number | null };
  readonly fetch: typeof globalThis.fetch;
  /** The secret an alias stands for; null when there is none. */
  readonly credentials: (alias: string) => string | null;
  /** Null when nobody keeps a trace. */
  readonly tracing: Tracing | null;
  readonly observe: ((moment: Moment) => void | Promise<void>) | null;
  /** Merge and Fanout in turn, every error retried without a wait, branches and bindings as it says. */
  readonly compat?: Compat;
}
