import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { confinedArgv, findProgram, probeSandbox } from './sandbox.ts';

const PATH = process.env['PATH'];
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
