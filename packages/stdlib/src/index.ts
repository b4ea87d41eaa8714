import type { LibraryStage } from './kit.ts';
import { listing } from './listing.ts';

/** A stage of the library and the file it is written in, relative to this folder. */
export interface CatalogStage {
  readonly stage: LibraryStage;
  readonly file: string;
}

/** Every stage of the library by name, loaded. */
export const catalog: readonly CatalogStage[] = await Promise.all(
  listing.map(async ({ file, load }) => ({ stage: await load(), file })),
);
