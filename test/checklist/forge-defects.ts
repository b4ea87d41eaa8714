import type { Item } from './item.ts';

/** What went wrong between tick and forge in the program this one follows, by the number of the defect: what holds here instead. */
export const FORGE_DEFECTS: readonly Item[] = [];
