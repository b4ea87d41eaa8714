import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { VERSION } from '@caloron/types/version';
import { DockerfileParser, type Instruction, type JSONInstruction } from 'dockerfile-ast';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

import { PRODUCTS } from '../deploy/products.ts';
import { BESIDE } from '../deploy/stage-product.ts';
import { ROOT, textOf } from './support/tree.ts';

const exec = promisify(execFile);
const [whole] = PRODUCTS;
const bins = Object.entries(whole?.bins ?? {});
const scripts = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(textOf('package.json')));

/** Lines of a unit by their key, in order; a line that ends in \ goes on. */
function unit(path: string): readonly (readonly [string, string])[] {
  return textOf(path)
    .split('\n')
    .filter((line) => /^[A-Za-z]+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
}

const valuesOf = (path: string, key: string): readonly string[] =>
  unit(path).flatMap(([name, value]) => (name === key ? [value] : []));

const helps = new Map<string, Promise<string>>();

/** What a command says of itself, asked once. */
function helpOf(bin: string, words: readonly string[]): Promise<string> {
  const folder = new Map(bins).get(bin);
  const key = [bin, ...words].join(' ');
  const known = helps.get(key);
  if (known !== undefined) return known;
  const file = join(ROOT, 'packages', folder ?? bin, 'bin', `${bin}.mjs`);
  const said = exec(process.execPath, [file, ...words, '--help']).then(({ stdout }) => stdout);
  helps.set(key, said);
  return said;
}

/** Holds a command line against what the command says of itself: it is there, and so is every option. */
async function holds(argv: readonly string[]): Promise<void> {
  const [bin = '', ...rest] = argv;
  expect(bins.map(([name]) => name)).toContain(bin);
  const begin = rest.findIndex((word) => word.startsWith('-'));
  const help = await helpOf(bin, begin === -1 ? rest : rest.slice(0, begin));
  for (const option of rest.filter((word) => word.startsWith('--')))
    expect(help, argv.join(' ')).toContain(option);
}

const docs = textOf('docs/deployment.md');
/** Directives the units use, as systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) and systemd.resource-control(5) spell them. */
const DIRECTIVES: Readonly<Record<string, string>> = {
  Unit: 'Description Documentation After Wants',
  Service: [
    'Type NotifyAccess WatchdogSec User Group WorkingDirectory StateDirectory StateDirectoryMode Environment EnvironmentFile',
    'ExecStartPre ExecStart Restart RestartSec TimeoutStartSec TimeoutStopSec KillMode OOMPolicy TasksMax LimitNOFILE',
    'NoNewPrivileges CapabilityBoundingSet AmbientCapabilities PrivateTmp PrivateDevices ProtectSystem ProtectHome ProtectClock',
    'ProtectControlGroups ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc',
    'RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality SystemCallArchitectures UMask',
  ].join(' '),
  Install: 'WantedBy',
};
const units = readdirSync(join(ROOT, 'deploy/systemd')).filter((name) => name.endsWith('.service'));

describe('the systemd units', () => {
  it.each(units)('%s starts bins that are packed, with options they have', async (name) => {
    const path = `deploy/systemd/${name}`;
    const lines = [...valuesOf(path, 'ExecStartPre'), ...valuesOf(path, 'ExecStart')];

    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const [env, ...argv] = line.split(' ');
      expect(env).toBe('/usr/bin/env');
      await holds(argv);
    }
  });

  it.each(units)('%s is sound to systemd, where there is one', async (name) => {
    if (!existsSync('/usr/bin/systemd-analyze')) return;
    const { stderr } = await exec('systemd-analyze', ['verify', join(ROOT, 'deploy/systemd', name)]);

    expect(stderr.split('\n').filter((line) => line.includes(name))).toEqual([]);
  });

  it.each(units)('%s has directives systemd 252 knows, each in its section', (name) => {
    const sections = textOf(`deploy/systemd/${name}`)
      .split(/^(?=\[)/m)
      .slice(1);

    expect(sections.map((section) => section.split('\n')[0])).toEqual(['[Unit]', '[Service]', '[Install]']);
    for (const section of sections) {
      const known = DIRECTIVES[section.slice(1, section.indexOf(']'))]?.split(' ') ?? [];
      const set = [...section.matchAll(/^(\w+)=/gm)].map(([, key = '']) => key);
      expect(set.filter((key) => !known.includes(key))).toEqual([]);
    }
  });

  it('the shell’s ends the shell alone, and keeps nothing from agents that they need', () => {
    const path = 'deploy/systemd/caloron-shell.service';
    const set = unit(path).map(([key]) => key);

    expect(valuesOf(path, 'KillMode')).toEqual(['process']);
    expect(valuesOf(path, 'OOMPolicy')).toEqual(['continue']);
    for (const key of [
      'RestrictNamespaces',
      'SystemCallFilter',
      'PrivateUsers',
      'PrivateTmp',
      'PrivateDevices',
      'RuntimeDirectory',
      'ProtectProc',
      'ProcSubset',
      'ProtectKernelTunables',
      'ProtectKernelLogs',
      'MemoryDenyWriteExecute',
      'RestrictSUIDSGID',
      'DynamicUser',
      'SendSIGKILL',
    ])
      expect(set).not.toContain(key);
  });

  it('the scheduler’s waits for its word, and for its signs of life longer than a tick may hold it up', () => {
    const path = 'deploy/systemd/noether-scheduler.service';

    expect(valuesOf(path, 'Type')).toEqual(['notify']);
    // systemd-notify is a child of the scheduler, so that its main process alone would not be heard.
    expect(valuesOf(path, 'NotifyAccess')).toEqual(['all']);
    expect(Number(valuesOf(path, 'WatchdogSec')[0])).toBeGreaterThanOrEqual(30);
    expect(unit('deploy/systemd/caloron-shell.service').map(([key]) => key)).not.toContain('NotifyAccess');
  });

  it('the scheduler’s works over the shell’s home as the shell’s user', () => {
    for (const key of ['User', 'WorkingDirectory', 'StateDirectory', 'EnvironmentFile', 'Environment'])
      expect(valuesOf('deploy/systemd/noether-scheduler.service', key)).toEqual(
        valuesOf('deploy/systemd/caloron-shell.service', key),
      );
  });

  it.each(units)('%s works in one folder, which is its user’s and its state', (name) => {
    const path = `deploy/systemd/${name}`;
    const [home = ''] = valuesOf(path, 'WorkingDirectory');
    const [user = ''] = valuesOf(path, 'User');

    expect(valuesOf(path, 'Group')).toEqual([user]);
    expect(textOf('deploy/systemd/caloron.sysusers.conf')).toMatch(
      new RegExp(`^u ${user} - "[^"]+" ${home}$`, 'm'),
    );
    expect(valuesOf(path, 'StateDirectory').map((folder) => `/var/lib/${folder}`)).toEqual([home]);
    expect(valuesOf(path, 'Environment')).toEqual([`HOME=${home}`]);
    for (const line of [...valuesOf(path, 'ExecStartPre'), ...valuesOf(path, 'ExecStart')])
      expect(line).toContain(` --home ${home}`);
    expect(docs).toContain(valuesOf(path, 'EnvironmentFile')[0]?.replace(/^-/, ''));
  });
});

describe('the version', () => {
  it('is one for every package, for what the commands say, and for the files that name a tarball or an image', () => {
    const folders = ['.', 'stages', ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`)];
    const versions = folders.map(
      (folder) =>
        z.object({ version: z.string() }).parse(JSON.parse(textOf(`${folder}/package.json`))).version,
    );
    const named = ['deploy/docker/Dockerfile', 'deploy/docker/compose.yaml', 'docs/deployment.md'].flatMap(
      (path) => [...textOf(path).matchAll(/\bcaloron[:-](\d+\.\d+\.\d+)/g)].map(([, version]) => version),
    );

    expect(named.length).toBeGreaterThan(5);
    expect(new Set([...versions, ...named])).toEqual(new Set([VERSION]));
  });
});

const dockerfile = DockerfileParser.parse(textOf('deploy/docker/Dockerfile'));
const ignored = textOf('deploy/docker/Dockerfile.dockerignore').split('\n').filter(Boolean);
const wordsOf = (instruction: Instruction): readonly string[] =>
  instruction.getArguments().map((argument) => argument.getValue());
const jsonOf = (instruction: Instruction): readonly string[] =>
  (instruction as JSONInstruction)
    .getJSONStrings()
    .map((text) => z.string().parse(JSON.parse(text.getValue())));
const last = (keyword: string): Instruction => {
  const found = dockerfile.getInstructions().findLast((one) => one.getKeyword() === keyword);
  if (found === undefined) throw new Error(`no ${keyword}`);
  return found;
};

describe('the Dockerfile', () => {
  it('copies what the repository has, and from stages it has', () => {
    const stages = dockerfile.getFROMs().map((from) => from.getBuildStage());
    const copies = dockerfile.getCOPYs();

    expect(copies.length).toBeGreaterThan(3);
    for (const copy of copies) {
      const from = copy
        .getFlags()
        .find((flag) => flag.getName() === 'from')
        ?.getValue();
      const sources = wordsOf(copy).slice(0, -1);
      if (from !== undefined) expect(stages).toContain(from);
      else
        for (const source of sources) {
          expect(existsSync(join(ROOT, source)), source).toBe(true);
          expect(ignored, source).not.toContain(source);
        }
    }
  });

  it('has no file of secrets in the build', () => {
    const named = services.flatMap(([, { env_file }]) => env_file.map(({ path }) => path));

    expect(named).toEqual(expect.arrayContaining(['caloron.env', 'registry.env']));
    for (const name of named) expect(name).toMatch(/\.env$/);
    expect(ignored).toContain('**/*.env');
  });

  it('has all in the build that the workspace and the packing need', () => {
    const copied = dockerfile.getCOPYs().flatMap((copy) => wordsOf(copy).slice(0, -1));
    const { packages } = z
      .object({ packages: z.array(z.string()) })
      .parse(parse(textOf('pnpm-workspace.yaml')));

    for (const name of [...packages.map((glob) => glob.replace('/*', '')), ...BESIDE, 'patches', 'deploy'])
      expect(copied.some((path) => path === name || name.startsWith(`${path}/`))).toBe(true);
  });

  it('runs scripts that exist, and installs the tarball they make', () => {
    const runs = dockerfile.getInstructions().filter((one) => one.getKeyword() === 'RUN');
    const lines = runs.map((run) => wordsOf(run).join(' '));
    const [packed = ''] = lines.filter((line) => line.startsWith('pnpm pack'));
    const [, script = '', product = ''] = packed.split(' ');
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(textOf('packages/cli/package.json')));

    expect(Object.keys(scripts.scripts)).toContain(script);
    expect(PRODUCTS.map(({ name }) => name)).toContain(product);
    expect(lines.join('\n')).toContain(`./packed/${product}-${version}.tgz`);
  });

  it('is small, of a Node that is new enough, and nobody’s root', () => {
    for (const from of dockerfile.getFROMs())
      expect(from.getImage()).toMatch(/^node:(2[4-9]|[3-9]\d)-[a-z]+-slim$/);
    expect(wordsOf(last('USER'))).toEqual(['caloron']);
    const built = dockerfile.getInstructions().map((one) => wordsOf(one).join(' '));
    expect(built.some((line) => line.includes('apt-get install') && line.includes(' git '))).toBe(true);
  });

  it('starts a bin with options it has, and asks for its health where it listens', async () => {
    const command = jsonOf(last('CMD'));
    await holds(command);
    const health = wordsOf(last('HEALTHCHECK')).join(' ');

    const port = command[command.indexOf('--port') + 1];
    expect(health).toContain(`http://127.0.0.1:${port}/health`);
    expect(wordsOf(last('EXPOSE'))).toEqual([port]);
    expect(health).toContain('/opt/caloron/healthcheck.mjs');
  });
});

const Service = z.object({
  image: z.string(),
  command: z.array(z.string()),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  volumes: z.array(z.string()),
  env_file: z.array(z.object({ path: z.string(), required: z.literal(false) })),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()).optional(), disable: z.boolean().optional() }).optional(),
  cap_drop: z.array(z.string()),
  ports: z.array(z.string()).default([]),
});
const Compose = z.object({
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.unknown()),
});
const compose = Compose.parse(parse(textOf('deploy/docker/compose.yaml'), { merge: true }));
const services = Object.entries(compose.services);

describe('the compose file', () => {
  it.each(services)('%s starts a bin with options it has', async (_name, { command }) => {
    await holds(command);
  });

  it.each(services)('%s stands on what the file has', (_name, service) => {
    for (const volume of service.volumes)
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    for (const [other, { condition }] of Object.entries(service.depends_on)) {
      const found = compose.services[other];
      expect(found, other).toBeDefined();
      if (condition === 'service_healthy') expect(found?.healthcheck?.disable).not.toBe(true);
    }
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.ports).toEqual([]);
    if (service.build === undefined) return;
    const context = join(ROOT, 'deploy/docker', service.build.context);
    expect(existsSync(join(context, service.build.dockerfile))).toBe(true);
    expect(existsSync(join(context, 'pnpm-workspace.yaml'))).toBe(true);
  });

  it('has the scheduler find the shell where it listens, and asks for its health where it listens itself', () => {
    const { shell, scheduler } = compose.services;
    const after = (command: readonly string[] = [], option: string): string | undefined =>
      command[command.indexOf(option) + 1];

    expect(scheduler?.environment['CALORON_SHELL_URL']).toBe(
      `http://shell:${after(shell?.command, '--port')}`,
    );
    for (const { command, healthcheck } of Object.values(compose.services)) {
      expect(after(command, '--home')).toBe('/var/lib/caloron');
      if (healthcheck?.test === undefined) continue;
      expect(healthcheck.test.at(-1)).toBe(`http://127.0.0.1:${after(command, '--port')}/health`);
    }
  });

  it('is changed only in services it has by the file for the sandbox', () => {
    const more = z
      .object({ services: z.record(z.string(), z.object({ security_opt: z.array(z.string()) })) })
      .parse(parse(textOf('deploy/docker/compose.sandbox.yaml')));

    for (const name of Object.keys(more.services)) expect(Object.keys(compose.services)).toContain(name);
  });
});

describe('docs/deployment.md', () => {
  it('names files of the repository that exist', () => {
    const named = [...docs.matchAll(/\b(?:deploy|schemas|compositions|docs)\/[\w./-]*\w/g)].map(
      ([path]) => path,
    );
    // Written by people, with their tokens.
    const theirs = ['deploy/docker/caloron.env', 'deploy/docker/registry.env'];

    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => !existsSync(join(ROOT, path)) && !theirs.includes(path))).toEqual([]);
  });

  it('says of every tarball which bins it brings', () => {
    const rows = [...docs.matchAll(/^\| `([a-z-]+)`\s*\| ([^|]+?)\s*\|/gm)].map(([, name, list = '']) => [
      name,
      [...list.matchAll(/`([a-z-]+)`/g)].map(([, bin]) => bin),
    ]);

    expect(rows).toEqual(PRODUCTS.map(({ name, bins: brought }) => [name, Object.keys(brought)]));
  });

  it('names scripts that exist', () => {
    const named = [...docs.matchAll(/`pnpm ([a-z:]+)/g)].map(([, script = '']) => script);

    expect(named.filter((script) => script !== 'deploy' && scripts.scripts[script] === undefined)).toEqual(
      [],
    );
  });
});

describe('the health check', () => {
  it.each([
    [200, 0],
    [503, 1],
  ])('for an answer of %i exits with %i', async (status, code) => {
    const server = createServer((_request, response) => response.writeHead(status).end()).listen(
      0,
      '127.0.0.1',
    );
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const file = join(ROOT, 'deploy/docker/healthcheck.mjs');
    const ended = await new Promise<number | null>((resolve) => {
      execFile(process.execPath, [file, `http://127.0.0.1:${port}/health`]).once('exit', resolve);
    });
    server.close();

    expect(ended).toBe(code);
  });
});
