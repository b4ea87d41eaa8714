import { readFile, rename, writeFile } from 'node:fs/promises';

import type { Order } from '@caloron/types';
import { z } from 'zod';

import type { Session } from './frameworks/framework.ts';

const Count = z.number().int().min(0);

/** What is kept of an agent's session between its runs. */
const Kept = z.strictObject({
  v: z.literal(1),
  framework: z.string(),
  agent_id: z.string(),
  worktree: z.string(),
  id: z.string().regex(/^[A-Za-z0-9][\w.-]{0,127}$/),
  used: z.array(
    z.strictObject({
      model: z.string().nullable(),
      input: Count,
      output: Count,
      cache_read: Count,
      cache_write: Count,
      cost_usd: z.number().min(0).optional(),
    }),
  ),
});

/**
 * The session the agent's last run of this task left, if this run is to go on with it: the same agent, program and worktree, not its first
 * attempt, and option `resume` is not `off`. A review is always judged by a session of its own.
 */
export async function keptSession(order: Order): Promise<Session | null> {
  if (!resumes(order) || (order.mode === 'start' && order.attempt === 1)) return null;
  const text = await readFile(order.session_file ?? '', 'utf8').catch(() => '');
  const kept = parse(text);
  const same =
    kept?.framework === order.framework.name &&
    kept.agent_id === order.agent_id &&
    kept.worktree === order.worktree;
  return same
    ? {
        id: kept.id,
        used: kept.used.map(({ cost_usd, ...counts }) =>
          cost_usd === undefined ? counts : { ...counts, cost_usd },
        ),
      }
    : null;
}

/** Whether sessions are kept for a later run of this order's task. */
export function resumes(order: Order): boolean {
  const { session_file, role, framework } = order;
  return session_file !== undefined && role === 'author' && framework.options['resume'] !== 'off';
}

/** Keeps a session for the next run; it is whole or not there. */
export async function keepSession(order: Order, { id, used }: Session): Promise<void> {
  if (order.session_file === undefined || !resumes(order)) return;
  const kept: z.infer<typeof Kept> = {
    v: 1,
    framework: order.framework.name,
    agent_id: order.agent_id,
    worktree: order.worktree,
    id,
    used: used.map(({ model, input, output, cache_read, cache_write, cost_usd }) => ({
      model,
      input,
      output,
      cache_read,
      cache_write,
      ...(cost_usd === undefined ? {} : { cost_usd }),
    })),
  };
  const beside = `${order.session_file}.${order.process_id}`;
  await writeFile(beside, JSON.stringify(kept), { mode: 0o600 });
  await rename(beside, order.session_file);
}

function parse(text: string): z.infer<typeof Kept> | undefined {
  try {
    return Kept.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
