import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError, notFound } from '../errors.ts';
import { countCommits, languages, listCommits } from '../git/history.ts';
import { branches, branchSha, mergeBase, resolveCommit } from '../git/refs.ts';
import type { Repo } from '../model/repos.ts';
import { accessOf, pageOf, queryOf, restOf, sendPage, stale } from '../request.ts';
import { commitJson } from '../wire/pull.ts';
import { commitAnswers } from './statuses.ts';

const CommitQuery = z.object({ sha: z.string().optional(), path: z.string().optional() });

/** Commits, and what is asked of one: its statuses and check runs. */
export function commitRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/repos/:owner/:repo/languages', async (request) => {
    const { repo } = accessOf(ctx, request);
    const git_dir = ctx.gitDir(repo);
    const head = await branchSha(git_dir, repo.default_branch);
    return head === undefined ? {} : languages(git_dir, head);
  });

  app.get('/repos/:owner/:repo/commits', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const git_dir = ctx.gitDir(repo);
    const page = pageOf(request);
    const { sha, path } = queryOf(request, CommitQuery, 'Commit');
    if ((await branches(git_dir)).size === 0) throw stale('Git Repository is empty.');
    const from = await resolveCommit(git_dir, sha ?? repo.default_branch);
    if (from === undefined) throw notFound();
    const only = path === undefined || path === '' ? {} : { path };
    const commits = await listCommits(git_dir, from, { ...page, ...only });
    const total = await countCommits(git_dir, from, only.path);
    const items = commits.map((commit) => commitJson(ctx, repo, commit));
    return sendPage(ctx, request, reply, page, { items, total });
  });

  // Names may hold slashes and single dots; no name holds three dots.
  app.get('/repos/:owner/:repo/compare/*', async (request) => {
    const { repo } = accessOf(ctx, request);
    return comparison(ctx, repo, restOf(request));
  });

  // A branch name may hold slashes, so the last part of the path says what is asked.
  app.get('/repos/:owner/:repo/commits/*', async (request, reply) => {
    const { repo } = accessOf(ctx, request);
    const match = /^(.+?)(?:\/(status|statuses|check-runs))?$/s.exec(restOf(request));
    const sha = await resolveCommit(ctx.gitDir(repo), match?.[1] ?? '');
    if (sha === undefined) {
      throw new LocalForgeError('LOCAL_FORGE_REFUSED', {
        reason: `No commit found for SHA: ${match?.[1] ?? ''}`,
      });
    }
    const kind = match?.[2];
    if (kind === 'status' || kind === 'statuses' || kind === 'check-runs') {
      return commitAnswers[kind](ctx, request, reply, repo, sha);
    }
    const [commit] = await listCommits(ctx.gitDir(repo), sha, { limit: 1, offset: 0 });
    if (commit === undefined) throw notFound();
    return commitJson(ctx, repo, commit);
  });
}

/** Two commits as GitHub compares them: how many each has alone, and where they part. Which commits and files is not told. */
async function comparison(ctx: ForgeContext, repo: Repo, basehead: string) {
  const git_dir = ctx.gitDir(repo);
  const [base_name = '', head_name = '', ...more] = basehead.split('...');
  const base = await resolveCommit(git_dir, base_name);
  const head = await resolveCommit(git_dir, head_name);
  const from = base === undefined || head === undefined ? undefined : await mergeBase(git_dir, base, head);
  if (more.length > 0 || base === undefined || head === undefined || from === undefined) throw notFound();
  const commitOf = async (sha: string) => {
    const [commit] = await listCommits(git_dir, sha, { limit: 1, offset: 0 });
    return commit === undefined ? null : commitJson(ctx, repo, commit);
  };
  const ahead_by = await countCommits(git_dir, `${base}..${head}`);
  const behind_by = await countCommits(git_dir, `${head}..${base}`);
  const alone = ahead_by > 0 ? 'ahead' : 'identical';
  return {
    base_commit: await commitOf(base),
    merge_base_commit: await commitOf(from),
    status: behind_by === 0 ? alone : ahead_by > 0 ? 'diverged' : 'behind',
    ahead_by,
    behind_by,
    total_commits: ahead_by,
  };
}
