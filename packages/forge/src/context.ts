import { epochMs, type Clock } from '@caloron/types';
import { z } from 'zod';
import path from 'node:path';
import type { Sql } from './database.ts';
import type { HookSender } from './hook-delivery.ts';
import type { RateLimits, SecondaryLimit } from './rate-limit.ts';

/** What every room of the forge works with. */
export interface ForgeContext {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly limits: RateLimits;
  readonly secondary: SecondaryLimit;
  /** Takes what webhooks are told, inside the transaction of what they are told. */
  readonly hooks: Pick<HookSender, 'add' | 'again'>;
  /** Where the server answers, without a trailing slash; known once it listens. */
  baseUrl(): string;
  /** Milliseconds since 1970, never the same or smaller twice: what orders changes. */
  stamp(): number;
  /** The bare repository of a repository. */
  gitDir(repo: { readonly id: number }): string;
  /** Runs `work` when no other work of this repository runs: ref changes of the forge itself never overlap. */
  alone<T>(repo: { readonly id: number }, work: () => Promise<T>): Promise<T>;
  /** Says in the log that something unexpected happened; facts carry no secret. */
  warn(facts: Readonly<Record<string, unknown>>, text: string): void;
}

/** Where the bare repositories lie in a data directory. */
export function repositoriesDir(data: string): string {
  return path.join(data, 'repos');
}

/** A clock of milliseconds that only grows, from the newest instant the database holds. */
export function createStamp(clock: Clock, sql: Sql): () => number {
  const row = z.strictObject({ newest: z.number() });
  const found = sql.one(
    row,
    `SELECT max(coalesce((SELECT max(updated_ms) FROM issues), 0), coalesce((SELECT max(updated_ms) FROM comments), 0),
       coalesce((SELECT max(created_ms) FROM issue_events), 0)) AS newest`,
  );
  let last = found?.newest ?? 0;
  return () => {
    last = Math.max(epochMs(clock.now()), last + 1);
    return last;
  };
}

/** One queue per repository. */
export function createQueues(): ForgeContext['alone'] {
  const tails = new Map<number, Promise<unknown>>();
  return (repo, work) => {
    const before = tails.get(repo.id) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    tails.set(repo.id, settled);
    void settled.then(() => {
      if (tails.get(repo.id) === settled) tails.delete(repo.id);
    });
    return mine;
  };
}
