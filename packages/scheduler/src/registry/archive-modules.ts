import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { LIBRARY_ROOT, STAGES_ROOT } from '../stage-roots.ts';

/** A module was asked for that code from an archive may not have. */
export class ImportRefused extends Error {
  override readonly name = 'ImportRefused';
}

/** What a stage may import beside its own files, and whose copy of it: what this program's stages do. */
export const IMPORTS: ReadonlyMap<string, string> = new Map([
  ...['@caloron/types', '@caloron/noether/stage', 'zod', 'yaml'].map((name) => [name, STAGES_ROOT] as const),
  ...[
    '@caloron/noether/records',
    'ajv',
    'ajv/dist/2019.js',
    'ajv/dist/2020.js',
    'ajv-formats',
    'csv-parse/sync',
    'csv-stringify/sync',
    're2js',
  ].map((name) => [name, LIBRARY_ROOT] as const),
]);

/** Addresses of archived modules: `archive://HASH/PATH`. No file has one, so none can be changed between check and import. */
const SCHEME = 'archive://';

/** Archives by their hash, of which modules were asked for. Node keeps a module for as long as the process lives, too. */
const archives = new Map<string, ReadonlyMap<string, string>>();

let hooked = false;

/** A module that awaits what never comes is given up on after this, ms; a stage of this program is loaded in 50 ms. */
export const LOAD_LIMIT_MS = 30_000;

/**
 * The namespace of an archive's module, made of the text given here. Its imports, dynamic ones too, are files of the archive or
 * {@link IMPORTS}; throws ImportRefused for another before any module of it runs, and for one that is not loaded in time. `hash` has
 * to be the archive's implementation hash: modules are known by it.
 */
export async function importArchived(
  hash: string,
  archive: Readonly<Record<string, string>>,
  path: string,
  limit_ms = LOAD_LIMIT_MS,
): Promise<Readonly<Record<string, unknown>>> {
  archives.set(hash, new Map(Object.entries(archive)));
  hook();
  const loaded = import(/* @vite-ignore */ `${SCHEME}${hash}/${path}`) as Promise<
    Readonly<Record<string, unknown>>
  >;
  let timer: NodeJS.Timeout | undefined;
  // The timer keeps the process: one that waits for nothing else would end without a word.
  const late = new Promise<never>((_resolve, reject) => {
    const refusal = new ImportRefused(`it awaits something at its top for more than ${limit_ms} ms`);
    timer = setTimeout(() => reject(refusal), limit_ms);
  });
  try {
    return await Promise.race([loaded, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Hooks stay: a stage may import while it runs. They leave every other module alone. */
function hook(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL } = context;
      const from = parentURL?.startsWith(SCHEME) === true ? parentURL : null;
      if (from === null && specifier.startsWith(SCHEME)) return found(specifier);
      if (from === null) return next(specifier, context);
      if (/^\.{1,2}\//u.test(specifier)) return found(new URL(specifier, from).href);
      const root = IMPORTS.get(specifier);
      if (root === undefined)
        throw new ImportRefused(
          `${placeOf(from).path} imports ${JSON.stringify(specifier)}; a stage may import its own files and ${[...IMPORTS.keys()].join(', ')}`,
        );
      return next(specifier, { ...context, parentURL: pathToFileURL(join(root, 'package.json')).href });
    },
    load: (url, context, next) => {
      if (!url.startsWith(SCHEME)) return next(url, context);
      return { format: formatOf(url), source: textOf(url), shortCircuit: true };
    },
  });
}

function found(url: string): { url: string; format: string; shortCircuit: true } {
  textOf(url);
  return { url, format: formatOf(url), shortCircuit: true };
}

function placeOf(url: string): { readonly hash: string; readonly path: string } {
  const { host, pathname } = new URL(url);
  return { hash: host, path: pathname.slice(1) };
}

function textOf(url: string): string {
  const { hash, path } = placeOf(url);
  const text = archives.get(hash)?.get(path);
  if (text === undefined) throw new ImportRefused(`its archive has no file ${JSON.stringify(path)}`);
  return text;
}

function formatOf(url: string): 'module-typescript' | 'module' | 'json' {
  if (/\.m?ts$/u.test(url)) return 'module-typescript';
  return url.endsWith('.json') ? 'json' : 'module';
}
