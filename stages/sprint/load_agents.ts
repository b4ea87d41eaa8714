import { codeOf, messageOf } from '@caloron/noether/stage';
import { AgentInfo, AgentsMap, Id, Timestamp } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleAgent } from './example.ts';

/** An agent without what only the shell's answer adds. */
const Info = z.object(AgentInfo.shape);

/**
 * The agents as the shell sees them. A shell that cannot be reached is no dead tick: nothing is known of any agent then, nothing is
 * decided about them, and starts fail and are tried again. A shell on another database is refused.
 */
export const loadAgents = defineStage({
  name: 'load_agents',
  description: 'Asks the shell for the agents of a sprint and for all that are busy.',
  effects: ['Network', 'NonDeterministic', 'Fallible'],
  capabilities: ['shell'],
  input: z.object({ sprint_id: Id, shell_url: z.string().nullish() }),
  output: z.strictObject({
    agents: AgentsMap,
    /** Agents with a live process in any sprint. */
    busy: z.array(Id),
    /** Since when the shell has heard its agents without a gap; null when it did not say. */
    listening_since: Timestamp.nullable(),
    /** Why the shell could not be asked; null when it answered. */
    shell_error: z.string().nullable(),
  }),
  examples: [
    {
      input: { sprint_id: 'sprint-1' },
      output: {
        agents: { 'agent-1': exampleAgent },
        busy: ['agent-1', 'agent-2'],
        listening_since: null,
        shell_error: null,
      },
    },
    {
      input: { sprint_id: 'sprint-2', shell_url: 'http://127.0.0.1:7710' },
      output: {
        agents: { 'agent-2': { ...exampleAgent, sprint_id: 'sprint-2' } },
        busy: ['agent-1', 'agent-2'],
        listening_since: null,
        shell_error: null,
      },
    },
    {
      input: { sprint_id: 'sprint-3', shell_url: null },
      output: { agents: {}, busy: ['agent-1', 'agent-2'], listening_since: null, shell_error: null },
    },
  ],
  run: async ({ sprint_id, shell_url }, { shell }) => {
    try {
      const status = await shell.open(shell_url ?? null).status();
      const busy = status.agents.filter(({ alive }) => alive).map(({ agent_id }) => agent_id);
      const own = status.agents.filter((agent) => agent.sprint_id === sprint_id);
      const agents = Object.fromEntries(
        own.map((agent): [string, AgentInfo] => [agent.agent_id, Info.parse(agent)]),
      );
      const listening_since = status.listening_since ?? null;
      return { agents, busy: [...new Set(busy)], listening_since, shell_error: null };
    } catch (error) {
      if (codeOf(error) === 'SHELL_OTHER_DATABASE') throw error;
      return {
        agents: {},
        busy: [],
        listening_since: null,
        shell_error: `${codeOf(error)}: ${messageOf(error)}`,
      };
    }
  },
});
