import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { addUser, type RunningForge, startForge } from '@caloron/forge';
import { createRuntime, findHome, readEnvironment, type Runtime } from '@caloron/scheduler';

/** The repository of a `LibForge`; its main branch has one commit. */
export const LIB = 'agent/lib';

/** A forge with one account and its repository. */
export interface LibForge {
  readonly forge: RunningForge;
  /** Of the account `agent`. */
  readonly token: string;
}

/** Starts a forge that keeps its files in `data`; with a limit it answers so many requests an hour to each token. */
export async function libForge(data: string, rate_limit?: number): Promise<LibForge> {
  const forge = await startForge({ data, port: 0 });
  const { token } = await addUser(data, 'agent');
  const made = await fetch(`${forge.url}/user/repos`, {
    method: 'POST',
    headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'lib', private: false, auto_init: true }),
  });
  if (!made.ok) throw new Error(`POST /user/repos: HTTP ${String(made.status)}: ${await made.text()}`);
  if (rate_limit === undefined) return { forge, token };
  await forge.close();
  return { forge: await startForge({ data, port: 0, rate_limit }), token };
}

/** A runtime of a home in `at` with what its caloron.json says (none where null) and its variables; no shell runs. */
export function runtimeAt(
  at: string,
  settings: object | null,
  variables: Readonly<Record<string, string>>,
): Runtime {
  mkdirSync(join(at, '.caloron'), { recursive: true });
  if (settings !== null) writeFileSync(join(at, 'caloron.json'), JSON.stringify({ repo: LIB, ...settings }));
  const home = findHome({ flag: at, cwd: at, variables: {} });
  const away = { CALORON_LLM_PROVIDER: 'none', CALORON_SHELL_URL: 'http://127.0.0.1:9' };
  const environment = readEnvironment({ ...away, ...variables }, home);
  return createRuntime({ home, environment, clock: systemClock, random: systemRandom });
}
