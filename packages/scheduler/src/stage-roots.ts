import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** The folder of Caloron's stages. */
export const STAGES_ROOT = dirname(require.resolve('@caloron/stages/package.json'));

/** The folder of the standard library's stages. */
export const LIBRARY_ROOT = join(dirname(require.resolve('@caloron/stdlib/package.json')), 'src');
