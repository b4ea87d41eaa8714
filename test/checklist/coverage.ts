import { filesBelow, textOf } from '../support/tree.ts';
import { CAPABILITIES } from './capabilities.ts';
import { DEFECTS } from './defects.ts';
import { FORGE_DEFECTS } from './forge-defects.ts';
import type { Item } from './item.ts';
import { CHECKLIST } from './items.ts';
import { SCHEDULER_PAGE } from './seed.ts';

/** A test, or a group of tests, whose name begins with ids: `W1 …`, `W8 5.6.7 …`. */
export interface NamedTest {
  readonly file: string;
  readonly name: string;
  readonly ids: readonly string[];
  /** Whether a normal run of all tests runs it: those of real agents need their programs and run apart. */
  readonly runs: boolean;
  /** Whether it is about the whole product: real processes of every part together. */
  readonly whole: boolean;
}

/** An item and the tests that name it. */
export interface Covered extends Item {
  readonly tests: readonly NamedTest[];
}

/** The lists, each with its title. */
export const LISTS: readonly { readonly title: string; readonly items: readonly Item[] }[] = [
  { title: 'What a runner of agents must do', items: CHECKLIST },
  { title: 'Defects that do not come back', items: DEFECTS },
  { title: 'Defects of the forge that do not come back', items: FORGE_DEFECTS },
  { title: 'What users ask for', items: CAPABILITIES },
  { title: 'What the scheduler’s page says', items: SCHEDULER_PAGE },
];

/** The first argument of a call, where it begins with ids: only names of tests and groups do. */
const NAMED = /\(\s*(['"`])((?:(?:[A-Z]\d{1,2}|\d\.\d\.\d{1,2})[,:]?\s+)+(?:(?!\1)(?:[^\\]|\\.))*)\1\s*,/g;
const IDS = /^(?:(?:[A-Z]\d{1,2}|\d\.\d\.\d{1,2})[,:]?\s+)+/;

/** The tests whose names begin with ids. */
export function namedTests(): readonly NamedTest[] {
  return ['packages', 'stages', 'test'].flatMap((folder) =>
    filesBelow(folder, '.test.ts').flatMap((file) =>
      [...textOf(file).matchAll(NAMED)].map(([, , name = '']) => ({
        file,
        name,
        ids: (IDS.exec(name)?.[0] ?? '').split(/[\s,:]+/).filter((id) => id !== ''),
        runs: !/^test\/(agents|bench)\//.test(file),
        whole: /^test\/(integration|e2e)\//.test(file),
      })),
    ),
  );
}

/** Which tests of a normal run show which item: by the ids their names begin with. */
export function coverage(items: readonly Item[], tests = namedTests()): readonly Covered[] {
  return items.map((item) => ({
    ...item,
    tests: tests.filter(({ ids, runs }) => runs && ids.includes(item.id)),
  }));
}
