import type { Checks, Sha } from '@caloron/types';
import { z } from 'zod';

import { readCached } from './github-cache.ts';
import type { ForgeAnswer, ForgeRequest } from './github-client.ts';
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

const Kept = z.array(z.enum(['green', 'pending', 'red']));

async function checkRuns({ client, cache, dialect }: ForgeReadDeps, sha: Sha): Promise<readonly Verdict[]> {
  if (dialect === 'gitea') return [];
  const request: ForgeRequest = {
    doing: `read the check runs of ${sha}`,
    method: 'GET',
    path: `/commits/${sha}/check-runs`,
    query: { per_page: PAGE },
  };
  const read = async (first: ForgeAnswer) => {
    const found: Verdict[] = [];
    let pages = 0;
    for await (const answer of client.pages(request, first)) {
      pages += 1;
      for (const run of client.parse(CheckRunsShape, answer, request).check_runs) {
        if (run.status !== 'completed') found.push('pending');
        else found.push(PASSING.has(run.conclusion ?? '') ? 'green' : 'red');
      }
    }
    return { found, whole: pages === 1 };
  };
  return readCached(client, cache, { request, kept: Kept, read });
}

async function statuses(deps: ForgeReadDeps, sha: Sha): Promise<readonly Verdict[]> {
  const request = statusRequest(deps, sha);
  const read = (first: ForgeAnswer) => readStatuses(deps, request, first);
  return readCached(deps.client, deps.cache, { request, kept: Kept, read });
}

/** Check runs and statuses of a commit, combined; no entry at all is `none`. */
export async function readChecks(deps: ForgeReadDeps, sha: Sha): Promise<Checks> {
  const [combined, runs] = await Promise.all([statuses(deps, sha), checkRuns(deps, sha)]);
  return combine([...combined, ...runs]);
}
