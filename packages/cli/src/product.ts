import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the packages of the product lie beside each other: `packages/` of the repository, or `node_modules/@caloron/` of a packed bin. */
export const PACKAGES_ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The folder that has the compositions: the repository's root, or that of a packed bin. */
export const PRODUCT_ROOT = rootAbove(PACKAGES_ROOT);

function rootAbove(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'compositions', 'sprint_tick.json')) || at === dirname(at)) return at;
  }
}
