export type {
  Beat,
  CachedAnswer,
  Deliveries,
  EventLog,
  ForgeCache,
  KvRebuild,
  LogRow,
  NewLogRow,
  OutboxQueue,
  Processes,
  Pruned,
  RunQuery,
  RunRow,
  Runs,
  RunStore,
  RunTrace,
  Store,
} from './api.ts';
export { openDatabase } from './database.ts';
export { StoreError } from './errors.ts';
export type { ForgeBudgets, ForgeStanding } from './forge-budgets.ts';
export { findHome } from './home.ts';
export type { Home, HomeChoice } from './home.ts';
export type { StoreErrorDetails } from './errors.ts';
export type { JobSlots } from './job-slots.ts';
export type { Database, DatabaseOptions, Migration, Sql, SqlValue, Statement } from './sql.ts';
export { openStore } from './store.ts';
export type { StoreDeps } from './store.ts';
export type { WorktreeLease, WorktreeLeases } from './worktree-leases.ts';
export type { TraceWarning } from './trace-buffer.ts';
export { readStageStore, updateStageStore, writeStageStore } from './stage-store.ts';
export { openStageStore, readVerifiedStages } from './stage-store-open.ts';
export type { StageStore, StageStorePlace, VerifiedStages } from './stage-store-open.ts';
export type { SeedResult } from './stage-store-seed.ts';
