import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, writeFileSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { confinedArgv, findProgram, probeSandbox } from './sandbox.ts';

const PATH = process.env['PATH'];
/** Where programs of the system lie, which every sandbox shows: a home or a database can be there too. */
const INSTALLED = '/opt';
const NOBODY = 65_534;

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'caloron-sandbox-test-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

it('W2 confines a user without any rights as it does root, where it works', async () => {
  const { program, reason } = await probeSandbox(PATH);
  const setpriv = findProgram('setpriv', PATH);
  if (program === null || setpriv === undefined || process.getuid?.() !== 0) {
    // Here the probe itself is run by such a user, or says why nobody is confined.
    expect(program ?? reason).toMatch(/bwrap/);
    return;
  }
  chownSync(cwd, NOBODY, NOBODY);
  const confined = confinedArgv(
    { program, network: 'host', readable: [], writable: [cwd], instead: [], cwd },
    ['/bin/sh', '-c', 'id -u > who; ls /proc | grep -c "^[0-9]" > seen; ls /root /home > homes 2>&1; true'],
  );
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

  execFileSync(setpriv, [...user, ...confined], { env: { PATH }, cwd: '/' });

  expect(readFileSync(join(cwd, 'who'), 'utf8')).toBe(`${NOBODY}\n`);
  expect(Number(readFileSync(join(cwd, 'seen'), 'utf8'))).toBeLessThan(8);
  expect(readFileSync(join(cwd, 'homes'), 'utf8')).toMatch(/No such file[^]*No such file/);
});

it('W2 shows nothing of what is kept below the folders of the system, but what is named of it', async () => {
  const { program, reason } = await probeSandbox(PATH);
  if (program === null || process.getuid?.() !== 0 || !existsSync(INSTALLED)) {
    expect(program ?? reason).toMatch(/bwrap/);
    return;
  }
  const place = mkdtempSync(join(INSTALLED, 'caloron-sandbox-test-'));
  try {
    const [root, db] = [join(place, '.caloron'), join(place, 'caloron.db')];
    const worktree = join(root, 'worktrees/t1');
    mkdirSync(worktree, { recursive: true });
    for (const file of [join(root, 'shell-token'), db, `${db}-wal`]) writeFileSync(file, 'the-secret');
    writeFileSync(join(worktree, 'mine'), 'mine');
    const confined = confinedArgv(
      {
        program,
        network: 'host',
        readable: [],
        writable: [cwd, worktree],
        instead: [],
        hidden: [root, db, '/home/elsewhere', '/opt/not-there'],
        cwd,
      },
      [
        '/bin/sh',
        '-c',
        `cat '${root}/shell-token' '${db}' '${db}-wal' '${worktree}/mine' > said; echo ours > '${worktree}/ours'`,
      ],
    );

    const [command = '', ...args] = confined;
    execFileSync(command, args, { env: { PATH }, stdio: 'ignore' });

    expect(readFileSync(join(cwd, 'said'), 'utf8')).toBe('mine');
    expect(readFileSync(join(worktree, 'ours'), 'utf8')).toBe('ours\n');
    expect(readFileSync(db, 'utf8')).toBe('the-secret');
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
