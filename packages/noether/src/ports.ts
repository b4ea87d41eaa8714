import type { StageRecord } from './stage-record.ts';
import type { Stage } from './stage/define-stage.ts';

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Identifies one run of a composition. */
export interface RunInfo {
  readonly run_id: string;
  readonly composition_id: string;
  /** The graph's file or name, for people. */
  readonly graph: string;
  /** The graph lease this run holds; null when the graph asks for none. */
  readonly lease: LeaseGrant | null;
  /** Hosts the graph and its caller allow; null where no policy says anything of hosts. */
  readonly hosts: readonly string[] | null;
}

/** A lease as held: `fence` only grows with each new holder. */
export interface LeaseGrant {
  readonly name: string;
  readonly holder: string;
  readonly fence: number;
}

/** Named leases with fences. */
export interface Leases {
  /** Null when another holder has it and it has not expired. */
  acquire(name: string, holder: string, ttl_ms: number): Promise<LeaseGrant | null>;
  /** False when it was lost. */
  renew(grant: LeaseGrant, ttl_ms: number): Promise<boolean>;
  release(grant: LeaseGrant): Promise<void>;
}

/** A composition run as it begins. */
export interface RunStarted {
  readonly run_id: string;
  readonly composition_id: string;
  readonly graph: string;
  readonly started_at: string;
  readonly input_hash: string;
  /** Facts of the caller: job, slot, command. */
  readonly labels: Readonly<Record<string, string>>;
}

/** How it ended. `skipped`: another run holds the graph's lease, or a stage said why there is nothing to do now (`error`). */
export interface RunFinished {
  readonly run_id: string;
  readonly finished_at: string;
  readonly duration_ms: number;
  readonly status: 'ok' | 'failed' | 'skipped' | 'refused';
  readonly output_hash: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly path: string | null } | null;
}

/** One attempt of one node. */
export interface StepFinished {
  readonly run_id: string;
  /** Place in the graph, e.g. `root.body.stages[2]`. */
  readonly path: string;
  readonly stage_id: string;
  readonly stage_name: string;
  readonly attempt: number;
  readonly started_at: string;
  readonly duration_ms: number;
  readonly status: 'ok' | 'failed' | 'cached';
  readonly input_hash: string;
  readonly output_hash: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** What the node was given, secrets hidden; only where the run was asked to keep values. */
  readonly input?: Json;
  /** What it gave, likewise; absent when it failed. */
  readonly output?: Json;
}

/** Where traces go. The engine awaits each call; a trace that cannot be written never fails the run. */
export interface TraceSink {
  runStarted(run: RunStarted): void | Promise<void>;
  stepFinished(step: StepFinished): void | Promise<void>;
  runFinished(run: RunFinished): void | Promise<void>;
}

/** (stage id, input hash) → output, for pure stages only. */
export interface OutputCache {
  get(stage_id: string, input_hash: string): Promise<Json | undefined> | Json | undefined;
  put(stage_id: string, input_hash: string, output: Json): Promise<void> | void;
}

/** A stage of code with its ids. */
export interface CatalogEntry {
  readonly stage: Stage;
  readonly record: StageRecord;
  /** It came from a stage store or registry: what means a stage of the program never means it. */
  readonly foreign?: boolean;
}
