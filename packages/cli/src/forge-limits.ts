import { appVariables } from '@caloron/capabilities/github-app';
import { holdWords } from '@caloron/capabilities/github-budget';
import { appTokenIdOf, tokenIdOf } from '@caloron/capabilities/token-id';
import type { Environment } from '@caloron/scheduler/environment';
import type { ForgeStanding } from '@caloron/store';
import { epochMs, GITHUB_API, type Timestamp } from '@caloron/types';

/** Limits nobody asked by for so long are not told any more, ms. */
const TOLD_MS = 24 * 60 * 60 * 1000;

/** How a host's limit stands for one token, by the name of its variable. */
export interface ForgeLimit extends Omit<ForgeStanding, 'token_id'> {
  /** Of a GitHub App the name it stands under; null for a token that no variable here holds, and an app of another repository. */
  readonly token_env: string | null;
}

/** The limits of hosts asked within a day; of one host alone where it is named. Apps are known by the repository their token is for. */
export function limitsOf(
  standings: readonly ForgeStanding[],
  { token_envs, variables }: Pick<Environment, 'token_envs' | 'variables'>,
  now: Timestamp,
  host?: string | null,
  repo?: string,
): readonly ForgeLimit[] {
  const names = new Map(
    token_envs.flatMap((name) => {
      const token = variables[name]?.trim() ?? '';
      const app = repo === undefined ? null : appId(variables, name, repo);
      const id = token === '' ? app : tokenIdOf(token);
      return id === null ? [] : [[id, name] as const];
    }),
  );
  return standings
    .filter((one) => host === undefined || one.host === (host ?? GITHUB_API).replace(/\/+$/, ''))
    .filter(({ at, held }) => held !== null || epochMs(at) > epochMs(now) - TOLD_MS)
    .map(({ token_id, ...standing }) => ({ ...standing, token_env: names.get(token_id) ?? null }));
}

function appId(variables: Environment['variables'], token_env: string, repo: string): string | null {
  const names = appVariables(token_env);
  const id = variables[names.app_id]?.trim() ?? '';
  const installation = variables[names.installation_id]?.trim() ?? '';
  return id === '' ? null : appTokenIdOf({ id, installation_id: installation || null }, repo);
}

/** The time of day of an instant: none is further away than an hour. */
function timeOf(at: Timestamp): string {
  return `${at.slice(11, 19)} UTC`;
}

/** What is left of a limit, in words; empty where the host never told of one. */
function leftWords({ limit, remaining, reset_at, kept }: ForgeLimit): string {
  if (limit === null) return '';
  if (remaining === null || reset_at === null)
    return `${String(limit)} requests an hour, none asked in this one`;
  const people = kept === 0 ? '' : `, the last ${String(kept)} of them for what you type`;
  return `${String(remaining)} of ${String(limit)} requests left until ${timeOf(reset_at)}${people}`;
}

/** How a host's limit stands, in one sentence: whether it is left alone, why and until when, and what is left. */
export function limitWords(one: ForgeLimit): string {
  const whose = `${one.host} (${one.token_env ?? 'a token that is not set here, or an app of another repository'})`;
  const left = leftWords(one);
  if (one.held === null) return `${whose}: ${left === '' ? 'tells of no limit' : left}`;
  const { hold, until } = one.held;
  const people = hold === 'kept' || hold === 'outage';
  const still = people ? '; commands that you type get through' : '';
  const rest = hold === 'slow_down' && left !== '' ? ` (${left})` : '';
  const who = people ? 'ticks ask it nothing' : 'nothing is asked';
  return `${whose}: ${who} until ${timeOf(until)}: ${holdWords(hold, one.limit)}${still}${rest}`;
}
