import { filesBelow, textOf } from '../support/tree.ts';
import { CHECKLIST, type Item } from './items.ts';

/** An item and the tests that name it. */
export interface Covered extends Item {
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

/** A test's or a group's name, which may go over several lines; `each` stands between word and name. */
const NAMED = /\b(?:it|describe)(?:\.each\((?:[^()]|\([^()]*\))*\))?\(\s*(['"`])((?:(?!\1).)*)\1/gs;

/** Ids at the beginning of a name: `W1 …`, `W8 W9 …`. */
const IDS = /^((?:[WDAO]\d{1,2}[,:]?\s+)+)/;

/** Which tests show which item: by the ids their names begin with. */
export function coverage(): readonly Covered[] {
  const tests = ['packages', 'stages', 'test'].flatMap((folder) =>
    filesBelow(folder, '.test.ts').flatMap((file) =>
      [...textOf(file).matchAll(NAMED)].flatMap(([, , name = '']) => {
        const ids =
          IDS.exec(name)?.[1]
            ?.split(/[\s,:]+/)
            .filter((id) => id !== '') ?? [];
        return ids.map((id) => ({ id, file, name }));
      }),
    ),
  );
  return CHECKLIST.map((item) => ({
    ...item,
    tests: tests.filter(({ id }) => id === item.id).map(({ file, name }) => ({ file, name })),
  }));
}
