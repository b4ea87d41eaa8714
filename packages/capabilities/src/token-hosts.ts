import { readFileSync } from 'node:fs';

import { apiUrl, GITHUB_API, TokenEnv } from '@caloron/types';
import { z } from 'zod';

import { ForgeError } from './forge-errors.ts';

/** The API address the token in a variable belongs to; null where nobody said. */
export type TokenHostOf = (token_env: string) => string | null;

/** Where it is said which host a token belongs to. */
export interface TokenHostSources {
  /** `NAME=address` by commas, as in CALORON_TOKEN_HOSTS; undefined where it is not set. */
  readonly listed?: string | undefined;
  /** Path of caloron.json; looked at anew each time. */
  readonly project_file?: string | undefined;
}

/** What of caloron.json binds tokens; its defaults are those of ProjectConfig. */
const Project = z.object({
  host: z.string().nullish(),
  token_env: z.string().default('GITHUB_TOKEN'),
  reviewer_token_env: z.string().nullish(),
});

/** The API address without a trailing slash; throws FORGE_HOST_INVALID. */
export function checkedHost(host: string | null): string {
  const address = apiUrl(host);
  const refuse = (reason: string) => new ForgeError('FORGE_HOST_INVALID', { host: address, reason });
  const url = URL.parse(address);
  if (url === null) throw refuse('it is no address');
  if (url.username !== '' || url.password !== '') {
    throw new ForgeError('FORGE_HOST_INVALID', { host: url.host, reason: 'it carries a credential' });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('it is neither https nor http');
  if (url.search !== '' || url.hash !== '') throw refuse('it has a query or a fragment');
  if (url.hostname === 'github.com' || url.hostname === 'www.github.com') {
    throw refuse(`github.com has its API at ${GITHUB_API}, which is the default`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/**
 * The host of each token: what CALORON_TOKEN_HOSTS says, then caloron.json for the variables it names, and api.github.com for
 * GITHUB_TOKEN. Nothing a run is given can change it. The result throws FORGE_HOST_INVALID for a list that cannot be read.
 */
export function createTokenHosts({ listed, project_file }: TokenHostSources): TokenHostOf {
  let bound: ReadonlyMap<string, string> | undefined;
  return (token_env) => {
    bound ??= parseList(listed ?? '');
    return (
      bound.get(token_env) ??
      projectHost(project_file, token_env) ??
      (token_env === 'GITHUB_TOKEN' ? GITHUB_API : null)
    );
  };
}

/**
 * Where a token belongs that is not for an address: null where it may go there, as to its own host, and one nobody gave a host to
 * this machine. `address` is one of `checkedHost`. Throws FORGE_HOST_INVALID for a list that cannot be read.
 */
export function misplaced(
  token_env: string,
  address: string,
  host_of: TokenHostOf,
): { readonly belongs_to: string | null } | null {
  const said = host_of(token_env);
  const belongs_to = said === null ? null : checkedHost(said);
  return (belongs_to === null ? isLoopback(address) : belongs_to === address) ? null : { belongs_to };
}

/** What a person does about a token that is not for an address. */
export function placeHint(token_env: string, address: string, belongs_to: string | null): string {
  return belongs_to === null
    ? `if it is of ${address}: CALORON_TOKEN_HOSTS=${token_env}=${address}, or host and token_env in caloron.json`
    : `name a variable whose token is of ${address} (token_env), or correct host in caloron.json or CALORON_TOKEN_HOSTS`;
}

/** Throws FORGE_HOST_INVALID; a value in place of an address may be a token and is not shown. */
function parseList(text: string): ReadonlyMap<string, string> {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  return new Map(
    entries.map((entry, index) => {
      const [, name = '', address = ''] = /^([A-Za-z_]\w*)\s*=\s*(.+)$/u.exec(entry) ?? [];
      const host = `CALORON_TOKEN_HOSTS, entry ${index + 1},`;
      if (!TokenEnv.safeParse(name).success)
        throw new ForgeError('FORGE_HOST_INVALID', { host, reason: 'it is not NAME=address' });
      try {
        return [name, checkedHost(address)];
      } catch (error) {
        const reason = `what stands after ${name}= is no address of an API`;
        throw new ForgeError('FORGE_HOST_INVALID', { host, reason }, { cause: reasonOf(error) });
      }
    }),
  );
}

/** Without the address, which may be a credential. */
function reasonOf(error: unknown): unknown {
  return error instanceof ForgeError && 'reason' in error.details ? error.details.reason : undefined;
}

/** Undefined for a variable the file does not name, and for a file that is not there or is none: its own reader tells that. */
function projectHost(file: string | undefined, token_env: string): string | undefined {
  if (file === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  const { data } = Project.safeParse(value);
  if (data === undefined || (token_env !== data.token_env && token_env !== data.reviewer_token_env))
    return undefined;
  return apiUrl(data.host ?? null);
}

/** Whether an address is of this machine. */
function isLoopback(address: string): boolean {
  const name = URL.parse(address)?.hostname ?? '';
  return name === 'localhost' || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/u.test(name);
}
