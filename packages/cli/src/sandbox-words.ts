import type { AgentInfo } from '@caloron/types';

import type { AgentAccount } from './agent-account.ts';
import { counted } from './output.ts';

/** How an agent's program is confined, in few words; `-` where nobody wrote it down. */
export function sandboxCell(sandboxed: AgentInfo['sandboxed']): string {
  if (sandboxed === undefined) return '-';
  if (sandboxed === null) return 'none';
  return sandboxed.network === 'none' ? `${sandboxed.by}, no network` : sandboxed.by;
}

/** How the agents at work are confined, in a sentence; empty where none is at work, or nobody wrote it down. */
export function sandboxWords(agents: readonly AgentAccount[]): string {
  const live = agents.filter(({ alive, sandboxed }) => alive && sandboxed !== undefined);
  const open = live.filter(({ sandboxed }) => sandboxed === null).map(({ agent_id }) => agent_id);
  if (open.length > 0)
    return `sandbox: none around ${open.join(', ')}: what you can read and change, so can ${open.length === 1 ? 'it' : 'they'}`;
  const [first] = live;
  if (first === undefined) return '';
  const cut = live.filter(({ sandboxed }) => sandboxed?.network === 'none').length;
  const network = cut === 0 ? "the machine's network" : `${cut} of them without a network`;
  return `sandbox: ${counted(live.length, 'agent')} in bubblewrap, ${cut === live.length ? 'without a network' : network}`;
}
