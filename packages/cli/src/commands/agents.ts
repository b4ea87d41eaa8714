import { Command } from 'commander';

import { runCommand } from '../context.ts';
import type { Io } from '../output.ts';
import { renderTable } from '../table.ts';

const HEAD = ['agent', 'sprint', 'task', 'role', 'pid', 'state', 'heartbeat', 'tokens', 'process'] as const;

/** `caloron agents`: the latest process of every agent. */
export function agentsCommand(io: Io): Command {
  const command = new Command('agents')
    .description('every agent and its latest process')
    .option('--sprint <id>', 'of one sprint only')
    .action((options: { readonly sprint?: string }) =>
      runCommand(command, io, ({ runtime }) => {
        const agents = runtime().store.processes.agents(options.sprint);
        const rows = agents.map((agent) => [
          agent.agent_id,
          agent.sprint_id,
          agent.task_id,
          agent.role,
          agent.pid === null ? '-' : String(agent.pid),
          agent.alive ? agent.status : 'ended',
          agent.last_heartbeat_at ?? '-',
          String(agent.tokens_used),
          agent.process_id.slice(0, 8),
        ]);
        const text = rows.length === 0 ? 'no agent was ever started here' : renderTable(HEAD, rows);
        return Promise.resolve({ data: agents, text, table: { head: HEAD, rows } });
      }),
    );
  return command;
}
