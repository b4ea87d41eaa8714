import type { Checks, Sha } from '@caloron/types';

import type { ForgeRequest } from './github-client.ts';
import type { ForgeReadDeps } from './github-read.ts';
import { CheckRunsShape } from './github-shapes.ts';
import { readStatuses, statusRequest, type Verdict } from './github-statuses.ts';

/** The most check runs one page holds. */
const PAGE = 100;

/** Conclusions of a check run that let a merge pass; all others stand against it. */
const PASSING = new Set(['success', 'neutral', 'skipped']);

function combine(entries: readonly Verdict[]): Checks {
  if (entries.length === 0) return 'none';
  if (entries.includes('red')) return 'red';
  return entries.includes('pending') ? 'pending' : 'green';
}

async function checkRuns({ client, dialect }: ForgeReadDeps, sha: Sha): Promise<readonly Verdict[]> {
  if (dialect === 'gitea') return [];
  const request: ForgeRequest = {
    doing: `read the check runs of ${sha}`,
    method: 'GET',
    path: `/commits/${sha}/check-runs`,
    query: { per_page: PAGE },
  };
  const entries: Verdict[] = [];
  for await (const answer of client.pages(request)) {
    for (const run of client.parse(CheckRunsShape, answer, request).check_runs) {
      if (run.status !== 'completed') entries.push('pending');
      else entries.push(PASSING.has(run.conclusion ?? '') ? 'green' : 'red');
    }
  }
  return entries;
}

async function statuses(deps: ForgeReadDeps, sha: Sha): Promise<readonly Verdict[]> {
  const request = statusRequest(deps, sha);
  return (await readStatuses(deps, request, await deps.client.send(request))).found;
}

/** Check runs and statuses of a commit, combined; no entry at all is `none`. */
export async function readChecks(deps: ForgeReadDeps, sha: Sha): Promise<Checks> {
  const [combined, runs] = await Promise.all([statuses(deps, sha), checkRuns(deps, sha)]);
  return combine([...combined, ...runs]);
}
