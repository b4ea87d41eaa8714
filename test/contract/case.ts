import type { ForgePull, Sha } from '@caloron/types';

import type { ContractWorld } from './host.ts';

/** One thing a host does for the client. */
export type Case = (world: ContractWorld) => Promise<void>;

/** A commit nobody made. */
export const NO_COMMIT = 'c'.repeat(40) as Sha;

/** Branches of one commit that cases open pull requests of: a host may make them all at once. */
export const BRANCHES: readonly string[] = [
  'as-an-issue',
  'polled-as-issue',
  'polled/pull',
  'commented',
  'by/branch',
  'by/branch-2',
  'twice',
  'changed',
  'conflict/none',
  'reviewed',
  'own',
  'asked',
  'merged/merge',
  'merged/squash',
  'merged/rebase',
  'moved',
  'merged-twice',
  'merge-lost',
  'closing',
  'stranger',
  'closed',
  'gone/after',
];

/** What stands on a branch that nothing else is wanted of. */
export function filesOf(branch: string): Readonly<Record<string, string>> {
  return { [`${branch.replaceAll('/', '-')}.txt`]: `${branch}\n` };
}

/** A pull request of alice on a new branch with these files. */
export async function openPull(
  world: ContractWorld,
  branch: string,
  more: { readonly files?: Readonly<Record<string, string>>; readonly body?: string } = {},
): Promise<ForgePull> {
  await world.commit(branch, more.files ?? filesOf(branch));
  return world.alice.createPull({
    title: `Add ${branch}`,
    body: more.body ?? '',
    head: branch,
    base: 'main',
  });
}
