import { systemClock } from '@caloron/capabilities/clock';
import type { Timestamp } from '@caloron/types';
import { Command } from 'commander';

import { type AgentAccount, agentAccounts, agentSources } from '../agent-account.ts';
import { type Context, idOf, loadState, runCommand } from '../context.ts';
import type { Answer, Io } from '../output.ts';
import { sandboxCell } from '../sandbox-words.ts';
import { spendingCell } from '../spending-account.ts';
import { renderFitting, renderTable } from '../table.ts';
import { promiseWords, signWords, spanWords } from '../time-words.ts';

const HEAD = [
  'agent',
  'sprint',
  'task',
  'role',
  'pid',
  'state',
  'last sign',
  'heartbeat',
  'promise',
  'used',
  'ports',
  'cache',
  'session',
  'sandbox',
  'process',
] as const;

/** Columns that are left out where a terminal is too narrow for all, the first one first. */
const LEFT_OUT: readonly (typeof HEAD)[number][] = [
  'cache',
  'session',
  'heartbeat',
  'role',
  'ports',
  'pid',
  'promise',
  'process',
  'sandbox',
  'sprint',
  'used',
];

/** `caloron agents`: the latest process of every agent. */
export function agentsCommand(io: Io): Command {
  const command = new Command('agents')
    .description('every agent and its latest process: how alive it is, what it holds and has used')
    .option('--sprint <id>', 'of one sprint only')
    .action((options: { readonly sprint?: string }) =>
      runCommand(command, io, (context) => look(context, options.sprint)),
    );
  return command;
}

async function look(context: Context, named: string | undefined): Promise<Answer> {
  const { store } = context.runtime();
  const now = systemClock.now();
  const sources = await agentSources(context, now);
  const wanted = named === undefined ? undefined : idOf('--sprint', named);
  // Nobody works for a sprint that there is not, and its name is misspelt rather.
  if (wanted !== undefined) await loadState(context, wanted);
  const sprints = new Set(store.processes.agents(wanted).map(({ sprint_id }) => sprint_id));
  const agents: AgentAccount[] = [];
  for (const sprint_id of sprints)
    agents.push(...agentAccounts(await loadState(context, sprint_id), sources));
  const rows = agents.map((agent) => rowOf(agent, now));
  const { terminal } = context.io;
  const table = (): string =>
    terminal === undefined
      ? renderTable(HEAD, rows)
      : renderFitting(HEAD, rows, { columns: terminal.columns, left_out: LEFT_OUT, silent: LEFT_OUT }).text;
  const mute = sources.shell === null && agents.some(({ alive }) => alive);
  const text = [
    rows.length === 0
      ? `no agent was ever started here${named === undefined ? '' : ` for sprint ${named}`}`
      : table(),
    ...(mute
      ? [`no shell answers: how alive they are is not known (./caloron doctor${context.home_flag})`]
      : []),
  ].join('\n');
  return { data: agents, text, table: { head: HEAD, rows } };
}

function rowOf(agent: AgentAccount, now: Timestamp): readonly string[] {
  const { last_heartbeat_at: beat, ports, alive, cache_dir } = agent;
  return [
    agent.agent_id,
    agent.sprint_id,
    agent.task_id,
    agent.role,
    agent.pid === null ? '-' : String(agent.pid),
    stateOf(agent),
    alive ? signWords(agent.evidence, now) : '-',
    !alive || beat === null ? '-' : spanWords(beat, now),
    alive ? promiseWords(agent.next_by, now) : '-',
    spendingCell(agent.spending),
    ports === null ? '-' : `${ports.first}-${ports.first + ports.count - 1}`,
    cache_dir ?? '-',
    agent.session ?? '-',
    sandboxCell(agent.sandboxed),
    agent.process_id.slice(0, 8),
  ];
}

function stateOf({ alive, runs, pid, status, liveness }: AgentAccount): string {
  if (!alive) return 'ended';
  if (!runs && pid !== null) return 'gone';
  return liveness === null ? status : `${status}, ${liveness}`;
}
