import { execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createFolders } from './folders.ts';
import { createFiles } from './fs.ts';

let base: string;
let root: string;
let files: ReturnType<typeof createFiles>;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'caloron-fs-')));
  root = join(base, 'project');
  for (const name of [
    'project/.caloron/processes',
    'project/.git/hooks',
    'project/sub',
    'allowed',
    'outside',
  ])
    mkdirSync(join(base, name), { recursive: true });
  writeFileSync(join(base, 'outside/secret'), 'secret');
  writeFileSync(join(root, 'a.txt'), 'grün\n');
  files = createFiles(
    createFolders({
      root,
      allow: [join(base, 'allowed')],
      read_only: [join(root, '.caloron/processes')],
      deny: [join(root, 'kept.db')],
      reserved: ['.caloron'],
    }),
  );
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('a file of the project', () => {
  it('is read as UTF-8, with its size in bytes', async () => {
    expect(await files.read('a.txt')).toEqual({ content: 'grün\n', size_bytes: 6 });
    expect(await files.read(join(root, 'sub/../a.txt'))).toMatchObject({ size_bytes: 6 });
  });

  it('that is no UTF-8, no file, a pipe or missing is refused', async () => {
    writeFileSync(join(root, 'bytes'), Buffer.from([0xff, 0xfe]));
    execFileSync('mkfifo', [join(root, 'pipe')]);

    await expect(files.read('bytes')).rejects.toMatchObject({ code: 'FILE_NOT_TEXT' });
    await expect(files.read('sub')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(files.read('pipe')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(files.read('none')).rejects.toMatchObject({ code: 'FILE_MISSING' });
    await expect(files.read('a.txt/x')).rejects.toMatchObject({ code: 'FILE_MISSING' });
  });

  it('is there or not', async () => {
    expect(await Promise.all(['a.txt', 'sub', 'none'].map((path) => files.exists(path)))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('is listed with its kind, in byte order', async () => {
    symlinkSync('a.txt', join(root, 'sub/link'));
    writeFileSync(join(root, 'sub/B'), 'b');
    mkdirSync(join(root, 'sub/folder'));

    expect(await files.list('sub')).toEqual([
      { name: 'B', kind: 'file', size_bytes: 1 },
      { name: 'folder', kind: 'folder', size_bytes: 0 },
      { name: 'link', kind: 'link', size_bytes: 0 },
    ]);
    await expect(files.list('a.txt')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(files.list('none')).rejects.toMatchObject({ code: 'FILE_MISSING' });
  });
});

describe('a write', () => {
  it('replaces the whole file, keeps its mode and leaves nothing beside it', async () => {
    writeFileSync(join(root, 'script'), 'old and longer', { mode: 0o750 });

    expect(await files.write('script', 'grün')).toEqual({ bytes_written: 5 });

    expect(readFileSync(join(root, 'script'), 'utf8')).toBe('grün');
    expect(statSync(join(root, 'script')).mode & 0o777).toBe(0o750);
    expect(readdirSync(root).toSorted()).toEqual(['.caloron', '.git', 'a.txt', 'script', 'sub']);
  });

  it('is never seen half', async () => {
    const [one, two] = ['1'.repeat(200_000), '2'.repeat(200_000)];
    await files.write('big', one);
    const seen = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const [, ...read] = await Promise.all([
        files.write('big', i % 2 === 0 ? two : one),
        ...Array.from({ length: 5 }, () => files.read('big')),
      ]);
      for (const { content } of read) seen.add(content);
    }

    expect([...seen].every((text) => text === one || text === two)).toBe(true);
  });

  it('into a missing folder or over a folder is refused', async () => {
    await expect(files.write('none/a', '')).rejects.toMatchObject({ code: 'FILE_MISSING' });
    await expect(files.write('sub', '')).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
  });

  it('through a link inside the project writes what the link names', async () => {
    symlinkSync('../a.txt', join(root, 'sub/link'));

    await files.write('sub/link', 'new');

    expect(readFileSync(join(root, 'a.txt'), 'utf8')).toBe('new');
    expect(readdirSync(join(root, 'sub'))).toEqual(['link']);
  });
});

describe('outside of the project', () => {
  it('only the allowed folders may be used', async () => {
    expect(await files.write(join(base, 'allowed/x'), '1')).toEqual({ bytes_written: 1 });
    expect(await files.read('../allowed/x')).toMatchObject({ content: '1' });
  });

  it.each([
    ['..'],
    ['../outside/secret'],
    ['/etc/passwd'],
    ['/proc/self/environ'],
    ['../allowed/../outside/secret'],
    ['../allowed-not'],
    [''],
    ['a\0b'],
    ['.caloron/shell-token'],
    ['.caloron'],
    ['.Caloron/x'],
    ['sub/.caloron/shell-token'],
    ['kept.db'],
  ])('%j is refused for all of them', async (path) => {
    const calls = [
      () => files.read(path),
      () => files.exists(path),
      () => files.list(path),
      () => files.write(path, 'x'),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'FILE_REFUSED' });
  });

  it('no link leads there: of a file, of a folder, to nothing, in circles', async () => {
    symlinkSync('../outside/secret', join(root, 'file'));
    symlinkSync('../outside', join(root, 'folder'));
    symlinkSync('../outside/new', join(root, 'dangling'));
    symlinkSync('circle', join(root, 'circle'));
    symlinkSync('.caloron', join(root, 'state'));

    for (const path of ['file', 'folder/secret', 'folder/new', 'dangling', 'circle', 'state/shell-token']) {
      await expect(files.read(path)).rejects.toMatchObject({ code: 'FILE_REFUSED' });
      await expect(files.write(path, 'x')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
    }
    expect(readdirSync(join(base, 'outside'))).toEqual(['secret']);
    expect(readFileSync(join(base, 'outside/secret'), 'utf8')).toBe('secret');
  });

  it('no path leads there, whatever it is made of', async () => {
    symlinkSync('..', join(root, 'sub/up'));
    symlinkSync('../../outside', join(root, 'sub/out'));
    symlinkSync(join(root, '.git'), join(root, 'sub/git'));
    const folders = createFolders({ root, allow: [], deny: [], reserved: ['.caloron'] });
    const parts = [
      '..',
      '.',
      '',
      'sub',
      'up',
      'out',
      'git',
      'hooks',
      '.caloron',
      '.git',
      'secret',
      'new',
      'project',
    ];
    const path = fc.array(fc.constantFrom(...parts), { maxLength: 8 }).map((list) => list.join('/'));

    await fc.assert(
      fc.asyncProperty(path, fc.constantFrom('read', 'write'), async (given, purpose) => {
        const resolved = await folders.resolve(given, purpose).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'FILE_REFUSED' });
          return root;
        });

        expect(resolved === root || resolved.startsWith(`${root}/`)).toBe(true);
        expect(resolved).not.toContain('.caloron');
        if (purpose === 'write') expect(resolved).not.toContain('.git');
      }),
      { numRuns: 300 },
    );
  });

  it('a folder that is only read is not written', async () => {
    writeFileSync(join(root, '.caloron/processes/1.log'), 'out');

    expect(await files.read('.caloron/processes/1.log')).toMatchObject({ content: 'out' });
    await expect(files.write('.caloron/processes/1.json', '{}')).rejects.toMatchObject({
      code: 'FILE_REFUSED',
    });
  });

  it('nothing is written into .git, which is read', async () => {
    writeFileSync(join(root, '.git/HEAD'), 'ref');

    expect(await files.read('.git/HEAD')).toMatchObject({ content: 'ref' });
    await expect(files.write('.git/hooks/pre-commit', 'x')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
    await expect(files.write('.GIT/x', 'x')).rejects.toMatchObject({ code: 'FILE_REFUSED' });
  });
});

describe('a pipe', () => {
  it('is written over no more than read', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);

    await expect(files.write('pipe', 'x')).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' });
    expect(statSync(join(root, 'pipe')).isFIFO()).toBe(true);
  });
});

describe('a folder whose name is given to a link while it is used', () => {
  it('is never left', async () => {
    // Takes turns: a folder of the project, a link out of it.
    const turns = `while :; do mv -T sub away; ln -s ../outside sub; rm sub; mv -T away sub; done`;
    writeFileSync(join(root, 'sub/secret'), 'mine');
    const swapper = spawn('sh', ['-c', turns], { cwd: root, stdio: 'ignore', detached: true });
    const outcome = async (work: Promise<unknown>): Promise<string> =>
      work.then(
        (value) => JSON.stringify(value),
        (error: unknown) => String((error as { code?: unknown }).code),
      );
    try {
      const seen = new Set<string>();
      for (let i = 0; i < 400; i += 1) {
        seen.add(await outcome(files.read('sub/secret').then(({ content }) => content)));
        await outcome(files.write('sub/written', 'x'));
        seen.add(await outcome(files.list('sub').then((entries) => entries.map(({ name }) => name).length)));
      }
      expect(seen).not.toContain('"secret"');
      expect(readdirSync(join(base, 'outside'))).toEqual(['secret']);
    } finally {
      if (swapper.pid !== undefined) process.kill(-swapper.pid, 'SIGKILL');
    }
  });
});
