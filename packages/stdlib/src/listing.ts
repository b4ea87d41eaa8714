import { EFFECTFUL } from './effectful.ts';
import type { ListedStage } from './listed.ts';
import { PURE } from './pure.ts';

export type { ListedStage } from './listed.ts';

/** Every stage of the library by name: a run loads those its graph names and no others. */
export const listing: readonly ListedStage[] = [...PURE, ...EFFECTFUL]
  .map(([name, file, load]) => ({ name, file, load }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));
