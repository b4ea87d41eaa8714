import type { Id } from '@caloron/types';

/** Messages that wait for an agent's next heartbeat; the newest replaces the one before. Lost with the shell: a nudge is no promise. */
export interface Nudges {
  put(sprint_id: Id, agent_id: Id, message: string): void;
  /** The waiting message, which waits no longer; null without one. */
  take(sprint_id: Id, agent_id: Id): string | null;
}

/** A queue of at most one message per agent. */
export function createNudges(): Nudges {
  const waiting = new Map<string, string>();
  return {
    put: (sprint_id, agent_id, message) => void waiting.set(`${sprint_id}/${agent_id}`, message),
    take(sprint_id, agent_id) {
      const key = `${sprint_id}/${agent_id}`;
      const message = waiting.get(key) ?? null;
      waiting.delete(key);
      return message;
    },
  };
}
