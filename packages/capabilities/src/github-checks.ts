import type { Checks, Sha } from '@caloron/types';

import type { ForgeRequest } from './github-client.ts';
import type { ForgeReadDeps } from './github-read.ts';
import { CheckRunsShape, StatusShape } from './github-shapes.ts';

/** The most check runs one page holds. */
const PAGE = 100;

/** Conclusions of a check run that let a merge pass; all others stand against it. */
const PASSING = new Set(['success', 'neutral', 'skipped']);

/** States of a combined status that stand against a merge. */
const FAILING = new Set(['failure', 'error']);

function combine(entries: readonly ('green' | 'pending' | 'red')[]): Checks {
  if (entries.length === 0) return 'none';
  if (entries.includes('red')) return 'red';
  return entries.includes('pending') ? 'pending' : 'green';
}

async function checkRuns(
  { client, dialect }: ForgeReadDeps,
  sha: Sha,
): Promise<readonly ('green' | 'pending' | 'red')[]> {
  if (dialect === 'gitea') return [];
  const request: ForgeRequest = {
    doing: `read the check runs of ${sha}`,
    method: 'GET',
    path: `/commits/${sha}/check-runs`,
    query: { per_page: PAGE },
  };
  const entries: ('green' | 'pending' | 'red')[] = [];
  for await (const answer of client.pages(request)) {
    for (const run of client.parse(CheckRunsShape, answer, request).check_runs) {
      if (run.status !== 'completed') entries.push('pending');
      else entries.push(PASSING.has(run.conclusion ?? '') ? 'green' : 'red');
    }
  }
  return entries;
}

async function statuses(
  { client }: ForgeReadDeps,
  sha: Sha,
): Promise<readonly ('green' | 'pending' | 'red')[]> {
  const status = await client.json(StatusShape, {
    doing: `read the status of ${sha}`,
    method: 'GET',
    path: `/commits/${sha}/status`,
  });
  // A commit without any status is called pending by GitHub: only its entries count.
  if ((status.total_count ?? status.statuses?.length ?? 0) === 0) return [];
  const state = status.state ?? 'pending';
  if (state === 'pending') return ['pending'];
  return [FAILING.has(state) ? 'red' : 'green'];
}

/** Check runs and statuses of a commit, combined; no entry at all is `none`. */
export async function readChecks(deps: ForgeReadDeps, sha: Sha): Promise<Checks> {
  const [combined, runs] = await Promise.all([statuses(deps, sha), checkRuns(deps, sha)]);
  return combine([...combined, ...runs]);
}
