import { codeOf, isRetryable } from '@caloron/noether/errors';
import { type ForgePull, type ForgeRepo, markerOf, type Order } from '@caloron/types';

import type { CleanGit } from './clean-repository.ts';
import { forgeOf, type HarnessContext, note, persist } from './context.ts';

/** Commit subjects a pull request's body lists. */
const SUBJECTS_SHOWN = 20;

/** The branch's pull request: the open one is used again, one that was merged at this very head counts, else one is opened. */
export async function ensurePull(context: HarnessContext, clean: CleanGit, head: string): Promise<ForgePull> {
  const body = await bodyOf(context.order, clean, head);
  /** The error of a try that nobody answered. */
  let lost: unknown;
  return persist(context, 'open the pull request', async () => {
    const forge = await forgeOf(context);
    const there = await present(forge, context.order, head);
    if (there !== undefined) return there;
    try {
      return await open(context, forge, body, head);
    } catch (error) {
      // Refused because that try opened it, and not in the host's list yet: it is looked for again.
      if (codeOf(error) === 'FORGE_INVALID' && lost !== undefined) throw lost;
      if (isRetryable(error)) lost = error;
      throw error;
    }
  });
}

async function present(forge: ForgeRepo, order: Order, head: string): Promise<ForgePull | undefined> {
  const pulls = await forge.pullsOfBranch(order.branch);
  return (
    pulls.find(({ state }) => state === 'open') ??
    pulls.find(({ merged_at, head_sha }) => merged_at !== null && head_sha === head)
  );
}

async function open(
  context: HarnessContext,
  forge: ForgeRepo,
  body: string,
  head: string,
): Promise<ForgePull> {
  const { order } = context;
  const { title } = order.task;
  try {
    return await forge.createPull({ title, body, head: order.branch, base: order.base_branch });
  } catch (error) {
    // 422 also says that there is one already: opened a moment ago by an attempt whose answer was lost.
    if (codeOf(error) !== 'FORGE_INVALID') throw error;
    const there = await present(forge, order, head);
    if (there === undefined) throw error;
    note(context, `pull request #${there.number} was there already`);
    return there;
  }
}

/** What closes the issue, the marker, and what was done. The agent's words stand in code, where the forge reads neither mentions nor closing keywords. */
async function bodyOf(order: Order, clean: CleanGit, head: string): Promise<string> {
  const range = `${order.base_sha}..${head}`;
  const log = await clean(['log', '--format=%s', `--max-count=${SUBJECTS_SHOWN}`, '--no-merges', range]);
  const subjects = log.stdout.split('\n').filter((subject) => subject.trim() !== '');
  const done = subjects.reverse().map((subject) => `- \`${subject.replaceAll('`', "'").slice(0, 200)}\``);
  return [
    `Closes #${order.task.issue_number}`,
    markerOf(order.sprint_id, order.task.id),
    ...(done.length === 0 ? [] : ['', '### Done', '', ...done]),
    '',
    `Agent \`caloron-agent-${order.agent_id}\`, attempt ${order.attempt}, sprint \`${order.sprint_id}\`, task \`${order.task.id}\`.`,
    '',
  ].join('\n');
}
