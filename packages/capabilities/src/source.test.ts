import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readStageArchive } from './source.ts';

let root = '';

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'caloron-source-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }
}

describe('a stage archive', () => {
  it('holds the file and all it imports by relative path, in path order', async () => {
    await write({
      'dag/evaluate.ts': [
        "import { z } from 'zod';",
        "import {\n  a,\n  b,\n} from '../kit.ts';",
        "export type { T } from './types.ts';",
        "const late = () => import('./late.ts');",
      ].join('\n'),
      'kit.ts': "import './side.ts';\n",
      'side.ts': '',
      'dag/types.ts': "import type { U } from './evaluate.ts';\n",
      'dag/late.ts': '',
      'dag/other.ts': '',
    });

    const archive = readStageArchive(root, 'dag/evaluate.ts');

    expect(Object.keys(archive)).toEqual([
      'dag/evaluate.ts',
      'dag/late.ts',
      'dag/types.ts',
      'kit.ts',
      'side.ts',
    ]);
  });

  it('has LF line ends whatever the file has', async () => {
    await write({ 'a.ts': 'one\r\ntwo\r\n' });

    expect(readStageArchive(root, 'a.ts')).toEqual({ 'a.ts': 'one\ntwo\n' });
  });

  it('takes no import out of a comment or a text', async () => {
    await write({
      'a.ts':
        "// import './gone.ts'\n/**\n * import { x } from './gone.ts'\n */\nconst t = \"from './gone.ts'\";\n",
    });

    expect(Object.keys(readStageArchive(root, 'a.ts'))).toEqual(['a.ts']);
  });

  it('of a missing import names both files', async () => {
    await write({ 'a.ts': "import './b.ts';\n" });

    expect(() => readStageArchive(root, 'a.ts')).toThrow(
      expect.objectContaining({
        code: 'SOURCE_MISSING',
        details: { file: 'b.ts', imported_by: 'a.ts' },
      }) as Error,
    );
  });

  it('never leaves its root', async () => {
    await write({ 'stages/a.ts': "import '../b.ts';\n", 'b.ts': '' });

    expect(() => readStageArchive(path.join(root, 'stages'), 'a.ts')).toThrow(
      expect.objectContaining({ code: 'SOURCE_OUTSIDE' }) as Error,
    );
    expect(() => readStageArchive(path.join(root, 'stages'), '../b.ts')).toThrow(
      expect.objectContaining({ code: 'SOURCE_OUTSIDE' }) as Error,
    );
  });
});
