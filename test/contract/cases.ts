import { MERGES } from './merge-cases.ts';
import { POLLS } from './poll-cases.ts';
import { PULLS } from './pull-cases.ts';
import { READS } from './read-cases.ts';
import { WRITES } from './write-cases.ts';

/** What every host does for the client, each told on a world of its own words: branches and titles of one case are no other's. */
export const CASES = { ...READS, ...WRITES, ...POLLS, ...PULLS, ...MERGES };

/** The name of a case. */
export type CaseName = keyof typeof CASES;
