import type { Id } from '@caloron/types';

/** Messages that wait for an agent's next heartbeat; the newest replaces the one before. Lost with the shell: a nudge is no promise. */
export interface Nudges {
  put(sprint_id: Id, agent_id: Id, message: string): void;
  /** The waiting message, which waits no longer; null without one. */
  take(sprint_id: Id, agent_id: Id): string | null;
  /** From now on every heartbeat of the process is answered with it. */
  pause(process_id: string, reason: string): void;
  /** Why a process is to pause; null when it is not. */
  pauseOf(process_id: string): string | null;
}

/** A queue of at most one message per agent. */
export function createNudges(): Nudges {
  const waiting = new Map<string, string>();
  const pauses = new Map<string, string>();
  return {
    pause: (process_id, reason) => void pauses.set(process_id, reason),
    pauseOf: (process_id) => pauses.get(process_id) ?? null,
    put: (sprint_id, agent_id, message) => void waiting.set(`${sprint_id}/${agent_id}`, message),
    take(sprint_id, agent_id) {
      const key = `${sprint_id}/${agent_id}`;
      const message = waiting.get(key) ?? null;
      waiting.delete(key);
      return message;
    },
  };
}
