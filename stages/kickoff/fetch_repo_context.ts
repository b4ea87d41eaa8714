import { DagState, RepoName, shellWord, TokenEnv } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleState } from '../sprint/example.ts';
import { BriefError } from './errors.ts';

/** What a plan needs to know of a repository, and as whom we speak to its forge. */
export const RepoContext = z.strictObject({
  description: z.string().nullable(),
  default_branch: z.string(),
  open_issues: z.number().int().min(0),
  /** Newest first; `sha` is its first 8 characters, `message` its first line. */
  recent_commits: z.array(
    z.strictObject({ sha: z.string(), message: z.string(), author: z.string().nullable(), date: z.string() }),
  ),
  /** Bytes per language. */
  languages: z.record(z.string(), z.number()),
  /** The logins the tokens stand for; `reviewer` is null when authors and reviewers share one. */
  logins: z.strictObject({ author: z.string(), reviewer: z.string().nullable() }),
});
export type RepoContext = z.infer<typeof RepoContext>;

/** Commits that are looked at. */
const COMMITS = 5;

const exampleContext: RepoContext = {
  description: 'A small shop',
  default_branch: 'main',
  open_issues: 2,
  recent_commits: [
    { sha: '0123abcd', message: 'Add a basket', author: 'maria', date: '2026-04-13T16:02:11.000Z' },
  ],
  languages: { TypeScript: 48211 },
  logins: { author: 'caloron-bot', reviewer: null },
};

/** Reads what a kickoff plans with; null, and no look, for a sprint that is known: it is what it is, also while its forge is away. Throws KICKOFF_REPO_EMPTY for a repository without a commit, KICKOFF_REPO_READONLY where agents could not push. */
export const fetchRepoContext = defineStage({
  name: 'fetch_repo_context',
  description:
    "Reads a repository's description, branch, commits and languages, and the logins of its tokens.",
  effects: ['Network', 'Fallible'],
  capabilities: ['forge'],
  input: z.object({
    repo: RepoName,
    host: z.string().nullish(),
    token_env: TokenEnv.nullish(),
    reviewer_token_env: TokenEnv.nullish(),
    /** The state of this very sprint when it was kicked off before. */
    existing: DagState.nullish(),
  }),
  output: RepoContext.nullable(),
  examples: [
    {
      input: { repo: 'acme/shop' },
      output: exampleContext,
    },
    { input: { repo: 'acme/shop', reviewer_token_env: 'CALORON_REVIEWER_TOKEN' }, output: exampleContext },
    {
      input: { repo: 'acme/shop', host: 'https://git.example.org/api/v1', token_env: 'GITEA_TOKEN' },
      output: exampleContext,
    },
    { input: { repo: 'acme/shop', existing: exampleState }, output: null },
  ],
  run: async ({ repo, host, token_env, reviewer_token_env, existing }, { forge }) => {
    if (existing !== null && existing !== undefined) return null;
    const target = {
      repo,
      host: host === undefined || host === '' ? null : host,
      token_env: token_env ?? 'GITHUB_TOKEN',
    };
    const one = forge.open(target);
    const second = reviewer_token_env ?? target.token_env;
    const [info, commits, languages, author, reviewer] = await Promise.all([
      one.info(),
      one.commits(COMMITS),
      one.languages(),
      one.whoami(),
      second === target.token_env ? null : forge.open({ ...target, token_env: second }).whoami(),
    ]);
    if (info.can_push === false) throw readonlyRepo(repo, author, target.token_env);
    if (commits.length === 0) throw emptyRepo(repo, info.default_branch);
    return {
      description: info.description,
      default_branch: info.default_branch,
      open_issues: info.open_issues,
      recent_commits: commits.slice(0, COMMITS).map(({ sha, message, author: by, at }) => ({
        sha: sha.slice(0, 8),
        message: message.split('\n')[0] ?? '',
        author: by,
        date: at,
      })),
      languages: { ...languages },
      logins: { author, reviewer: reviewer === author ? null : reviewer },
    };
  },
});

function emptyRepo(repo: string, branch: string): BriefError {
  const hint = `push a first commit to it (git commit --allow-empty -m first && git push origin ${shellWord(`HEAD:${branch}`)}), and give this command again`;
  return new BriefError('KICKOFF_REPO_EMPTY', { repo, branch }, { hint });
}

function readonlyRepo(repo: string, login: string, token_env: string): BriefError {
  const hint = `let ${login} push to ${repo}, or put the token of an account that may into ${token_env}`;
  return new BriefError('KICKOFF_REPO_READONLY', { repo, login, token_env }, { hint });
}
