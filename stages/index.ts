import type { Stage } from '@caloron/noether/stage';

import { listing } from './listing.ts';

/** A stage and the file it is written in, relative to this folder. */
export interface CatalogStage {
  readonly stage: Stage;
  readonly file: string;
}

/** Every stage, in the README's order, loaded. */
export const catalog: readonly CatalogStage[] = await Promise.all(
  listing.map(async ({ file, load }) => ({ stage: await load(), file })),
);

export { action, actionId } from './sprint/action-id.ts';
