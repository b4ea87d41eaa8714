import type { ForgePull, Sha } from '@caloron/types';

import type { ContractWorld } from './host.ts';

/** One thing a host does for the client. */
export type Case = (world: ContractWorld) => Promise<void>;

/** A commit nobody made. */
export const NO_COMMIT = 'c'.repeat(40) as Sha;

/** A pull request of alice on a new branch with these files. */
export async function openPull(
  world: ContractWorld,
  branch: string,
  more: { readonly files?: Readonly<Record<string, string>>; readonly body?: string } = {},
): Promise<ForgePull> {
  await world.commit(branch, more.files ?? { [`${branch.replaceAll('/', '-')}.txt`]: `${branch}\n` });
  return world.alice.createPull({
    title: `Add ${branch}`,
    body: more.body ?? '',
    head: branch,
    base: 'main',
  });
}
