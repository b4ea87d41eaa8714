import type { z } from 'zod';

import type { ForgeAnswer, ForgeRequest } from './github-client.ts';
import { pageSize } from './github-dialect.ts';
import type { ForgeReadDeps } from './github-read.ts';
import { StatusShape } from './github-shapes.ts';

type Combined = z.output<typeof StatusShape>;

/** What one page of statuses, or one check run, says of a commit. */
export type Verdict = 'green' | 'pending' | 'red';

/**
 * The host's word for success alone lets a merge pass, and its word for waiting waits: any other stands against it (Gitea's
 * `warning` among them), for a word nobody here knows must not merge.
 */
function verdictOf({ state }: Combined): Verdict {
  const word = state ?? 'pending';
  if (word === 'pending') return 'pending';
  return word === 'success' ? 'green' : 'red';
}

/** The question for the combined status of a commit. */
export function statusRequest({ dialect }: Pick<ForgeReadDeps, 'dialect'>, sha: string): ForgeRequest {
  return {
    doing: `read the status of ${sha}`,
    method: 'GET',
    path: `/commits/${sha}/status`,
    ...(dialect === 'gitea' ? { query: pageSize(dialect) } : {}),
  };
}

/** What the answer to `statusRequest`, and on Gitea the pages after it, say of the commit; `whole` when there was one page. */
export async function readStatuses(
  { client, dialect }: Pick<ForgeReadDeps, 'client' | 'dialect'>,
  request: ForgeRequest,
  first: ForgeAnswer,
): Promise<{ readonly found: Verdict[]; readonly whole: boolean }> {
  const found: Verdict[] = [];
  let answer = first;
  let seen = 0;
  for (let page = 1; ; page += 1) {
    const whole = page === 1;
    // Older Giteas answer with nothing at all for a commit without a status.
    if (answer.data === '' || answer.data === null || answer.data === undefined) return { found, whole };
    const status = client.parse(StatusShape, answer, request);
    const entries = status.total_count ?? status.statuses?.length ?? 0;
    // A commit without any status is called pending by GitHub: only its entries count.
    if (entries === 0) return { found, whole };
    found.push(verdictOf(status));
    seen += entries;
    // GitHub combines all contexts of the commit, Gitea those of the page it shows.
    if (dialect !== 'gitea' || seen >= Number(answer.headers['x-total-count'] ?? 0)) return { found, whole };
    answer = await client.send({ ...request, query: { ...request.query, page: page + 1 } });
  }
}
