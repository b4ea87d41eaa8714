import { fileURLToPath } from 'node:url';

/** The repository's own root: compositions and the other processes' bins lie below it. */
export const PRODUCT_ROOT = fileURLToPath(new URL('../../../', import.meta.url));
