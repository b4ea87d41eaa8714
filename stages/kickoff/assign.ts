import type { Id } from '@caloron/types';

import type { PlannedTask } from './planned.ts';

/** Who writes and who reviews a task. */
export interface Assignment {
  readonly agent_id: Id;
  readonly reviewer_id: Id | null;
}

/** How many tasks lie before each task on its longest way; tasks of one depth can run at once. A cycle ends where it began. */
function depths(tasks: readonly PlannedTask[]): ReadonlyMap<Id, number> {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const found = new Map<Id, number>();
  const depth = (id: Id, way: ReadonlySet<Id>): number => {
    const known = found.get(id);
    const task = byId.get(id);
    if (known !== undefined) return known;
    if (task === undefined || way.has(id)) return -1;
    const before = task.depends_on.map((on) => depth(on, new Set([...way, id])));
    const value = Math.max(-1, ...before) + 1;
    found.set(id, value);
    return value;
  };
  for (const { id } of tasks) depth(id, new Set());
  return found;
}

function least(agents: readonly Id[], load: (agent: Id) => readonly [number, number]): Id {
  const [first = 'agent-1', ...others] = agents;
  return others.reduce((best, agent) => {
    const [here, all] = load(agent);
    const [bestHere, bestAll] = load(best);
    return here < bestHere || (here === bestHere && all < bestAll) ? agent : best;
  }, first);
}

/**
 * Assigns `num_agents` agents so that tasks which can run at once get different ones, and the work is spread evenly; half as many reviewers
 * take turns, none when no approval is asked for.
 */
export function assign(
  tasks: readonly PlannedTask[],
  num_agents: number,
  with_review: boolean,
): readonly Assignment[] {
  const agents = Array.from({ length: num_agents }, (_, n) => `agent-${n + 1}`);
  const reviewers = Math.ceil(num_agents / 2);
  const depthOf = depths(tasks);
  const given: { readonly agent: Id; readonly depth: number }[] = [];
  return tasks.map((task, at) => {
    const depth = depthOf.get(task.id) ?? 0;
    const of = (agent: Id) => given.filter((one) => one.agent === agent);
    const agent_id = least(agents, (agent) => [
      of(agent).filter((one) => one.depth === depth).length,
      of(agent).length,
    ]);
    given.push({ agent: agent_id, depth });
    return { agent_id, reviewer_id: with_review ? `reviewer-${(at % reviewers) + 1}` : null };
  });
}
