import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { z } from 'zod';

import type { Product } from './products.ts';

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../', import.meta.url));

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  engines: z.record(z.string(), z.string()),
  exports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
});

/** A package of the workspace. */
interface Room {
  readonly dir: string;
  readonly manifest: z.infer<typeof Manifest>;
}

/** Packages whose stages are identified by their source text, and the folder below them that has it. */
const SOURCES: Readonly<Record<string, string>> = { '@caloron/stages': '.', '@caloron/stdlib': 'src' };

/** Carried along instead of fetched: the repository patches it. */
const PATCHED = 'zod';

/** What people, graphs and editors look for beside the bins; documents name these by the same paths as in the repository. */
export const BESIDE: readonly string[] = [
  'compositions',
  'schemas',
  'docs',
  'deploy/systemd',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  '.env.example',
];

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8')) as unknown;
}

function readRoom(dir: string): Room {
  return { dir, manifest: Manifest.parse(readJson(join(dir, 'package.json'))) };
}

/** The workspace packages below the bins, each once, those they depend on included. */
function roomsOf({ bins }: Product): ReadonlyMap<string, Room> {
  const found = new Map<string, Room>();
  const open = Object.values(bins).map((folder) => join(ROOT, 'packages', folder));
  for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
    const room = readRoom(dir);
    if (found.has(room.manifest.name)) continue;
    found.set(room.manifest.name, room);
    const { dependencies } = room.manifest;
    for (const [name, range] of Object.entries(dependencies))
      if (range.startsWith('workspace:')) open.push(realpathSync(join(dir, 'node_modules', name)));
  }
  return found;
}

/** What has to come from a registry, in exactly the versions that are installed here and were tested. */
function outsiders(rooms: Iterable<Room>): Readonly<Record<string, string>> {
  const versions = new Map<string, string>();
  for (const { dir, manifest } of rooms)
    for (const [name, range] of Object.entries(manifest.dependencies)) {
      if (range.startsWith('workspace:') || name === PATCHED) continue;
      const { version } = z
        .object({ version: z.string() })
        .parse(readJson(join(dir, 'node_modules', name, 'package.json')));
      versions.set(name, version);
    }
  return Object.fromEntries([...versions].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** A checkout's wrappers are not there after an install: messages name what is. */
function asInstalled(text: string): string {
  return text.replaceAll(/(?<![\w/])\.\/(caloron|noether)(?=[\s`'"\\]|$)/gm, 'npx $1');
}

function copyText(from: string, to: string, change: (text: string) => string): void {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, change(readFileSync(from, 'utf8')));
}

const isTest = (path: string): boolean =>
  /\.test(-d)?\.ts$/.test(path) || /(^|\/)testing\//.test(path) || path.endsWith('test-kit.ts');

/** Source files below a folder that take part in a build, relative to it. */
function sourcesOf(dir: string): readonly string[] {
  const skipped = /(^|\/)(node_modules|dist)(\/|$)/;
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.ts') && !skipped.test(path) && !isTest(path));
}

/** Writes a package as it runs under node_modules: built code, bins and exports that lead to it, no dependency npm would look for. */
function writeRoom({ dir, manifest }: Room, to: string): void {
  const { name, version, license, engines, exports } = manifest;
  const from = existsSync(join(dir, 'src')) ? join(dir, 'src') : dir;
  // A file of dist whose source is gone is left out.
  for (const path of sourcesOf(from)) {
    const built = path.replace(/\.ts$/, '.js');
    if (path.endsWith('.d.ts')) continue;
    if (!existsSync(join(dir, 'dist', built)))
      throw new Error(`${join(dir, 'dist', built)} is missing: build first, with pnpm build`);
    copyText(join(dir, 'dist', built), join(to, 'dist', built), (text) =>
      asInstalled(text.replaceAll(/^\/\/# sourceMappingURL=.*$/gm, '')),
    );
  }
  const archived = SOURCES[name];
  if (archived !== undefined)
    for (const path of sourcesOf(join(dir, archived)))
      copyText(join(dir, archived, path), join(to, archived, path), (text) => text);
  for (const extra of ['bin', 'sample']) {
    if (!existsSync(join(dir, extra))) continue;
    const filter = (source: string): boolean => basename(source) !== 'node_modules';
    cpSync(join(dir, extra), join(to, extra), { recursive: true, filter });
  }
  for (const bin of existsSync(join(to, 'bin')) ? readdirSync(join(to, 'bin')) : [])
    copyText(join(to, 'bin', bin), join(to, 'bin', bin), (text) =>
      text
        .replaceAll(/'\.\.\/src\/([a-z-]+)\.ts'/g, "'../dist/$1.js'")
        .replaceAll('npx --yes -p node@24 -p pnpm@10 pnpm exec ', 'npx --yes -p node@24 '),
    );
  const built = Object.fromEntries(
    Object.entries(exports).map(([key, target]) => [
      key,
      typeof target === 'string' ? target : (target['@caloron/dist'] ?? target['default'] ?? ''),
    ]),
  );
  writeJson(join(to, 'package.json'), { name, version, license, type: 'module', engines, exports: built });
}

function writePatched(room: Room, to: string): void {
  const from = realpathSync(join(room.dir, 'node_modules', PATCHED));
  const filter = (source: string): boolean => {
    const path = relative(from, source);
    return path.split(sep)[0] !== 'src' && !/\.(d\.ts|d\.cts|d\.mts)$/.test(path);
  };
  cpSync(from, to, { recursive: true, filter });
}

/** Writes a product's folder as npm packs it, below `to`; packages have to be built. */
export function stageProduct(product: Product, to: string): void {
  const rooms = roomsOf(product);
  for (const [name, room] of rooms) writeRoom(room, join(to, 'node_modules', name));
  const [first] = rooms.values();
  if (first === undefined) throw new Error(`${product.name} has no bin`);
  writePatched(first, join(to, 'node_modules', PATCHED));
  for (const name of BESIDE) {
    if (!existsSync(join(ROOT, name))) continue;
    cpSync(join(ROOT, name), join(to, name), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  }
  const bin = Object.fromEntries(
    Object.entries(product.bins).map(([name, folder]) => [
      name,
      `node_modules/@caloron/${folder}/bin/${name}.mjs`,
    ]),
  );
  const { version, license, engines } = first.manifest;
  writeJson(join(to, 'package.json'), {
    name: product.name,
    version,
    description: product.description,
    license,
    type: 'module',
    engines,
    os: ['linux'],
    bin,
    dependencies: outsiders(rooms.values()),
    bundleDependencies: [...rooms.keys(), PATCHED].sort(),
  });
}
