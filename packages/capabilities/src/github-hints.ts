import { type AnswerHeaders, headerOf, tokenExpiry } from './github-limits.ts';

/** What a refusal is explained from. */
export interface Refused {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** The host's own words. */
  readonly said: string;
  /** `owner/name`. */
  readonly repo: string;
  /** Path below the repository, without a query; null for what lies beside it. */
  readonly path: string | null;
  /** Whether the host has answered about this repository before. */
  readonly seen: boolean;
}

/** Lists that every repository has: where one of them is not found, the repository is not. */
const LISTS = ['', '/issues', '/pulls', '/issues/comments', '/labels', '/commits', '/languages'];

function unauthorized({ headers }: Refused): string {
  const expired = tokenExpiry(headers);
  const why = expired === undefined ? '' : `the token expired at ${expired}: `;
  return `${why}make a new token on that host and set the variable again`;
}

/** The permissions that would have been enough, where the host names them. */
function wanted(headers: AnswerHeaders): string {
  const fine = headerOf(headers, 'x-accepted-github-permissions');
  const classic = headerOf(headers, 'x-accepted-oauth-scopes');
  if (fine !== undefined && fine !== '') return ` (the host asks for ${fine})`;
  return classic === undefined || classic === '' ? '' : ` (the host asks for one of the scopes ${classic})`;
}

/** The kinds of 403 that a person puts right in different places, by what the host says. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/archived/i, 'the repository is archived and takes no changes: unarchive it, or name another repository'],
  [/suspended|blocked/i, 'the account or the app is suspended or blocked there: ask who runs the host'],
  [
    /not accessible by (integration|personal access token)/i,
    'the token lacks a permission: give it read and write access to contents, issues and pull requests of this repository',
  ],
  [
    /required scope/i,
    'the token lacks a scope: make one with read and write access to repository and issues, and set the variable again',
  ],
];

function forbidden({ headers, said }: Refused): string {
  const sso = /url=(https:\S+)/.exec(headerOf(headers, 'x-github-sso') ?? '')?.[1];
  if (sso !== undefined) return `allow the token to be used with the organization's single sign-on: ${sso}`;
  const known = FORBIDDEN.find(([words]) => words.test(said));
  const usual =
    'give the token read and write access to contents, issues and pull requests of the repository';
  return `${known?.[1] ?? usual}${wanted(headers)}`;
}

function notFound({ path, repo, seen }: Refused): string {
  if (path !== null && !seen && LISTS.includes(path))
    return `check the spelling of ${repo}, that it is on this host, and that the token may see it`;
  if (seen) return 'the repository is there: what was asked for was deleted, renamed or never there';
  return 'check the spelling of the repository, and that the token may see it';
}

/** The next step after a 401, 403 or 404, by what the host says of it; undefined for other refusals. */
export function hintOf(refused: Refused): string | undefined {
  switch (refused.status) {
    case 401:
      return unauthorized(refused);
    case 403:
      return forbidden(refused);
    case 404:
    case 410:
      return notFound(refused);
    default:
      return undefined;
  }
}
