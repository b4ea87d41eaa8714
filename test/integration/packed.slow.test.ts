import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { loadCatalog } from '@caloron/scheduler';
import { VERSION } from '@caloron/types/version';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { PRODUCTS } from '../../deploy/products.ts';
import { writeText } from '../support/bins.ts';
import { type LocalRegistry, startLocalRegistry } from '../support/local-registry.ts';
import { LONG_MS, packedWorld, type PackedWorld, unitLines } from '../support/packed.ts';
import { textOf } from '../support/tree.ts';

let work = '';
let registry: LocalRegistry | undefined;
let world: PackedWorld;

/** An empty folder below the others. */
function folder(name: string): string {
  const dir = join(work, name);
  mkdirSync(dir);
  return dir;
}

const bin = (cwd: string, name: string): string => join(cwd, 'node_modules/.bin', name);
const installed = (cwd: string, product: string): string => join(cwd, 'node_modules', product);

/** The lines a person types, of a section of docs/deployment.md. */
function linesOf(section: string): readonly string[] {
  const [, text = ''] = textOf('docs/deployment.md').split(`## ${section}\n`);
  const [, block = ''] = /```\n([\s\S]*?)```/.exec(text) ?? [];
  return block
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, ''));
}

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'packed-'));
  registry = await startLocalRegistry();
  world = await packedWorld(work, registry);
}, LONG_MS);

afterAll(async () => {
  await registry?.close();
  await rm(work, { recursive: true, force: true, maxRetries: 5 });
}, LONG_MS);

describe.each(PRODUCTS)('the tarball $name, installed into an empty folder', ({ name, bins }) => {
  let cwd = '';

  beforeAll(async () => {
    cwd = folder(name);
    await world.must(cwd, ['npm', 'install', world.tarball(name)]);
  }, LONG_MS);

  it(
    'brings its bins, and each tells its version and how it is used',
    async () => {
      expect(
        readdirSync(join(cwd, 'node_modules/.bin')).filter((one) => PRODUCTS[0] && one in PRODUCTS[0].bins),
      ).toEqual(Object.keys(bins).sort());
      for (const command of Object.keys(bins)) {
        expect(await world.must(cwd, [bin(cwd, command), '--version'])).toBe(VERSION);
        expect(await world.must(cwd, [bin(cwd, command), '--help'])).toContain(`Usage: ${command}`);
      }
    },
    LONG_MS,
  );

  it('has its licence and documents, no test and no source but those that stages are identified by', () => {
    const files = readdirSync(installed(cwd, name), { recursive: true, encoding: 'utf8' }).filter(
      (path) => !/(^|\/)node_modules\/zod\//.test(path),
    );

    for (const path of ['LICENSE', 'README.md', 'docs/deployment.md', 'deploy/systemd/caloron-shell.service'])
      expect(files).toContain(path);
    expect(
      files.filter((path) => /\.test\.[jt]s$|(^|\/)testing\/|tsbuildinfo$|\.env$|\.map$/.test(path)),
    ).toEqual(
      // The demo's repository has tests of its own.
      files.filter((path) => path.includes('cli/sample/') && path.endsWith('.test.js')),
    );
    expect(
      files.filter(
        (path) => path.endsWith('.ts') && !/^node_modules\/@caloron\/(stages|stdlib\/src)\//.test(path),
      ),
    ).toEqual([]);
  });

  it('asks a registry for exact versions of others’ libraries alone', () => {
    const manifest = z
      .object({ dependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync(join(installed(cwd, name), 'package.json'), 'utf8')));

    for (const version of Object.values(manifest.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(
      (registry?.asked() ?? []).filter(
        (asked) => asked.startsWith('@caloron/') || asked.startsWith('caloron'),
      ),
    ).toEqual([]);
  });
});

describe('what is installed', () => {
  it(
    'has the same stages as the repository, and runs a graph of them',
    async () => {
      const cwd = join(work, 'noether-scheduler');
      const noether = bin(cwd, 'noether');
      writeText(
        join(cwd, 'upper.json'),
        JSON.stringify({ description: 'a', version: '0.1.0', root: { op: 'Stage', id: 'text_upper' } }),
      );

      const synced = await world.must(cwd, [noether, 'stage', 'sync', '--home', '.', '--output', 'json']);
      for (const { record } of loadCatalog().entries) expect(synced).toContain(record.id);
      expect(await world.must(cwd, [noether, 'run', 'upper.json', '--input', '"hello"'])).toBe('"HELLO"');
    },
    LONG_MS,
  );

  it(
    'checks a job, runs it once, and serves',
    async () => {
      const cwd = join(work, 'noether-scheduler');
      const scheduler = bin(cwd, 'noether-scheduler');
      const job = { name: 'shout', cron: '0 18 * * 5', graph: 'upper.json', input: 'hello' };
      writeText(
        join(cwd, 'scheduler.json'),
        JSON.stringify({ store_path: '.noether/store.json', jobs: [job] }),
      );

      expect(await world.must(cwd, [scheduler, '--check'])).toMatch(/^shout: 0 18 \* \* 5 in /);
      const outcome = JSON.parse(await world.must(cwd, [scheduler, '--run', 'shout'])) as object;
      expect(outcome).toMatchObject({ job: 'shout', status: 'ok', output: 'HELLO' });
      expect(await world.serves(cwd, [scheduler, '--home', '.', '--port', '0'])).toBe(0);
    },
    LONG_MS,
  );

  it(
    'serves as a shell and as a forge, and the harness says what it misses',
    async () => {
      const at = (product: string): readonly [string, string] => {
        const cwd = join(work, product);
        return [cwd, bin(cwd, product)];
      };
      const [shell, caloronShell] = at('caloron-shell');
      const [forge, caloronForge] = at('caloron-forge');
      const [harness, caloronHarness] = at('caloron-harness');

      expect(await world.serves(shell, [caloronShell, '--home', shell, '--port', '0'])).toBe(0);
      const user = await world.must(forge, [caloronForge, 'user', 'add', 'ada', '--data', 'data']);
      expect(JSON.parse(user)).toMatchObject({ login: 'ada' });
      const missing = await world.run(harness, [caloronHarness, 'start']);
      expect([missing.code, `${missing.stdout}${missing.stderr}`]).toEqual([
        1,
        expect.stringContaining('HARNESS_ORDER_MISSING'),
      ]);
    },
    LONG_MS,
  );

  it(
    'does what docs/deployment.md says of tarballs, line by line',
    async () => {
      let cwd = work;
      const said = new Map<string, string>();
      for (const line of linesOf('Tarballs')) {
        const argv = line.replace('/path/to/packed', dirname(world.tarball('caloron'))).split(' ');
        if (line.startsWith('mkdir')) {
          cwd = (await world.must(cwd, ['sh', '-c', `${line} && pwd`])).split('\n').at(-1) ?? '';
          expect(cwd).toMatch(/\/home\/try$/);
        } else if (argv[1] === 'noether-scheduler') {
          // npx hands no signal on to a grandchild: what it would start is started.
          expect(await world.serves(cwd, [bin(cwd, 'noether-scheduler'), ...argv.slice(2)])).toBe(0);
        } else {
          const { code, stdout, stderr } = await world.run(cwd, argv);
          // doctor misses what nobody has started yet.
          expect(code, `${line}\n${stderr}`).toBe(argv[2] === 'doctor' ? 1 : 0);
          said.set(argv.slice(1, 3).join(' '), `${stdout}${stderr}`);
        }
      }

      expect(said.get('caloron demo')).toMatch(/tasks done\s+5 of 5/);
      expect(said.get('caloron demo')).toContain('npx caloron status');
      expect([...said.values()].join('\n')).not.toMatch(/\s\.\/(caloron|noether)\s/);
      expect(said.get('caloron doctor')).toMatch(/ok +stage store/);
      const files = ['scheduler.json', 'caloron.json'].map((name) => {
        const text = readFileSync(join(cwd, name), 'utf8');
        return z.looseObject({ $schema: z.string() }).parse(JSON.parse(text));
      });
      for (const { $schema } of files) {
        expect($schema).toMatch(/^\.\/node_modules\/caloron\/schemas\/[a-z]+\.schema\.json$/);
        expect(existsSync(join(cwd, $schema))).toBe(true);
      }
    },
    LONG_MS,
  );

  it(
    'where the Dockerfile puts it, serves by the lines of the units over a home of another folder',
    async () => {
      const home = folder('state');
      const command = ([name = '', ...args]: readonly string[]): readonly string[] => [
        world.image.at(`/opt/caloron/bin/${name}`),
        ...args,
      ];
      await world.must(home, command(['caloron', 'init', '--home', home, '--repo', 'owner/name']));
      const { $schema } = z
        .looseObject({ $schema: z.string() })
        .parse(JSON.parse(readFileSync(join(home, 'scheduler.json'), 'utf8')));
      expect(existsSync(fileURLToPath($schema))).toBe(true);

      for (const unit of ['caloron-shell', 'noether-scheduler', 'noether-registry']) {
        const lines = unitLines(unit, home);
        for (const line of lines.slice(0, -1)) await world.must(home, command(line));
        expect([unit, await world.serves(home, command(lines.at(-1) ?? []))]).toEqual([unit, 0]);
      }
    },
    LONG_MS,
  );

  it(
    'by the steps of the Dockerfile is built, and its command is found well by its health check',
    async () => {
      const home = folder('volume');
      const [name = '', ...args] = world.image.command;
      const line = args.map((word) => word.replace('/var/lib/caloron', home).replace('7710', '0'));
      const shell = [world.image.at(`/opt/caloron/bin/${name}`), ...line];

      expect(world.image.ran.map((ran) => ran.split(' ').slice(0, 2).join(' '))).toEqual([
        'pnpm fetch',
        'pnpm install',
        'pnpm pack:bins',
        'npm install',
      ]);
      const check = [process.execPath, world.image.at('/opt/caloron/healthcheck.mjs')];
      expect(await world.serves(home, shell, check)).toBe(0);
    },
    LONG_MS,
  );
});
