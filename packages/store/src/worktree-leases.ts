import { type Clock, Id, Role, type Timestamp } from '@caloron/types';
import { z } from 'zod';

import { parseRow } from './json.ts';
import type { Database } from './sql.ts';

/** What one worktree holds of the machine. */
export interface WorktreeLease {
  /** Its absolute path. */
  readonly worktree: string;
  readonly sprint_id: Id;
  readonly task_id: Id;
  readonly role: Role;
  /** First of `port_count` consecutive ports; null without ports. */
  readonly port_first: number | null;
  readonly port_count: number | null;
  readonly cache_dir: string | null;
  /** The process for which its after_create hook is under way, or was when a shell died; null once that is through. */
  readonly preparing: string | null;
  readonly at: Timestamp;
}

/** What worktrees hold: ports that no other worktree of this database has, and cache directories. */
export interface WorktreeLeases {
  /**
   * Gives a worktree what it holds already, or the lowest free block; null when the range has none left. `taken` are ports found
   * in use by others: a block with one of them is given up. `preparing` counts for a new row only.
   */
  lease(wish: {
    readonly worktree: string;
    readonly sprint_id: Id;
    readonly task_id: Id;
    readonly role: Role;
    /** The range's ends are part of it. */
    readonly ports: { readonly first: number; readonly last: number; readonly count: number } | null;
    readonly taken: readonly number[];
    readonly cache_dir: string | null;
    readonly preparing: string | null;
  }): Promise<WorktreeLease | null>;
  /** Notes whose after_create hook begins, or that it is through. */
  preparing(worktree: string, process_id: string | null): Promise<void>;
  /** False when there was none. */
  release(worktree: string): Promise<boolean>;
  get(worktree: string): WorktreeLease | undefined;
  /** By path. */
  list(): readonly WorktreeLease[];
}

const Row: z.ZodType<WorktreeLease> = z.strictObject({
  worktree: z.string(),
  sprint_id: Id,
  task_id: Id,
  role: Role,
  port_first: z.number().int().nullable(),
  port_count: z.number().int().nullable(),
  cache_dir: z.string().nullable(),
  preparing: z.string().nullable(),
  at: z.string(),
});
const COLUMNS =
  'SELECT worktree, sprint_id, task_id, role, port_first, port_count, cache_dir, preparing, at FROM worktree_leases';

/** What worktrees hold of the machine, one row each; a block of ports is given in the transaction that looked at all others. */
export function createWorktreeLeases(database: Database, clock: Clock): WorktreeLeases {
  const { db } = database;
  const one = db.prepare(`${COLUMNS} WHERE worktree = ?`);
  const all = db.prepare(`${COLUMNS} ORDER BY worktree`);
  const put = db.prepare(
    `INSERT INTO worktree_leases (worktree, sprint_id, task_id, role, port_first, port_count, cache_dir, preparing, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (worktree) DO UPDATE SET port_first = excluded.port_first, port_count = excluded.port_count,
     cache_dir = excluded.cache_dir`,
  );
  const mark = db.prepare('UPDATE worktree_leases SET preparing = ? WHERE worktree = ?');
  const drop = db.prepare('DELETE FROM worktree_leases WHERE worktree = ?');
  const parsed = (row: unknown): WorktreeLease => parseRow(Row, row, 'worktree_leases', '');
  const get = (worktree: string): WorktreeLease | undefined => {
    const row = one.get(worktree);
    return row === undefined ? undefined : parsed(row);
  };

  return {
    lease: ({ worktree, sprint_id, task_id, role, ports, taken, cache_dir, preparing }) =>
      database.write(() => {
        const held = get(worktree);
        const others = all.all().map(parsed);
        const first = ports === null ? null : blockFor(ports, taken, held, others);
        if (first === undefined) return null;
        const count = ports?.count ?? null;
        put.run(worktree, sprint_id, task_id, role, first, count, cache_dir, preparing, clock.now());
        return get(worktree) ?? null;
      }),
    preparing: (worktree, process_id) => database.write(() => void mark.run(process_id, worktree)),
    release: (worktree) => database.write(() => drop.run(worktree).changes === 1),
    get,
    list: () => all.all().map(parsed),
  };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function spanOf({ port_first, port_count }: WorktreeLease): readonly Span[] {
  return port_first === null || port_count === null
    ? []
    : [{ from: port_first, to: port_first + port_count - 1 }];
}

/** The first port of the block a worktree holds, or of the lowest free one; undefined when none is left. */
function blockFor(
  { first, last, count }: { readonly first: number; readonly last: number; readonly count: number },
  taken: readonly number[],
  held: WorktreeLease | undefined,
  all: readonly WorktreeLease[],
): number | undefined {
  const [own] = held === undefined ? [] : spanOf(held);
  const kept = own !== undefined && held?.port_count === count;
  if (kept && !taken.some((port) => port >= own.from && port <= own.to)) return own.from;
  const used = all.filter(({ worktree }) => worktree !== held?.worktree).flatMap(spanOf);
  const closed = [...used, ...taken.map((port) => ({ from: port, to: port }))];
  let start = first;
  for (const { from, to } of closed.toSorted((a, b) => a.from - b.from)) {
    if (to < start) continue;
    if (from >= start + count) break;
    start = to + 1;
  }
  return start + count - 1 <= last ? start : undefined;
}
