import type { AgentInfo } from '@caloron/types';
import { expect, it } from 'vitest';

import type { AgentAccount } from './agent-account.ts';
import { sandboxCell, sandboxWords } from './sandbox-words.ts';

const agent = (agent_id: string, sandboxed: AgentInfo['sandboxed'], alive = true): AgentAccount =>
  ({ agent_id, alive, ...(sandboxed === undefined ? {} : { sandboxed }) }) as AgentAccount;
const host = { by: 'bubblewrap', network: 'host' } as const;
const none = { by: 'bubblewrap', network: 'none' } as const;

it('how an agent is confined is told in few words', () => {
  expect([host, none, null, undefined].map(sandboxCell)).toEqual([
    'bubblewrap',
    'bubblewrap, no network',
    'none',
    '-',
  ]);
});

it('who is not confined is named, and of the others what network they have', () => {
  expect(sandboxWords([])).toBe('');
  expect(sandboxWords([agent('a', undefined), agent('b', null, false)])).toBe('');
  expect(sandboxWords([agent('a', host), agent('b', null)])).toBe(
    'sandbox: none around b: what you can read and change, so can it',
  );
  expect(sandboxWords([agent('a', host), agent('b', host)])).toBe(
    "sandbox: 2 agents in bubblewrap, the machine's network",
  );
  expect(sandboxWords([agent('a', host), agent('b', none)])).toBe(
    'sandbox: 2 agents in bubblewrap, 1 of them without a network',
  );
  expect(sandboxWords([agent('a', none)])).toBe('sandbox: 1 agent in bubblewrap, without a network');
});
