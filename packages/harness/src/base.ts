import type { Drift, Order } from '@caloron/types';

import { type CleanGit, contains } from './clean-repository.ts';
import { HarnessError, type HarnessErrorDetails } from './errors.ts';

/** Refuses a head that does not contain its base. Throws HARNESS_BASE_LOST. */
export async function assertBase(
  clean: CleanGit,
  of: HarnessErrorDetails['HARNESS_BASE_LOST'],
): Promise<void> {
  if (await contains(clean, of.head, of.base)) return;
  throw new HarnessError('HARNESS_BASE_LOST', of, { hint: 'the next attempt rebases the branch' });
}

/** The base a head lost, as the error tells it; undefined for any other error. */
export function lostBase(error: unknown): string | undefined {
  if (!(error instanceof HarnessError) || error.code !== 'HARNESS_BASE_LOST') return undefined;
  const { details }: { readonly details: object } = error;
  return 'base' in details && typeof details.base === 'string' ? details.base : undefined;
}

/** How far the base branch, as it was fetched for this start, is ahead of a head; undefined where nobody knows it. */
export async function driftOf(clean: CleanGit, order: Order, head_sha: string): Promise<Drift | undefined> {
  const { base_head } = order;
  if (base_head === undefined) return undefined;
  const range = `${head_sha}..${base_head}`;
  const counted = await clean(['rev-list', '--count', range, '--'], { ok_codes: [0, 128] });
  return counted.exit_code === 0 ? { head_sha, behind: Number(counted.stdout), base_head } : undefined;
}

/** The drift in a sentence for a review; empty without one. */
export function driftText({ base_branch }: Order, drift: Drift | undefined): string {
  if (drift === undefined || drift.behind === 0) return '';
  const commits = drift.behind === 1 ? '1 commit' : `${drift.behind} commits`;
  return `\`${base_branch}\` is ${commits} ahead (at ${drift.base_head ?? 'an unknown commit'}): none of this was verified together with them.`;
}
