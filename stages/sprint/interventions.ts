import { keys, type DagState, type Id } from '@caloron/types';

/** Interventions per agent: the sum over its tasks. */
function counts(state: DagState): ReadonlyMap<Id, number> {
  const sums = new Map<Id, number>();
  for (const { agent_id, intervention_count } of Object.values(state.tasks)) {
    sums.set(agent_id, (sums.get(agent_id) ?? 0) + intervention_count);
  }
  return sums;
}

/** The KV rows `:interventions:{agent}` that a change of state changes. */
export function interventionRows(before: DagState, after: DagState): Readonly<Record<string, number>> {
  const old = counts(before);
  const changed = [...counts(after)].filter(([agent, count]) => (old.get(agent) ?? 0) !== count);
  return Object.fromEntries(
    changed.map(([agent, count]) => [keys.interventions(after.sprint_id, agent), count]),
  );
}
