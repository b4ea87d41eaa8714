import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { z } from 'zod';

import { ROOT } from './tree.ts';

const exec = promisify(execFile);
const Manifest = z.looseObject({ name: z.string(), version: z.string() });

/** A package that pnpm installed. */
interface Installed {
  readonly dir: string;
  readonly manifest: z.infer<typeof Manifest>;
}

/** A registry for npm that has what is installed in the repository, and no network. */
export interface LocalRegistry {
  readonly url: string;
  /** Names it was asked for. */
  readonly asked: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** Packages by their name, each version once. */
function installed(): ReadonlyMap<string, readonly Installed[]> {
  const found = new Map<string, Installed[]>();
  const store = join(ROOT, 'node_modules/.pnpm');
  for (const entry of readdirSync(store)) {
    const folder = join(store, entry, 'node_modules');
    if (!existsSync(folder)) continue;
    for (const dir of realFolders(folder)) {
      const manifest = Manifest.parse(JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')));
      const versions = found.get(manifest.name) ?? [];
      if (versions.some((one) => one.manifest.version === manifest.version)) continue;
      found.set(manifest.name, [...versions, { dir, manifest }]);
    }
  }
  return found;
}

/** What lies in a folder of pnpm's itself; what is linked lies elsewhere. */
function realFolders(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [];
    if (entry.name.startsWith('@')) return realFolders(path);
    return existsSync(join(path, 'package.json')) ? [path] : [];
  });
}

/** npm's tarball of a package. Files of the same content are one file to pnpm, and links of a tarball are nothing to npm. */
async function tarball({ dir }: Installed): Promise<Buffer> {
  const options = ['--hard-dereference', '--exclude=./node_modules/.bin', '--transform=s,^\\.,package,'];
  const { stdout } = await exec('tar', ['--create', '--file=-', ...options, `--directory=${dir}`, '.'], {
    encoding: 'buffer',
    maxBuffer: 200_000_000,
  });
  return stdout;
}

/** Starts a registry on a free port of this machine. */
export async function startLocalRegistry(): Promise<LocalRegistry> {
  const packages = installed();
  const asked = new Set<string>();
  let url = '';

  const packument = (name: string, versions: readonly Installed[]): unknown => {
    const listed = versions.map(({ manifest }) => {
      const dist = { tarball: `${url}/-/${encodeURIComponent(name)}/${manifest.version}.tgz` };
      return [manifest.version, { ...manifest, dist }] as const;
    });
    const [latest = ''] = listed.at(-1) ?? [];
    return { name, 'dist-tags': { latest }, versions: Object.fromEntries(listed) };
  };
  const answer = async (path: string): Promise<unknown> => {
    const [, wanted = '', version = ''] = /^\/-\/([^/]+)\/(.+)\.tgz$/.exec(path) ?? [];
    const name = decodeURIComponent(wanted || path.slice(1));
    asked.add(name);
    const versions = packages.get(name);
    if (versions === undefined || wanted === '') return versions && packument(name, versions);
    const one = versions.find(({ manifest }) => manifest.version === version);
    return one && tarball(one);
  };
  const server = createServer((request, response) => {
    void answer(request.url ?? '').then(
      (body) => {
        response.writeHead(body === undefined ? 404 : 200);
        response.end(body instanceof Buffer ? body : JSON.stringify(body ?? { error: 'not found' }));
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked: () => [...asked].sort(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
