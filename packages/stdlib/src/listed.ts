import type { LibraryStage } from './kit.ts';

/** A stage by its name; its code is read when it is loaded. */
export interface ListedStage {
  readonly name: string;
  /** The file it is written in, relative to this folder. */
  readonly file: string;
  readonly load: () => Promise<LibraryStage>;
}

/** A row of a listing: name, file, and what loads it. */
export type Row = readonly [name: string, file: string, load: ListedStage['load']];
