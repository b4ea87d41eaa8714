import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

import { type Ended, environment } from './bins.ts';
import { buildFolder, type ImageFolder } from './image.ts';
import type { LocalRegistry } from './local-registry.ts';
import { ROOT, textOf } from './tree.ts';

/** Milliseconds for the longest step, on a machine ten times slower than usual. */
export const LONG_MS = 400_000;

const Ready = z.object({ ready: z.literal(true), url: z.string() });

/** The tarballs, and a machine to install them on: a home and a cache of npm that are empty, and a registry without a network. */
export interface PackedWorld {
  /** What the Dockerfile makes. */
  readonly image: ImageFolder;
  /** The path of a product's tarball. */
  readonly tarball: (product: string) => string;
  /** Runs a program in a folder, as a person who has no other settings. */
  readonly run: (cwd: string, argv: readonly string[]) => Promise<Ended>;
  /** Runs what has to go well; gives what it printed. */
  readonly must: (cwd: string, argv: readonly string[]) => Promise<string>;
  /** Starts what serves, looks at its health while it does, and ends it; gives its exit code. */
  readonly serves: (
    cwd: string,
    argv: readonly string[],
    /** What else has to find it well, given the address of its health. */
    check?: readonly string[],
  ) => Promise<number | undefined>;
}

/** Folder of pnpm's packages that this checkout was installed from: what the lock file names is there, and is not fetched again. */
function pnpmStore(): string {
  const text = readFileSync(join(ROOT, 'node_modules/.modules.yaml'), 'utf8');
  return z.looseObject({ storeDir: z.string() }).parse(parse(text)).storeDir;
}

/** Builds and packs all products below a directory, from what the Dockerfile copies and by the steps it has. */
export async function packedWorld(work: string, registry: LocalRegistry): Promise<PackedWorld> {
  const home = join(work, 'home');
  mkdirSync(home);
  const env = environment({
    HOME: home,
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    npm_config_registry: registry.url,
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  });
  // pnpm reaches a registry, for what its store has not, as the caller's settings say.
  const building = environment({
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    CI: 'true',
    npm_config_store_dir: pnpmStore(),
    npm_config_prefer_offline: 'true',
  });
  const image = await buildFolder(
    join(work, 'image'),
    (line) => (line.startsWith('pnpm ') ? building : env),
    LONG_MS,
  );
  const to = image.at('/src/packed');
  await execa(process.execPath, ['deploy/pack.ts'], {
    cwd: image.at('/src'),
    env: building,
    extendEnv: false,
    timeout: LONG_MS,
    stdin: 'ignore',
  });
  const options = { env, extendEnv: false, reject: false, stdin: 'ignore', timeout: LONG_MS } as const;

  const run: PackedWorld['run'] = async (cwd, [program = '', ...args]) => {
    const { exitCode, stdout, stderr } = await execa(program, args, { ...options, cwd });
    return { code: exitCode, stdout, stderr };
  };
  const must: PackedWorld['must'] = async (cwd, argv) => {
    const { code, stdout, stderr } = await run(cwd, argv);
    expect(code, `${argv.join(' ')}\n${stderr}\n${stdout}`).toBe(0);
    return stdout;
  };
  const serves: PackedWorld['serves'] = async (cwd, [program = '', ...args], check) => {
    const child = execa(program, args, { ...options, cwd });
    try {
      const line = await new Promise<string>((resolve, reject) => {
        child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
        void child.then(({ stderr }) => reject(new Error(`${program} ended before it was ready: ${stderr}`)));
      });
      const health = `${Ready.parse(JSON.parse(line)).url}/health`;
      expect((await fetch(health)).status).toBe(200);
      if (check !== undefined) await must(cwd, [...check, health]);
    } finally {
      child.kill('SIGTERM');
    }
    return (await child).exitCode;
  };
  const tarball = (product: string): string => {
    const [file = ''] = readdirSync(to).filter((name) => new RegExp(`^${product}-\\d`).test(name));
    return join(to, file);
  };
  return { image, tarball, run, must, serves };
}

/** What a unit starts, in order, over another home and a free port; without the env(1) that finds it on the PATH. */
export function unitLines(name: string, home: string): readonly (readonly string[])[] {
  const lines = textOf(`deploy/systemd/${name}.service`).matchAll(
    /^ExecStart(?:Pre)?=\/usr\/bin\/env (.+)$/gm,
  );
  return [...lines].map(([, line = '']) =>
    line
      .replaceAll(/\/var\/lib\/[a-z-]+/g, home)
      .replace(/--port \d+/, '--port 0')
      .split(' '),
  );
}
